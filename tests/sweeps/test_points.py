"""A sweep of rows, in a CSV file: a row becomes a job, and a wrong line is named."""

import pytest
from composing import job
from studies import Study, study, swept

from llc.jobs.ids import run_id

__all__ = ["study"]  # a fixture


def test_ids_of_rows_are_those_of_the_jobs_that_hydra_composes(study: Study) -> None:
    rows = ["base,,{gamma: 3},,7", ",[4],,,", "dln,,{beta: 0.5},fast,", ",,,fast,", ",,,base,"]
    header = "model,model.widths,posterior,sampler,training.steps"
    jobs = study.csv("\n".join([header, *rows]))
    assert [point.run_id for point in jobs] == [run_id(job(*point.overrides, conf=study.conf)) for point in jobs]


def test_a_section_of_a_row_is_merged_into_its_preset(study: Study) -> None:
    (point,) = study.csv("sampler,sampler.sgld\nfast,{chains: 7}\n")
    assert point.run_id == run_id(job("sampler=fast", "sampler.sgld.chains=7"))


def test_a_sweep_of_rows_has_the_ids_of_the_same_grid(study: Study) -> None:
    grid = {job.run_id for job in study.yaml({"seed": "0,1", "model": "small,base"})}
    study.write("y.csv", "model,seed\nsmall,0\nbase,0\nsmall,1\nbase,1\n")
    assert {job.run_id for job in study.load("y")} == grid


# ---------------------------------------------------------------------------------------- rows


def test_an_empty_cell_is_the_default(study: Study) -> None:
    jobs = study.csv("model,seed\nbase,1\n,2\nbase,\n")
    assert [job.overrides for job in jobs] == [["model=base", "seed=1"], ["seed=2"], ["model=base"]]
    assert swept(jobs, "model", "seed") == [("base", 1), ("small", 2), ("base", 0)]


def test_a_cell_may_hold_a_list(study: Study) -> None:
    (point,) = study.csv('model.widths,sampler.names\n"[8,8]","[sgld,nuts]"\n')
    assert (point.swept["model.widths"], point.samplers) == ([8, 8], ["nuts", "sgld"])


def test_spaces_and_a_byte_order_mark_do_not_matter(study: Study) -> None:
    (point,) = study.csv("\ufeffseed , model\n 1 , small \n")
    assert point.overrides == ["seed=1", "model=small"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed,model\n1,small\n2\n", "line 3: 1 cells under 2 keys"),
        ("seed,model\n1,small,3\n", "line 2: 3 cells under 2 keys"),
        ("seed,model\n1,small\n,\n", "line 3: an empty row"),
        ("seed,seed\n1,1\n", "line 1: "),
        ("seed,\n1,1\n", "line 1: "),
        ("seed\n1\nabc\n", "line 3: seed: Value 'abc'"),
        ("seed\n1\n-1\n", "line 3: seed=-1: must be"),
        ("seed,posterior.gamma\n1,1\n2,1\n1,1.0\n", "line 4: the same job as line 2"),
        ("seed\n[\n", "line 2: "),
        ("model,seed\nsmal,1\n", "line 2: In 'config': Could not find 'model/smal'"),
        ('seed,model\n1,"small,base"\n', "line 2: model=small,base has several values"),
        ('seed\n"range(0,2)"\n', r"line 2: seed=range(0,2) has several values"),
        ("data,data.path\nnpz,données.npz\n", "takes quotes of its own"),
        ("seed;model\n1;small\n", "line 1: its keys are separated by ';'; save it with commas"),
        ("seed\tmodel\n1\tsmall\n", r"line 1: its keys are separated by '\t'; save it with commas"),
        ("seed,model\n1,small\n\n2,small\n", "line 3: an empty row"),
    ],
)
def test_a_wrong_line_is_named(study: Study, text: str, problem: str) -> None:
    message = study.refused_csv(text)
    assert message.startswith(f"{study.conf / 'sweep' / 'x.csv'}: ")
    assert problem in message


def test_empty_lines_at_the_end_of_a_csv_are_no_jobs(study: Study) -> None:
    assert swept(study.csv("seed\n1\n2\n\n\n"), "seed") == [(1,), (2,)]


@pytest.mark.parametrize(("encoding", "line"), [("utf-16", 1), ("latin-1", 3)])
def test_a_csv_that_is_not_utf_8_is_refused_with_the_line(study: Study, encoding: str, line: int) -> None:
    text = "seed,data,data.path\n1,,\n2,npz,'données.npz'\n"
    (study.conf / "sweep" / "x.csv").write_bytes(text.encode(encoding))
    assert f"x.csv: line {line}: not UTF-8" in study.refused()


def test_one_key_in_two_columns_is_refused(study: Study) -> None:
    assert "line 1: ['seed', '++seed'] must be keys, each once" in study.refused_csv("seed,++seed\n1,2\n")


def test_every_wrong_line_is_named(study: Study) -> None:
    message = study.refused_csv("seed,data.n_data\n1,1\n2,2\n-3,3\n")
    assert "line 2: data.n_data=1" in message
    assert "line 4: seed=-3" in message
    assert "line 3" not in message


def test_an_unknown_column_is_answered_with_the_nearest_key(study: Study) -> None:
    message = study.refused_csv("seed,data.ndata\n1,5\n")
    assert "x.csv: line 1: data.ndata: there is no such key (did you mean data.n_data?)" in message


@pytest.mark.parametrize("text", ["", "seed\n", "seed,model\n"])
def test_rows_of_nothing_are_refused(study: Study, text: str) -> None:
    message = study.refused_csv(text)
    assert "x.csv" in message
    assert "it has no jobs" in message
