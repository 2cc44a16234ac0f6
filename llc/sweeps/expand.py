"""The points of a sweep become jobs: composed by Hydra, checked, identified. Without JAX.

Hydra composes each combination of config groups once. What the other overrides change are then
values at keys, so a job is the composed values with some of them replaced. Where that would not
be exact, because values refer to each other or are whole sections, OmegaConf does it job by job.
"""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from llc.config import ConfigError, Job, require
from llc.jobs.complete import files_of
from llc.jobs.compose import assemble, check_preset, explain, parse, register_schema
from llc.jobs.ids import ids
from llc.sweeps import points
from llc.sweeps.points import Point
from llc.sweeps.sweepjob import SweepJob

ERRORS_SHOWN = 10
SET_BY_THE_WORKFLOW = {key: getattr(Job(), key) for key in ("stage", "target", "expect_id")}
COMPOSITION_ERRORS = (ConfigError, HydraException, OmegaConfBaseException)


def expand(file: Path, conf: Path, cwd: Path, known: dict[tuple[str, ...], SweepJob]) -> list[SweepJob]:
    """Return the jobs of a sweep file, those whose overrides are ``known`` as they are known.

    Raises
    ------
    ConfigError
        Naming the file, and for every wrong job the line, the key, the value and the fix.
    """
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        try:
            found = points.read(file)
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ConfigError(f"{file}: line {line}: not UTF-8 ({error.reason}); save it as UTF-8") from None
        except (*COMPOSITION_ERRORS, YAMLError, csv.Error) as error:
            raise ConfigError(f"{file}: {explain(error)}") from None
        jobs, errors = [], []
        composer = _Composer(cwd)
        for number, point in enumerate(found):
            job = known.get(tuple(point.overrides))
            if job is not None and list(job.swept) == point.keys:
                jobs.append(replace(job, number=number) if job.number != number else job)
                continue
            try:
                jobs.append(composer.job(number, point))
            except COMPOSITION_ERRORS as error:
                message = explain(error)
                errors.append(f"{point.place(message)}: {message}")
    if not found:
        errors.append("it has no jobs: give hydra.sweeper.params at least one value, or the CSV a row")
    if not errors:
        errors = _duplicates(jobs, found)
    if errors:
        more = [f"… and {len(errors) - ERRORS_SHOWN} more"] if len(errors) > ERRORS_SHOWN else []
        raise ConfigError("\n  ".join([f"{file}: nothing was started", *errors[:ERRORS_SHOWN], *more]))
    return jobs


def _duplicates(jobs: list[SweepJob], found: list[Point]) -> list[str]:
    first: dict[str, int] = {}
    return [
        f"{found[job.number].where}: the same job as {found[first[job.run_id]].where}; remove one"
        for job in jobs
        if first.setdefault(job.run_id, job.number) != job.number
    ]


class _Change(NamedTuple):
    """An override, parsed."""

    text: str
    key: str
    value: Any
    needs_hydra: bool  # it chooses a preset, adds, or deletes; else it sets the value of a key


