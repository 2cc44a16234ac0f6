"""A sweep file becomes the jobs that train.py -m would run, all of them checked first."""

import csv
import io
import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from composing import CONF, job

from llc.config import ConfigError
from llc.jobs.ids import run_id, target_id
from llc.sweeps import sweep, sweepjob
from llc.sweeps.sweepjob import SweepJob


class Study:
    """A copy of conf/ with one sweep file more."""

    def __init__(self, folder: Path) -> None:
        self.conf = folder / "conf"
        self.cwd = folder
        shutil.copytree(CONF, self.conf)

    def yaml(self, params: dict[str, str] | None, **body: object) -> list[SweepJob]:
        """Load a sweep of ``params`` over ``body``."""
        text = yaml.safe_dump({**body, "hydra": {"sweeper": {"params": params}}}, sort_keys=False)
        self.write("x.yaml", f"# @package _global_\n{text}")
        return self.load()

    def csv(self, text: str) -> list[SweepJob]:
        """Load a sweep of the rows of ``text``."""
        self.write("x.csv", text)
        return self.load()

    def write(self, name: str, text: str) -> None:
        (self.conf / "sweep" / name).write_text(text, encoding="utf-8")

    def load(self, name: str = "x") -> list[SweepJob]:
        return sweep.load(name, self.conf, self.cwd)

    def refused(self, name: str = "x") -> str:
        """Return the message that the sweep is refused with."""
        with pytest.raises(ConfigError) as error:
            self.load(name)
        return str(error.value)

    def refused_yaml(self, params: dict[str, str] | None, **body: object) -> str:
        with pytest.raises(ConfigError) as error:
            self.yaml(params, **body)
        return str(error.value)

    def refused_csv(self, text: str) -> str:
        self.write("x.csv", text)
        return self.refused()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def swept(jobs: list[SweepJob], *keys: str) -> list[tuple]:
    return [tuple(job.swept[key] for key in keys) for job in jobs]


# --------------------------------------------------------------------------------- the product


def test_jobs_come_in_the_order_of_the_product(study: Study) -> None:
    jobs = study.yaml({"seed": "0,1", "model": "small,base", "data.n_data": "50,60,70"})
    expected = list(itertools.product([0, 1], ["small", "base"], [50, 60, 70]))
    assert swept(jobs, "seed", "model", "data.n_data") == expected
    assert [job.number for job in jobs] == list(range(12))


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("seed", "3", [3]),
        ("seed", "3,1", [3, 1]),
        ("seed", "choice(3,1)", [3, 1]),
        ("seed", "range(3)", [0, 1, 2]),
        ("seed", "range(1,6,2)", [1, 3, 5]),
        ("posterior.gamma", "1e-3,2,0.5", [0.001, 2.0, 0.5]),
        ("model", "glob([s*,b*])", ["base", "small"]),
        ("model", "glob(*,exclude=[c*,d*,o*,q*,r*])", ["base", "small"]),
        ("data.x_dist", "'uniform',\"normal\"", ["uniform", "normal"]),
        ("model.widths", "[8],[8,8]", [[8], [8, 8]]),
        ("sampler.names", "[sgld],[nuts,hmc]", [["sgld"], ["nuts", "hmc"]]),
        ("posterior.beta", "null,0.5", [None, 0.5]),
    ],
)
def test_values_are_those_of_hydras_syntax(study: Study, key: str, values: str, expected: list) -> None:
    assert [job.swept[key] for job in study.yaml({key: values})] == expected


BODY = {
    "defaults": [{"override /sampler": "fast"}, {"override /model": "base"}],
    "posterior": {"gamma": 30},
    "data": {"noise": "none"},
}


@pytest.mark.parametrize("data", ["linear", "small"])
def test_ids_are_those_of_the_jobs_that_hydra_composes(study: Study, data: str) -> None:
    params = {
        "model": "small,dln",
        "data": data,
        "model.widths": "[64,10],[64,16,10]",
        "training": "fast",
        "sampler.names": "[nuts],[sgld,hmc]",
        "posterior.gamma": "1,1e1",
    }
    jobs = study.yaml(params, **BODY)
    assert len(jobs) == 16
    for point in jobs[::5]:
        composed = job(*point.overrides, conf=study.conf)
        assert (point.n_data, point.target_params) == (composed.data.n_data, composed.model.target_params)
        assert (point.run_id, point.target_id) == (run_id(composed), target_id(composed))


