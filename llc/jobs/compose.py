"""From what Hydra composed to a checked, completed Job. Without JAX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from llc.config import KINDS, ConfigError, Job, nearest, require, require_choice
from llc.jobs.complete import complete
from llc.jobs.ids import ids

SECTIONS = ("data", "model", "training", "posterior", "sampler")
GROUPS = (*SECTIONS, "sweep")
NO_PRESETS = "a saved configuration has no presets, only values to override"
FREE = ("model.args.", "data.args.", "evaluate.")  # the names after it are the user's
# Hydra's own folders are of a second: two jobs that are started in the same one would share theirs.
NOW = "${now:%Y-%m-%d}/${now:%H-%M-%S-%f}"
FOLDERS = {"run": {"dir": f"outputs/{NOW}"}, "sweep": {"dir": f"multirun/{NOW}", "subdir": "${hydra.job.num}"}}
FULL_KEY = re.compile(r"full_key: (\S+)")  # how OmegaConf ends its messages


@cache
def register_schema() -> None:
    """Give Hydra the schema that the files of ``conf/`` build on."""
    store = ConfigStore.instance()
    store.store(name="job_schema", node=Job)
    store.store(group="hydra/output", name="apart", node=FOLDERS, package="hydra")
    for group, kinds in KINDS.items():
        for name, node in kinds.items():
            store.store(group=f"{group}/kind", name=name, node=node)


def parse(config: DictConfig, cwd: Path) -> Job:
    """Return the Job that a composed configuration describes, every value checked and filled in.

    Parameters
    ----------
    config
        As composed by Hydra or loaded from a saved ``config.yaml``. Top-level keys that are not
        the schema's (``+experiment_name=x``) are left alone.
    cwd
        Where relative paths of the configuration start.

    Raises
    ------
    ConfigError
        If a value is wrong; the message names the key, the value and what it must be.
    """
    try:
        typed = config if OmegaConf.get_type(config) is Job else _with_types(config)
        values = {f.name: typed[f.name] for f in fields(Job)}
        parts: dict[str, Any] = {k: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for k, v in values.items()}
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from None
    return assemble(parts, cwd)


def assemble(parts: dict[str, Any], cwd: Path) -> Job:
    """Return the Job of these sections and values, checked and filled in; sections are changed in place."""
    job = complete(Job(**parts), cwd)
    if job.expect_id is not None:
        now = ids(job)[0]
        changed = "what the configuration, or a file that it names, has become"
        must = f"{now}, {changed}: plan again, or by hand expect_id=null target=null"
        require(job.expect_id == now, "expect_id", job.expect_id, must)
    return job


def _with_types(config: DictConfig) -> DictConfig:
    """Give a configuration that was read from a file the types of the schema."""
    schema = Job()
    known = OmegaConf.create({f.name: config[f.name] for f in fields(Job) if f.name in config})
    for section in SECTIONS:
        if section in known and not OmegaConf.is_dict(known[section]):
            raise ConfigError(f"{section}={known[section]!r}: {NO_PRESETS}")
    for group, kinds in KINDS.items():
        require_choice(f"{group}.kind", OmegaConf.select(known, f"{group}.kind", default="(missing)"), kinds)
        setattr(schema, group, kinds[known[group].kind])
    return OmegaConf.merge(OmegaConf.structured(schema), known)  # type: ignore[return-value]


def explain(error: Exception) -> str:
    """Return what an error of Hydra or OmegaConf says, on one line that starts with the key."""
    if isinstance(error.__cause__, OmegaConfBaseException):
        error = error.__cause__
    text = str(error).split("Config search path")[0].strip()
    key = FULL_KEY.search(text)
    if key is None:
        return text
    message = " ".join(text[: key.start()].split())
    hint = f"; +{key[1]} adds it" if key[1].startswith(FREE) else nearest(key[1], known_keys())
    hint = hint if "not in" in message else ""
    if "of type 'list' could not be converted" in message:
        hint = "; the values of a sweep are a text: 1,2,3"
    return f"{key[1]}: {message}{hint}"


def known_keys() -> set[str]:
    """Return every key of the schema, dotted, sections and config groups included."""
    keys = set(GROUPS)

    def walk(node: Any, prefix: str) -> Iterator[str]:
        for f in fields(node):
            yield prefix + f.name
            value = getattr(node, f.name)
            if is_dataclass(value):
                yield from walk(value, f"{prefix}{f.name}.")

    keys.update(walk(Job(), ""))
    for group, kinds in KINDS.items():
        for kind in kinds.values():
            keys.update(walk(kind(), f"{group}."))
    return keys


def check_keys(overrides: Iterable[str]) -> None:
    """Raise ConfigError for an override whose key does not exist, naming the nearest that does.

    Hydra's own keys are Hydra's to judge, and additions (``+key=value``), of which a section of the schema takes none.
    """
    known = known_keys()
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise ConfigError(not_syntax(error)) from None
    for override in parsed:
        key = override.key_or_group
        section = key.split(".")[0].split("/")[0]
        free = section == "hydra" or key.startswith(FREE)
        added = (override.is_add() or override.is_force_add()) and section not in SECTIONS
        if not (free or added or key in known):
            raise ConfigError(f"{key}: there is no such key{nearest(key, known)}")
        if key in SECTIONS and not override.is_delete() and not override.is_sweep_override():
            check_preset(override)


def not_syntax(error: OverrideParseException) -> str:
    """Return what to say of an override that Hydra's grammar does not take."""
    key = error.override.partition("=")[0]
    quotes = (
        "a text of more than ASCII letters, digits and /-_.:%+@?| takes quotes of its own, '…'; "
        f"in a shell \"{key}='…'\""
    )
    return f"override {error.override!r} is not Hydra's syntax: {str(error).splitlines()[0]}; {quotes}"


def check_preset(override: Override) -> None:
    """Raise ConfigError for a section that is set to neither a preset's name nor a mapping of values."""
    require(
        isinstance(override.value(), str | list | dict),
        override.key_or_group,
        override.value(),
        "a preset's name, or {key: value} over it",
    )
