"""A sweep file becomes jobs with run ids, all of them checked before the first one starts.

``conf/sweep/NAME.yaml`` is a Hydra configuration with ``hydra.sweeper.params``, so that
``train.py -m +sweep=NAME`` runs the same jobs; ``NAME.csv`` has a column per key and a row per
job. The jobs are kept, and only what is new is expanded again: by ``llc.sweeps.expand``, which is
imported then, and Hydra with it. Without JAX.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from llc.config import ConfigError, nearest, require
from llc.sweeps import sweep_cache
from llc.sweeps.sweepjob import SweepJob

NAME = re.compile(r"[A-Za-z]([\w .+-]*[\w+-])?", re.ASCII)
VALUES = ("true", "false", "null", "nan", "inf", "infinity")  # to Hydra or Snakemake, as numbers are


def names(conf: Path) -> list[str]:
    """Return the names of all sweeps."""
    return sorted({path.stem for path in _files(conf)})


def find(name: str, conf: Path) -> Path:
    """Return the file of a sweep, of which there must be exactly one."""
    must = f"letters, digits, spaces and _.+-, a letter first, and not {', '.join(VALUES)}; rename its file"
    require(bool(NAME.fullmatch(name)) and name.lower() not in VALUES, "sweep", name, must)
    found = [path for path in _files(conf) if path.stem == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"sweep={name}: both {found[0]} and {found[1]} exist; rename one")
    known = names(conf)
    raise ConfigError(
        f"sweep={name}: no {conf}/sweep/{name}.yaml or .csv, only {', '.join(known)}{nearest(name, known)}"
    )


def _files(conf: Path) -> list[Path]:
    return sorted(p for p in (conf / "sweep").glob("*") if p.suffix in (".yaml", ".csv") and p.is_file())


def load(name: str, conf: Path, cwd: Path, keep: Path | None = None) -> list[SweepJob]:
    """Return the jobs of sweep ``name``.

    Parameters
    ----------
    name
        Of ``conf/sweep/NAME.yaml`` or ``NAME.csv``.
    conf
        The folder of configurations.
    cwd
        Where relative paths in the configuration start.
    keep
        The folder where expanded sweeps are kept; None: expand it anew.

    Raises
    ------
    ConfigError
        Naming the file, and for every wrong job the key, the value and the fix.
    """
    file = find(name, conf)
    if keep is None:
        return _expand(file, conf, cwd, {})
    since, now = time.time_ns(), sweep_cache.fingerprint(file, conf, cwd)
    before = sweep_cache.read(keep / f"{name}.json", now)
    jobs = [SweepJob(**job) for job in before.jobs]
    if before.current:
        return jobs
    jobs = _expand(file, conf, cwd, {tuple(job.overrides): job for job in jobs})
    if sweep_cache.fingerprint(file, conf, cwd) == now:  # else an edit may be half in it
        sweep_cache.write(keep / f"{name}.json", now, [vars(job) for job in jobs], since)
    return jobs


def _expand(file: Path, conf: Path, cwd: Path, known: dict[tuple[str, ...], SweepJob]) -> list[SweepJob]:
    from llc.sweeps.expand import expand

    return expand(file, conf, cwd, known)
