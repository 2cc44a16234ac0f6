"""A sweep file becomes jobs with run ids, all of them checked before the first one starts.

``conf/sweep/NAME.yaml`` is a Hydra configuration with ``hydra.sweeper.params``, so that
``train.py -m +sweep=NAME`` runs the same jobs; ``NAME.csv`` has a column per key and a row per
job. Hydra parses and composes both. Without JAX.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from llc.compose import check_keys, explain, parse, register_schema
from llc.config import ConfigError, Job, nearest, require
from llc.ids import run_id, target_id

ERRORS_SHOWN = 10
COMPOSITION_ERRORS = (ConfigError, HydraException, OmegaConfBaseException)


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep."""

    number: int  # from 0, as ``train.py -m`` numbers them
    overrides: list[str]  # what to give train.py
    swept: dict[str, Any]  # the value of each swept key
    job: Job
    run_id: str
    target_id: str

    def row(self) -> dict[str, Any]:
        """Return the job's row of ``jobs.csv``."""
        return {
            "job_id": self.number,
            "run_id": self.run_id,
            "target_id": self.target_id,
            **self.swept,
            "n_data": self.job.data.n_data,
            "target_params": self.job.model.target_params,
            "seed": self.job.seed,
            "samplers": " ".join(sorted(self.job.sampler.names)),
            "overrides": " ".join(self.overrides),
        }


class Point(NamedTuple):
    """One combination of overrides, and where the sweep file says so."""

    where: str
    overrides: list[str]
    keys: list[str]  # the swept ones


