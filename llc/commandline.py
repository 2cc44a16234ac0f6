"""The arguments of ``train.py``, checked, as Hydra must see them. Without JAX."""

from __future__ import annotations

from pathlib import Path

from hydra._internal.hydra import Hydra

from llc.compose import NO_PRESETS, SECTIONS, check_keys
from llc.config import ConfigError

SAVED_BY_HYDRA = ("config.yaml", "hydra.yaml", "overrides.yaml")


def command_line(argv: list[str]) -> list[str]:
    """Return ``argv`` as Hydra must see it, after checking the keys of its overrides.

    ``--config-dir RUN/.hydra`` asks to run a saved configuration again, but Hydra finds the
    application's own ``config`` first and would silently run the defaults: such a folder
    becomes the primary one. Only the ``hydra:`` settings of ``conf/config.yaml`` are then
    lost, so they are given again.
    """
    check_keys(filter(_is_override, argv))
    config_dir, rest = _take_option(argv, "--config-dir", "-cd")
    if config_dir is None:
        return argv
    _, rest = _take_option(rest, "--config-name", "-cn")
    folder = Path(config_dir).absolute()
    if not all((folder / name).is_file() for name in SAVED_BY_HYDRA):
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


def compose_once(argv: list[str]) -> None:
    """Spare Hydra the composition that only asks for its mode, a fifth of a second, where these set none.

    Nor do the files of ``conf/``, but those of sweeps may.
    """
    asked = any(argument.lstrip("+").startswith(("hydra.mode", "hydra=", "sweep=")) for argument in argv)
    if all(map(_is_override, argv)) and not asked:
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
