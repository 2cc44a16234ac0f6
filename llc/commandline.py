"""The arguments of ``train.py``, checked, as Hydra must see them. Without JAX."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hydra._internal.hydra import Hydra

from llc.config import ConfigError
from llc.jobs.compose import NO_PRESETS, SECTIONS, check_keys
from llc.records import METRICS, BadRun, given_to_hydra, read_info

SAVED_BY_HYDRA = ("config.yaml", "hydra.yaml", "overrides.yaml")
NOT_READ = (
    "Hydra would not read its config.yaml, but conf/config.yaml; "
    "to run what it says: --config-path {} --config-name config"
)
NOT_OF_THE_RUN = (
    "of another job ({}), which the run that is there has made train.py refuse; "
    "to run that one again: --config-path {} --config-name config"
)


def command_line(argv: list[str]) -> list[str]:
    """Return ``argv`` as Hydra must see it, after checking the keys of its overrides.

    ``--config-dir RUN/.hydra``, or ``RUN``, asks to run a saved configuration again, but Hydra finds the
    application's own ``config`` first and would silently run the defaults: such a folder
    becomes the primary one. Only the ``hydra:`` settings of ``conf/config.yaml`` are then
    lost, so they are given again.
    """
    check_keys(filter(_is_override, argv))
    config_dir, rest = _take_option(argv, "--config-dir", "-cd")
    if config_dir is None:
        return argv
    name, rest = _take_option(rest, "--config-name", "-cn")
    folder = _saved(Path(config_dir).absolute())
    if folder is None:
        unread = Path(config_dir, "config.yaml")
        if unread.is_file() and name in (None, "config", "config.yaml"):
            raise ConfigError(f"--config-dir {config_dir}: {NOT_READ.format(Path(config_dir).absolute())}")
        return argv
    for argument in rest:
        section, _, value = argument.lstrip("+").partition("=")
        if section in SECTIONS and not value.startswith("{"):
            raise ConfigError(f"{argument}: {NO_PRESETS}")
    overrides = [argument for argument in rest if _is_override(argument)]
    given = ["hydra/output=apart", "hydra.job.chdir=true"]
    if any(not argument.startswith("hydra.") for argument in overrides):
        given += ["expect_id=null", "target=null"]  # which a workflow gave the job as it was
    # Beside the first of the others, since overrides before an option and after it are not taken for one list.
    at = rest.index(overrides[0]) if overrides else len(rest)
    return ["--config-path", str(folder), "--config-name", "config", *rest[:at], *given, *rest[at:]]


def _saved(folder: Path) -> Path | None:
    """Return the folder in which Hydra has saved the configuration of the run that is in a folder, or beside it."""
    for saved in (folder, folder / ".hydra"):
        if all((saved / name).is_file() for name in SAVED_BY_HYDRA):
            if (saved.parent / METRICS).exists():
                _require_of_the_run(saved)
            return saved
    return None


def _require_of_the_run(saved: Path) -> None:
    """Raise ConfigError if Hydra has saved what a finished run was not given: of a job that was refused there."""
    with suppress(BadRun):
        last, of_the_run = given_to_hydra(saved), read_info(saved.parent).get("overrides")
        if of_the_run is not None and _of_the_job(last) != _of_the_job(of_the_run):
            raise ConfigError(f"{saved}: {NOT_OF_THE_RUN.format(' '.join(last or []), saved.parent)}")


def _of_the_job(overrides: list[str] | None) -> set[str]:
    """Return those that are of the job, and not of how it was started."""
    return {text for text in overrides or () if not text.lstrip("+").startswith(("threads=", "expect_id=", "target="))}


def compose_once(argv: list[str]) -> None:
    """Spare Hydra the composition that only asks for its mode, a tenth of a second, where these set none.

    Nor do the files of ``conf/``, but those of sweeps may, for a command that is not one job of the workflow.
    """

    def has(*starts: str) -> bool:
        return any(argument.lstrip("+").startswith(starts) for argument in argv)

    unasked = not has("hydra.mode", "hydra=") and (has("expect_id=") or not has("sweep="))
    if all(map(_is_override, argv)) and unasked:
        Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]


def _is_override(argument: str) -> bool:
    return ("=" in argument and not argument.startswith("-")) or argument.startswith("~")


def _take_option(argv: list[str], *names: str) -> tuple[str | None, list[str]]:
    """Return the value of an option, given as ``name value`` or ``name=value``, and the other arguments."""
    for i, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name in names and equals:
            return value, argv[:i] + argv[i + 1 :]
        if argument in names and i + 1 < len(argv):
            return argv[i + 1], argv[:i] + argv[i + 2 :]
    return None, argv