def load(name: str, conf: Path, cwd: Path) -> list[SweepJob]:
    """Return the jobs of sweep ``name``.

    Parameters
    ----------
    name
        Of ``conf/sweep/NAME.yaml`` or ``NAME.csv``.
    conf
        The folder of configurations.
    cwd
        Where relative paths in the configuration start.

    Raises
    ------
    ConfigError
        Naming the file, and for every wrong job the key, the value and the fix.
    """
    file = _find(name, conf)
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        try:
            points = list(_csv_points(file) if file.suffix == ".csv" else _yaml_points(file, name))
        except (*COMPOSITION_ERRORS, YAMLError, csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: {explain(error)}") from None
        jobs, errors = [], []
        composer = _Composer()
        for number, point in enumerate(points):
            try:
                jobs.append(composer.job(number, point, cwd))
            except COMPOSITION_ERRORS as error:
                errors.append(f"{point.where}: {explain(error)}")
    if not points:
        errors.append("it has no jobs: give hydra.sweeper.params at least one value, or the CSV a row")
    if not errors:
        errors = _duplicates(jobs, points)
    if errors:
        more = [f"… and {len(errors) - ERRORS_SHOWN} more"] if len(errors) > ERRORS_SHOWN else []
        raise ConfigError("\n  ".join([f"{file}: nothing was started", *errors[:ERRORS_SHOWN], *more]))
    return jobs


def _find(name: str, conf: Path) -> Path:
    known = sorted(p for p in (conf / "sweep").glob("*") if p.suffix in (".yaml", ".csv"))
    found = [p for p in known if p.stem == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"sweep={name}: both {found[0]} and {found[1]} exist; rename one")
    names = [p.stem for p in known]
    raise ConfigError(
        f"sweep={name}: no {conf}/sweep/{name}.yaml or .csv, only {', '.join(names)}{nearest(name, names)}"
    )


def _parse_overrides(texts: list[str]) -> list[Override]:
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(config_loader=loader).parse_overrides(texts)


def _yaml_points(file: Path, name: str) -> Iterator[Point]:
    if "@package _global_" not in file.read_text(encoding="utf-8").split("\n", 1)[0]:
        raise ConfigError("its first line must be '# @package _global_', or its keys land under sweep:")
    base = f"+sweep={name}"
    params = compose("config", [base], return_hydra_config=True).hydra.sweeper.params
    if not params:
        raise ConfigError(f"hydra.sweeper.params is {params!r}: it must name the swept keys and their values")
    texts = [f"{key}={value}" for key, value in params.items()]
    check_keys(texts)
    axes = []
    for text, override in zip(texts, _parse_overrides(texts), strict=True):
        key = override.get_key_element()
        if not override.is_sweep_override():
            values = [] if override.is_delete() else [override.get_value_element_as_str()]
            axes.append([f"{key}={value}" for value in values] or [text])
        elif override.is_discrete_sweep():
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            raise ConfigError(f"{text}: an interval has no list of values; use choice(…) or range(…)")
        if not axes[-1]:
            raise ConfigError(f"{text}: it has no values")
    keys = [override.key_or_group for override in _parse_overrides(texts)]
    for number, combination in enumerate(itertools.product(*axes)):
        yield Point(f"job {number} ({' '.join(combination)})", [base, *combination], keys)


def _csv_points(file: Path) -> Iterator[Point]:
    with file.open(newline="", encoding="utf-8-sig") as stream:
        lines = csv.reader(stream, strict=True)
        header = [key.strip() for key in next(lines, [])]
        if not all(header) or len(set(header)) < len(header):
            raise ConfigError(f"line 1: {header} must be keys, each once, none empty")
        try:
            check_keys(f"{key}=0" for key in header)
        except ConfigError as error:
            raise ConfigError(f"line 1: {error}") from None
        for cells in lines:
            where = f"line {lines.line_num}"
            if not any(cell.strip() for cell in cells):
                raise ConfigError(f"{where}: an empty row; delete it, or give one key its default value")
            if len(cells) != len(header):
                raise ConfigError(f"{where}: {len(cells)} cells under {len(header)} keys")
            texts = [f"{key}={cell.strip()}" for key, cell in zip(header, cells, strict=True) if cell.strip()]
            try:
                swept = [override.input_line for override in _parse_overrides(texts) if override.is_sweep_override()]
            except HydraException as error:
                raise ConfigError(f"{where}: {error}") from None
            if swept:
                raise ConfigError(f"{where}: {swept[0]} has several values; a row is one job, quote a text with commas")
            yield Point(where, texts, [key.lstrip("+") for key in header])


class _Composer:
    """Composes each combination of config groups once, and sets plain values on a copy of it."""

    def __init__(self) -> None:
        self._composed: dict[tuple[str, ...], tuple[DictConfig, dict[str, Any]]] = {}
        # Hydra searches every folder each time, at 15 ms: ask once a key.
        self._is_group = lru_cache(GlobalHydra.instance().config_loader().get_group_options)

    def job(self, number: int, point: Point, cwd: Path) -> SweepJob:
        overrides = _parse_overrides(point.overrides)
        groups = tuple(str(o.input_line) for o in overrides if self._needs_hydra(o))
        if groups not in self._composed:
            composed = compose("config", list(groups), return_hydra_config=True)
            choices = OmegaConf.to_container(composed.hydra.runtime.choices)
            OmegaConf.set_struct(composed, False)
            del composed["hydra"]
            OmegaConf.set_struct(composed, True)
            self._composed[groups] = composed, choices  # type: ignore[assignment]
        composed, choices = self._composed[groups]
        config = deepcopy(composed)
        for override in overrides:
            if not self._needs_hydra(override):
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        job = parse(config, cwd)
        for key in ("stage", "target", "expect_id"):
            require(
                getattr(job, key) == getattr(Job(), key),
                key,
                getattr(job, key),
                "left out of a sweep: the workflow sets it",
            )
        swept = {key: _value(config, choices, key) for key in point.keys}
        return SweepJob(number, point.overrides, swept, job, run_id(job), target_id(job))

    def _needs_hydra(self, override: Override) -> bool:
        plain = override.type is not None and override.type.name == "CHANGE" and override.package is None
        return not plain or bool(self._is_group(override.key_or_group))


def _value(config: DictConfig, choices: dict[str, Any], key: str) -> Any:
    if key in choices:
        return choices[key]
    value = OmegaConf.select(config, key.split("@")[-1])
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _duplicates(jobs: list[SweepJob], points: list[Point]) -> list[str]:
    first: dict[str, int] = {}
    return [
        f"{points[job.number].where}: the same job as {points[first[job.run_id]].where}; remove one"
        for job in jobs
        if first.setdefault(job.run_id, job.number) != job.number
    ]


def main() -> None:
    """Write ``jobs.csv`` of a sweep: ``python -m llc.sweep NAME CONF FILE``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name")
    parser.add_argument("conf", type=Path)
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    from llc import summary

    try:
        jobs = load(args.name, args.conf, Path.cwd())
    except ConfigError as error:
        sys.exit(str(error))
    summary.write_jobs(args.file, [job.row() for job in jobs])


if __name__ == "__main__":
    main()