class _Composed:
    """What Hydra makes of a combination of config groups, and jobs with other values in it."""

    def __init__(self, groups: tuple[str, ...]) -> None:
        self.config = compose("config", list(groups), return_hydra_config=True)
        self.choices: Any = OmegaConf.to_container(self.config.hydra.runtime.choices)  # of the config groups
        OmegaConf.set_struct(self.config, False)
        del self.config["hydra"]
        OmegaConf.set_struct(self.config, True)
        self.values: Any = OmegaConf.to_container(self.config)
        self._types = dict(_dataclasses(self.config))  # of each section and subsection, by key
        text = OmegaConf.to_yaml(self.config)
        self._plain = "${" not in text and "???" not in text  # no value refers to another, none is missing
        self._scratch = copy.deepcopy(self.config)  # to set values on, which gives them the types of the schema
        self._typed: dict[str, Any] = {}  # what overrides set, by their text
        self._sections: dict[tuple[str, ...], Any] = {}  # by name and the overrides that touch them

    def job(self, changes: list[_Change], cwd: Path) -> tuple[Job, Callable[[str], Any]]:
        """Return the job with these changes, and what gives the value that it has at a key."""
        odd = any(isinstance(c.value, dict) or "${" in str(c.value) or "???" in c.text for c in changes)
        return self._quickly(changes, cwd) if self._plain and not odd else self._slowly(changes, cwd)

    def _slowly(self, changes: list[_Change], cwd: Path) -> tuple[Job, Callable[[str], Any]]:
        """Set the values on a copy of the configuration, as Hydra does."""
        config = copy.deepcopy(self.config)
        for change in changes:
            OmegaConf.update(config, change.key, change.value, merge=True)

        def value_of(key: str) -> Any:
            value = OmegaConf.select(config, key.split("@")[-1])
            return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value

        return parse(config, cwd), value_of

    def _quickly(self, changes: list[_Change], cwd: Path) -> tuple[Job, Callable[[str], Any]]:
        """Set the values on plain data, and make anew only the sections that they are in."""
        new = {change.key: self._with_type(change) for change in changes}
        touched: dict[str, list[str]] = {}
        for change in changes:
            touched.setdefault(change.key.split(".")[0], []).append(change.text)
        parts: dict[str, Any] = {}
        for f in fields(Job):
            at = (f.name, *touched.get(f.name, ()))
            if at not in self._sections:
                self._sections[at] = self._build(f.name, self.values[f.name], new)
            parts[f.name] = copy.copy(self._sections[at])  # it is completed in place
        return assemble(parts, cwd), lambda key: _look_up(self.values, new, key.split("@")[-1])

    def _with_type(self, change: _Change) -> Any:
        """Return what the schema makes of a value: 1 becomes 1.0 where a float is due."""
        if change.text not in self._typed:
            OmegaConf.update(self._scratch, change.key, change.value, merge=True)
            value = OmegaConf.select(self._scratch, change.key)
            self._typed[change.text] = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        return self._typed[change.text]

    def _build(self, key: str, value: Any, new: dict[str, Any]) -> Any:
        """Return what is at a key, with the new values in it: an object of the schema, or a value."""
        if key not in self._types:
            if isinstance(value, dict) and key not in new:  # arguments of a user's function
                return {name: self._build(f"{key}.{name}", part, new) for name, part in value.items()}
            return new.get(key, value)
        return self._types[key](**{name: self._build(f"{key}.{name}", part, new) for name, part in value.items()})


class _Composer:
    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._composed = lru_cache(maxsize=None)(_Composed)
        # Hydra searches every folder each time, at 15 ms: ask once a key. Its grammar is slow too.
        self._is_group = lru_cache(GlobalHydra.instance().config_loader().get_group_options)
        self._change = lru_cache(maxsize=None)(self._parse)

    def job(self, number: int, point: Point) -> SweepJob:
        changes = [self._change(text) for text in point.overrides]
        groups = [change for change in changes if change.needs_hydra]
        changes = [change for change in changes if not change.needs_hydra]
        composed = self._composed(tuple(change.text for change in groups))
        shown = composed.choices | {change.key: change.value for change in groups if isinstance(change.value, dict)}
        job, value_of = composed.job(changes, self._cwd)
        for key, default in SET_BY_THE_WORKFLOW.items():
            require(getattr(job, key) == default, key, getattr(job, key), "left out of a sweep: the workflow sets it")
        run_id, target_id = ids(job)
        files, folders = files_of(job)
        return SweepJob(
            number=number,
            overrides=point.overrides,
            swept={key: shown[key] if key in shown else value_of(key) for key in point.keys},
            run_id=run_id,
            target_id=target_id,
            n_data=job.data.n_data,
            target_params=job.model.target_params,
            seed=job.seed,
            samplers=sorted(job.sampler.names),
            threads=job.threads,
            batch=job.batch,
            files=files,
            folders=folders,
        )

    def _parse(self, text: str) -> _Change:
        number = points.PLAIN_NUMBER.fullmatch(text)
        if number and not self._is_group(number[1]):
            return _Change(text, number[1], int(number[2]) if number[2] else float(number[3]), False)
        (override,) = points.parse_overrides([text])
        plain = override.type is not None and override.type.name == "CHANGE" and override.package is None
        is_group = bool(self._is_group(override.key_or_group))
        if is_group and plain:
            check_preset(override)
        # Of a config group that is a preset's name, or values that are laid over the preset.
        return _Change(text, override.key_or_group, override.value() if plain else None, not plain or is_group)


def _dataclasses(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, type]]:
    for key in map(str, config):
        kind = OmegaConf.get_type(config, key)
        if is_dataclass(kind):
            yield f"{prefix}{key}", kind
            yield from _dataclasses(config[key], f"{prefix}{key}.")


def _look_up(values: Any, new: dict[str, Any], key: str) -> Any:
    if key in new:
        return new[key]
    for name in key.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values