def test_ids_of_real_data_are_those_of_the_jobs_that_hydra_composes(study: Study) -> None:
    for point in study.load("digits")[::3]:
        assert point.run_id == run_id(job(*point.overrides, conf=study.conf))


def test_ids_of_rows_are_those_of_the_jobs_that_hydra_composes(study: Study) -> None:
    rows = ["base,,{gamma: 3},,7", ",[4],,,", "dln,,{beta: 0.5},fast,", ",,,fast,", ",,,base,"]
    header = "model,model.widths,posterior,sampler,training.steps"
    jobs = study.csv("\n".join([header, *rows]))
    assert [point.run_id for point in jobs] == [run_id(job(*point.overrides, conf=study.conf)) for point in jobs]


def test_a_section_of_a_row_is_merged_into_its_preset(study: Study) -> None:
    (point,) = study.csv("sampler,sampler.sgld\nfast,{chains: 7}\n")
    assert point.run_id == run_id(job("sampler=fast", "sampler.sgld.chains=7"))


def test_jobs_that_differ_in_sampling_share_their_target(study: Study) -> None:
    jobs = study.yaml({"seed": "0,1", "posterior.gamma": "1,2"})
    assert len({job.run_id for job in jobs}) == 4
    assert len({job.target_id for job in jobs}) == 2


def test_another_value_leaves_the_other_ids_alone(study: Study) -> None:
    before = {job.run_id for job in study.yaml({"seed": "0,1", "data.n_data": "50,60"})}
    after = {job.run_id for job in study.yaml({"data.n_data": "60,70,50", "seed": "range(3)"})}
    assert before < after


def test_a_sweep_of_rows_has_the_ids_of_the_same_grid(study: Study) -> None:
    grid = {job.run_id for job in study.yaml({"seed": "0,1", "model": "small,base"})}
    study.write("y.csv", "model,seed\nsmall,0\nbase,0\nsmall,1\nbase,1\n")
    assert {job.run_id for job in study.load("y")} == grid


def test_relative_paths_start_where_the_command_is_started(study: Study) -> None:
    np.savez(study.cwd / "my.npz", x=np.ones((4, 2)), y=np.ones(4))
    (point,) = study.yaml({"data": "npz", "data.path": "my.npz"})
    assert point.files == [str(study.cwd / "my.npz")]


def test_a_row_of_the_job_table_says_what_was_resolved(study: Study) -> None:
    np.savez(study.cwd / "my.npz", x=np.ones((4, 2)), y=np.ones(4))
    (point,) = study.yaml(
        {"model.widths": "[5]", "seed": "3"}, defaults=[{"override /data": "npz"}], data={"path": "my.npz"}
    )
    row = point.row()
    assert (row["n_data"], row["target_params"], row["seed"]) == (4, 2 * 5 + 5 + 5 + 1, 3)
    assert (row["samplers"], row["overrides"]) == ("nuts sgld", "+sweep=x 'model.widths=[5]' seed=3")


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


def test_a_sweep_whose_jobs_would_be_sweeps_is_refused(study: Study) -> None:
    text = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    study.write("x.yaml", text)
    assert "x.yaml: hydra.mode=MULTIRUN: each job would be a sweep of its own" in study.refused()


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


# ------------------------------------------------------------------------------------- refused


def test_an_unknown_key_is_answered_with_the_file_and_the_nearest_key(study: Study) -> None:
    message = study.refused_yaml({"sead": "1,2"})
    assert message.startswith(f"{study.conf / 'sweep' / 'x.yaml'}: ")
    assert "line 5: sead: there is no such key (did you mean seed?)" in message


def test_an_unknown_key_in_the_body_is_refused_with_the_file(study: Study) -> None:
    message = study.refused_yaml({"seed": "1,2"}, posterior={"gama": 3})
    assert "x.yaml: " in message
    assert "gama" in message


