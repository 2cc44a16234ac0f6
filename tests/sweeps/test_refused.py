"""What is wrong with a sweep is refused before it starts, with its place and the fix."""

import pytest
from studies import Study, study

__all__ = ["study"]  # a fixture


def test_a_sweep_whose_jobs_would_be_sweeps_is_refused(study: Study) -> None:
    text = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    study.write("x.yaml", text)
    assert "x.yaml: hydra.mode=MULTIRUN: each job would be a sweep of its own" in study.refused()


# ------------------------------------------------------------------------------------- refused


def test_an_unknown_key_is_answered_with_the_file_and_the_nearest_key(study: Study) -> None:
    message = study.refused_yaml({"sead": "1,2"})
    assert message.startswith(f"{study.conf / 'sweep' / 'x.yaml'}: ")
    assert "line 5: sead: there is no such key (did you mean seed?)" in message


@pytest.mark.parametrize("key", ["status", "sampler_preset", "run_id", "nuts_ess", "llc_mean_a"])
def test_a_swept_key_that_is_another_column_of_the_tables_is_refused(study: Study, key: str) -> None:
    problem = f"{key}: is another column of the tables; give it another name, such as my_{key}"
    assert f"x.yaml: line 5: {problem}" in study.refused_yaml({f"+{key}": "1,2"})
    study.write("y.csv", f"+{key},seed\n1,1\n")
    assert f"y.csv: line 1: {problem}" in study.refused("y")


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


def test_a_deletion_that_names_no_preset_is_refused(study: Study) -> None:
    assert "line 5: ~model=1: what is deleted is a preset" in study.refused_yaml({"~model": "1"})


def test_an_unknown_sweep_is_answered_with_the_nearest(study: Study) -> None:
    assert study.refused("digts").endswith("(did you mean digits?)")


@pytest.mark.parametrize("name", ["2024", "1000.0", "true", "NULL", "-x", "é", "a'b", "x=y", "x ", ""])
def test_a_name_that_cannot_be_asked_for_is_refused_with_what_a_name_may_be(study: Study, name: str) -> None:
    study.write(f"{name}.yaml", "# @package _global_\nhydra: {sweeper: {params: {seed: '1,2'}}}\n")
    message = study.refused(name)
    assert message.startswith(f"sweep={name!r}: must be letters, digits, spaces and _.+-, a letter first, and not true")


def test_a_name_with_two_files_is_refused(study: Study) -> None:
    study.write("x.yaml", "")
    message = study.refused_csv("seed\n1\n")
    assert "x.csv" in message
    assert "x.yaml" in message
    assert message.endswith("rename one")


@pytest.mark.parametrize("own", ["stage=target", "target=somewhere", "expect_id=0123456789ab"])
def test_what_the_workflow_sets_is_refused(own: str, study: Study) -> None:
    key, value = own.split("=")
    assert f"{key}=" in study.refused_yaml({"seed": "0,1", key: value})


@pytest.mark.parametrize(("kind", "line"), [("yaml", 5), ("csv", 1)])
def test_a_key_of_hydras_own_is_refused(kind: str, line: int, study: Study) -> None:
    refused = (
        study.refused_yaml({"hydra.run.dir": "a,b"}) if kind == "yaml" else study.refused_csv("hydra.run.dir\na\n")
    )
    assert f"line {line}: hydra.run.dir: is Hydra's, not a job's; leave it out" in refused


def test_values_that_are_a_list_are_answered_with_how_to_write_them(study: Study) -> None:
    assert "the values of a sweep are a text: 1,2,3" in study.refused_yaml({"seed": [0, 1]})


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
    assert "x.yaml: " in message
    assert "did you mean posterior.gamma?" in message


def test_an_argument_that_is_not_there_is_answered_with_how_to_add_it(study: Study) -> None:
    params = {"model": "own", "data": "digits", "model._target_": "flax.linen.Dense", "model.args.features": "3,4"}
    assert "; +model.args.features adds it" in study.refused_yaml(params)


def test_an_unknown_preset_is_one_short_error(study: Study) -> None:
    message = study.refused_yaml({"model": "smal"})
    assert "Could not find 'model/smal'" in message
    assert "search path" not in message.lower()
