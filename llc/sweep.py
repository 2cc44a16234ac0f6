"""A sweep file becomes jobs with run ids, all of them checked before the first one starts.

``conf/sweep/NAME.yaml`` is a Hydra configuration with ``hydra.sweeper.params``, so that
``train.py -m +sweep=NAME`` runs the same jobs; ``NAME.csv`` has a column per key and a row per
job. Hydra parses and composes both. Without JAX.
"""

from __future__ import annotations

import argparse
import csv
import sys
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from llc import points
from llc.compose import explain, parse, register_schema
from llc.config import ConfigError, Job, require
from llc.ids import run_id, target_id
from llc.points import Point

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
    file = points.find(name, conf)
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        try:
            found = points.read(file)
        except (*COMPOSITION_ERRORS, YAMLError, csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: {explain(error)}") from None
        jobs, errors = [], []
        composer = _Composer()
        for number, point in enumerate(found):
            try:
                jobs.append(composer.job(number, point, cwd))
            except COMPOSITION_ERRORS as error:
                errors.append(f"{point.where}: {explain(error)}")
    if not found:
        errors.append("it has no jobs: give hydra.sweeper.params at least one value, or the CSV a row")
    if not errors:
        errors = _duplicates(jobs, found)
    if errors:
        more = [f"… and {len(errors) - ERRORS_SHOWN} more"] if len(errors) > ERRORS_SHOWN else []
        raise ConfigError("\n  ".join([f"{file}: nothing was started", *errors[:ERRORS_SHOWN], *more]))
    return jobs


class _Composer:
    """Composes each combination of config groups once, and sets plain values on a copy of it."""

    def __init__(self) -> None:
        self._composed: dict[tuple[str, ...], tuple[DictConfig, dict[str, Any]]] = {}
        # Hydra searches every folder each time, at 15 ms: ask once a key.
        self._is_group = lru_cache(GlobalHydra.instance().config_loader().get_group_options)

    def job(self, number: int, point: Point, cwd: Path) -> SweepJob:
        overrides = points.parse_overrides(point.overrides)
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


def _duplicates(jobs: list[SweepJob], found: list[Point]) -> list[str]:
    first: dict[str, int] = {}
    return [
        f"{found[job.number].where}: the same job as {found[first[job.run_id]].where}; remove one"
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