@pytest.mark.parametrize("key", ["status", "sampler_preset", "run_id", "nuts_ess", "llc_mean_a"])
def test_a_swept_key_that_is_another_column_of_the_tables_is_refused(study: Study, key: str) -> None:
    problem = f"{key}: is another column of the tables; give it another name, such as my_{key}"
    assert f"x.yaml: line 5: {problem}" in study.refused_yaml({f"+{key}": "1,2"})
    study.write("y.csv", f"+{key},seed\n1,1\n")
    assert f"y.csv: line 1: {problem}" in study.refused("y")


def test_swept_presets_of_samplers_have_a_column_beside_that_of_the_sampler(study: Study) -> None:
    jobs = study.yaml({"sampler": "base,fast"})
    assert [job.row()["sampler_preset"] for job in jobs] == ["base", "fast"]
    assert "sampler" not in jobs[0].row()


def test_every_wrong_job_is_named_and_no_right_one(study: Study) -> None:
    message = study.refused_yaml({"data.n_data": "50,1,abc", "seed": "0,1"})
    assert [f"job {number} (" in message for number in range(6)] == [False, False, True, True, True, True]
    assert "job 2 (data.n_data=1 seed=0): data.n_data=1: must be at least 2" in message
    assert "job 4 (data.n_data=abc seed=0): data.n_data: Value 'abc'" in message


def test_a_long_list_of_wrong_jobs_is_cut_and_counted(study: Study) -> None:
    message = study.refused_yaml({"seed": "range(0,13)", "posterior.gamma": "-1"})
    assert message.count("posterior.gamma=-1.0: must be") == 10
    assert message.endswith("… and 3 more")


def test_a_preset_that_does_not_exist_is_named_with_those_that_do(study: Study) -> None:
    message = study.refused_yaml({"model": "small,bse"})
    assert "job 1 (model=bse)" in message
    assert all(name in message for name in ("base", "dln", "small"))


def test_a_missing_file_of_data_is_named(study: Study) -> None:
    message = study.refused_yaml({"data": "npz", "data.path": "my.npz"})
    assert f"data.path='{study.cwd}/my.npz': no such file" in message


@pytest.mark.parametrize(
    "params",
    [
        {"posterior.gamma": "1,2,1.0"},
        {"threads": "1,2"},
        {"sampler.names": "[sgld,nuts],[nuts,sgld]"},
        {"training": "base,fast", "training.steps": "7"},
        {"+experiment_name": "a,b"},
    ],
)
def test_two_jobs_that_are_one_are_refused(study: Study, params: dict[str, str]) -> None:
    message = study.refused_yaml(params)
    assert "the same job as job 0" in message


@pytest.mark.parametrize("params", [None, {}])
def test_a_sweep_of_nothing_is_refused(study: Study, params: dict[str, str] | None) -> None:
    assert "x.yaml: hydra.sweeper.params is" in study.refused_yaml(params)


@pytest.mark.parametrize("text", ["", "seed\n", "seed,model\n"])
def test_rows_of_nothing_are_refused(study: Study, text: str) -> None:
    message = study.refused_csv(text)
    assert "x.csv" in message
    assert "it has no jobs" in message


def test_a_pattern_that_matches_nothing_is_refused(study: Study) -> None:
    assert "model=glob(zz*): it has no values" in study.refused_yaml({"model": "glob(zz*)"})


def test_an_interval_is_refused(study: Study) -> None:
    message = study.refused_yaml({"posterior.gamma": "interval(0,1)"})
    assert "posterior.gamma=interval(0,1): an interval has no list of values" in message


@pytest.mark.parametrize("value", ["${data.n_data}", "\\${data.n_data}", "1,${data.n_data}"])
def test_an_axis_that_refers_to_another_key_is_refused(study: Study, value: str) -> None:
    # Hydra's -m would give all jobs the value of the first one, or of none.
    message = study.refused_yaml({"posterior.gamma": value, "data.n_data": "50,60"})
    assert "Hydra looks that up once for all jobs; outside of hydra.sweeper.params each job does" in message


def test_a_value_of_the_file_that_refers_to_a_swept_key_is_each_jobs_own(study: Study) -> None:
    jobs = study.yaml({"data.n_data": "50,60"}, posterior={"gamma": "${data.n_data}"})
    expected = study.yaml({"data.n_data": "60"}, posterior={"gamma": 60})
    assert jobs[1].run_id == expected[0].run_id


