"""Files that tell Snakemake why something that exists must be made again. Without JAX.

A stamp is an input of just those jobs whose result it makes stale, so that ``snakemake -n``
names it: ``Updated input files: .cache/stale/llc/posterior.py``.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_of_this_process = set[Path]()


def stamp(folder: Path, why: str, result: Path) -> str:
    """Return the path of the stamp named ``why``, newer than the ``result`` that it makes stale.

    Each process writes its own: where results are put back that are older than a stamp, as from a copy, Snakemake
    remembers what was in that when it made them last.
    """
    path = folder / why
    for each in (path, result):
        not_ahead(each)
    known = path.absolute() in _of_this_process and path.exists()
    if not known or path.stat().st_mtime_ns <= result.stat().st_mtime_ns:
        _of_this_process.add(path.absolute())
        path.parent.mkdir(parents=True, exist_ok=True)
        now = time.time_ns()
        path.write_text(str(now))  # Snakemake also compares what is in it
        os.utime(path, ns=(now, now))  # a file system's own clock may be behind by a tick
    return path.as_posix()


def not_ahead(path: Path) -> None:
    """Date a file now that is dated in the future, as copies from a machine whose clock is ahead are.

    Snakemake takes it for newer than all that is made, and what is made of it for out of date.
    """
    now = time.time_ns()
    with suppress(OSError):
        if path.stat().st_mtime_ns > now:
            os.utime(path, ns=(now, now))
