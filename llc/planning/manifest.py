"""What the tables of a sweep are and which runs they are of, so that others in their place are known. Without JAX."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llc.files import write_json

TABLES = "tables.json"
BEFORE = "before"  # the folder of a sweep's tables that are no longer its own
PAGE, MADE = "report.html", "made.json"  # of a sweep's figures: their page, and what they were made from


def write(folder: Path, tables: Iterable[str], runs: Mapping[str, str], jobs: str) -> None:
    """Write down what there is in the ``folder`` of a sweep's tables.

    Parameters
    ----------
    tables
        Their names.
    runs
        The digest of what each run has found, by its id.
    jobs
        The text of ``jobs.csv``.
    """
    of_tables = {name: digest(folder / name) for name in tables}
    write_json(folder / TABLES, {"tables": of_tables, "runs": _of(runs), "jobs": _sha256(jobs)})


def intact(folder: Path, runs: Mapping[str, str], jobs: str) -> bool:
    """Return whether the tables are those that were written, of the same jobs, whose runs found the same."""
    try:
        tables = _read(folder)["tables"].items()
        return of_same_runs(folder, runs, jobs) and all(digest(folder / name) == wanted for name, wanted in tables)
    except (OSError, KeyError, AttributeError):
        return False


def of_same_runs(folder: Path, runs: Mapping[str, str], jobs: str) -> bool:
    """Return whether the tables were made of the same jobs, whose runs found the same."""
    about = _read(folder)
    return about.get("runs") == _of(runs) and about.get("jobs") == _sha256(jobs)


def _read(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / TABLES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _of(runs: Mapping[str, str]) -> str:
    return _sha256(json.dumps(runs, sort_keys=True))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
