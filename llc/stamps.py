"""Files that tell Snakemake why something that exists must be made again. Without JAX.

A stamp is an input of just those jobs whose result it makes stale, so that ``snakemake -n``
names it: ``Updated input files: .cache/stale/llc/posterior.py``.
"""

from __future__ import annotations

import time
from pathlib import Path


def stamp(folder: Path, why: str, result: Path) -> str:
    """Return the path of the stamp named ``why``, newer than the ``result`` that it makes stale."""
    path = folder / why
    if not path.exists() or path.stat().st_mtime_ns <= result.stat().st_mtime_ns:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(time.time_ns()))  # Snakemake also compares what is in it
    return path.as_posix()