def test_a_deletion_that_names_no_preset_is_refused(study: Study) -> None:
    assert "line 5: ~model=1: what is deleted is a preset" in study.refused_yaml({"~model": "1"})


def test_an_unknown_sweep_is_answered_with_the_nearest(study: Study) -> None:
    assert study.refused("digts").endswith("(did you mean digits?)")


@pytest.mark.parametrize("name", ["2024", "1000.0", "true", "NULL", "-x", "é", "a'b", "x=y", "x ", ""])
def test_a_name_that_cannot_be_asked_for_is_refused_with_what_a_name_may_be(study: Study, name: str) -> None:
    study.write(f"{name}.yaml", "# @package _global_\nhydra: {sweeper: {params: {seed: '1,2'}}}\n")
    message = study.refused(name)
    assert message.startswith(f"sweep={name!r}: must be letters, digits, spaces and _.+-, a letter first, and not true")


@pytest.mark.parametrize("name", ["a b", "v1.2", "a-b+c", "x2"])
def test_a_name_may_have_spaces_inside(study: Study, name: str) -> None:
    study.write(f"{name}.yaml", "# @package _global_\nhydra: {sweeper: {params: {seed: '1,2'}}}\n")
    assert len(study.load(name)) == 2


def test_a_name_with_two_files_is_refused(study: Study) -> None:
    study.write("x.yaml", "")
    message = study.refused_csv("seed\n1\n")
    assert "x.csv" in message
    assert "x.yaml" in message
    assert message.endswith("rename one")


# --------------------------------------------------------------------------------- the command


def test_the_table_of_jobs_has_a_row_for_each(study: Study) -> None:
    jobs = study.yaml({"seed": "0,1", "model.widths": "[4],[4,4]"})
    rows = list(csv.DictReader(io.StringIO(sweepjob.table(jobs), newline="")))
    assert rows == [{key: str(value) for key, value in job.row().items()} for job in jobs]


def test_planning_and_summarising_import_no_jax() -> None:
    code = (
        "import sys; from pathlib import Path; from llc import summary; from llc.sweeps import sweep;"
        f"sweep.load('digits', Path({str(CONF)!r}), Path.cwd());"
        "print(sorted({'jax', 'numpyro', 'blackjax', 'scipy', 'arviz', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("own", ["stage=target", "target=somewhere", "expect_id=0123456789ab"])
def test_what_the_workflow_sets_is_refused(own: str, study: Study) -> None:
    key, value = own.split("=")
    assert f"{key}=" in study.refused_yaml({"seed": "0,1", key: value})


def test_a_file_that_is_not_of_its_format_is_refused_by_name(study: Study) -> None:
    study.write("x.yaml", "# @package _global_\nhydra: [\n")
    assert "x.yaml" in study.refused()
    (study.conf / "sweep" / "x.yaml").unlink()
    assert "x.csv" in study.refused_csv('seed\n"1" 2\n')
    (study.conf / "sweep" / "x.csv").write_bytes(b"seed\n\xff\n")
    assert "x.csv" in study.refused()


def test_a_file_without_its_first_line_is_refused_with_that_line(study: Study) -> None:
    study.write("x.yaml", "hydra: {sweeper: {params: {seed: '0,1'}}}\n")
    assert "# @package _global_" in study.refused()
    study.write("x.yaml", "\ufeff# @package _global_\nhydra: {sweeper: {params: {seed: '0,1'}}}\n")
    assert "without a byte order mark" in study.refused()


def test_an_unknown_key_in_the_body_names_the_nearest(study: Study) -> None:
    message = study.refused_yaml({"seed": "0,1"}, posterior={"gama": 1.0})
    assert "did you mean posterior.gamma?" in message


def test_an_argument_that_is_not_there_is_answered_with_how_to_add_it(study: Study) -> None:
    params = {"model": "own", "data": "digits", "model._target_": "flax.linen.Dense", "model.args.features": "3,4"}
    assert "; +model.args.features adds it" in study.refused_yaml(params)


def test_an_unknown_preset_is_one_short_error(study: Study) -> None:
    message = study.refused_yaml({"model": "smal"})
    assert "Could not find 'model/smal'" in message
    assert "search path" not in message.lower()
