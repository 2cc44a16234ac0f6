"""What of a command line Hydra gets to see."""

from pathlib import Path

import pytest
from fabricating import write_run

from llc.commandline import SAVED_BY_HYDRA, command_line
from llc.config import ConfigError


@pytest.fixture
def hydra_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "RUN" / ".hydra"
    folder.mkdir(parents=True)
    for name in SAVED_BY_HYDRA:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["model=small", "seed=3"],
        ["-m", "model=small,base"],
        ["--multirun", "+sweep=digits"],
        ["+experiment_name=x", "hydra.run.dir=outputs/${experiment_name}/${now:%Y-%m-%d_%H-%M-%S}"],
        ["--cfg", "job", "--resolve"],
        ["--config-name", "config", "seed=3"],
        ["--help"],
    ],
)
def test_other_arguments_are_left_alone(argv: list[str]) -> None:
    assert command_line(argv) == argv


@pytest.mark.parametrize("name", [[], ["--config-name", "config"], ["--config-name=config"], ["-cn", "config"]])
@pytest.mark.parametrize(
    "option", [["--config-dir", "{}"], ["--config-dir={}"], ["-cd", "{}"], ["--config-dir", "{}/"], ["-cd", "{}/"]]
)
def test_a_saved_configuration_becomes_the_primary_one(option: list[str], name: list[str], hydra_folder: Path) -> None:
    argv = command_line([*(part.format(hydra_folder) for part in option), *name])
    assert argv[:4] == ["--config-path", str(hydra_folder), "--config-name", "config"]


@pytest.mark.parametrize("option", [["--config-dir", "{}"], ["-cd={}/"]])
def test_a_run_stands_for_what_hydra_has_saved_in_it(option: list[str], hydra_folder: Path) -> None:
    write_run(hydra_folder.parent, "0123456789ab", {"nuts": 1.0})
    argv = command_line([part.format(hydra_folder.parent) for part in option])
    assert argv[:4] == ["--config-path", str(hydra_folder), "--config-name", "config"]


@pytest.mark.parametrize("name", [[], ["--config-name", "config"]])
def test_a_configuration_that_hydra_would_not_read_is_refused(name: list[str], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ConfigError, match=rf"would not read.*--config-path {tmp_path} --config-name config"):
        command_line(["--config-dir", str(tmp_path), *name])
    argv = ["--config-dir", str(tmp_path), "--config-name", "mine"]
    assert command_line(argv) == argv


def test_what_hydra_has_saved_of_a_job_that_was_refused_is_not_taken_for_the_run(hydra_folder: Path) -> None:
    run = hydra_folder.parent
    (hydra_folder / "overrides.yaml").write_text("[seed=3]")
    write_run(run, "0123456789ab", {"nuts": 1.0})
    (hydra_folder / "overrides.yaml").write_text("[seed=4]")
    for folder in (run, hydra_folder):
        with pytest.raises(ConfigError, match=rf"of another job \(seed=4\).*--config-path {run} --config-name"):
            command_line(["--config-dir", str(folder)])
    (hydra_folder / "overrides.yaml").write_text("[threads=2, seed=3, expect_id=0123456789ab]")  # the same job
    assert command_line(["--config-dir", str(run)])[1] == str(hydra_folder)
    (hydra_folder / "overrides.yaml").write_text("[seed=4]")
    (run / "metrics_summary.csv").unlink()  # of a job that has begun anew: it has no result yet
    assert command_line(["--config-dir", str(run)])[1] == str(hydra_folder)


def test_a_relative_saved_configuration_becomes_an_absolute_path(
    hydra_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hydra_folder.parent.parent)
    assert command_line(["--config-dir", "RUN/.hydra/"])[:2] == ["--config-path", str(hydra_folder)]


@pytest.mark.parametrize("options", [[], ["-m"], ["--cfg", "job"]])
def test_overrides_of_a_saved_configuration_are_one_list_for_a_job_of_its_own(
    options: list[str], hydra_folder: Path
) -> None:
    given = ["hydra/output=apart", "hydra.job.chdir=true", "expect_id=null", "target=null"]
    for rest in ([*options, "seed=3", "posterior.gamma=1,2"], ["seed=3", "posterior.gamma=1,2", *options]):
        argv = command_line(["--config-dir", str(hydra_folder), *rest])[4:]
        assert [argument for argument in argv if argument not in given] == rest
        assert argv[(at := argv.index(given[0])) : at + 5] == [*given, "seed=3"]
    assert "expect_id=null" not in command_line(["--config-dir", str(hydra_folder), *options, "hydra.run.dir=x"])


def test_a_run_of_a_saved_configuration_works_in_its_own_folder(hydra_folder: Path) -> None:
    assert "hydra.job.chdir=true" in command_line(["--config-dir", str(hydra_folder)])


@pytest.mark.parametrize("missing", SAVED_BY_HYDRA)
def test_another_folder_is_left_to_hydra(missing: str, hydra_folder: Path) -> None:
    for name in {missing, "config.yaml"}:
        (hydra_folder / name).unlink()
    argv = ["--config-dir", str(hydra_folder), "seed=3"]
    assert command_line(argv) == argv


@pytest.mark.parametrize("override", ["sead=3", "~sead"])
def test_a_mistyped_key_on_the_command_line_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match="did you mean seed"):
        command_line(["-m", "model=small,base", override])


def test_a_mistyped_key_beside_a_saved_configuration_is_refused(hydra_folder: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean seed"):
        command_line(["--config-dir", str(hydra_folder), "sead=3"])


def test_hydras_own_options_pass() -> None:
    assert command_line(["--cfg", "job"]) == ["--cfg", "job"]
    assert command_line(["-c", "job", "seed=3"]) == ["-c", "job", "seed=3"]
