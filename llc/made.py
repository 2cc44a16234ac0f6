"""What the tables of a sweep are and which runs they are of, so that others in their place are known. Without JAX."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llc.artifacts import write_json

TABLES = "tables.json"


def note(folder: Path, tables: Iterable[str], runs: Mapping[str, str]) -> None:
    """Write down what there is in the ``folder`` of a sweep's tables.

    Parameters
    ----------
    tables
        Their names.
    runs
        The digest of what each run has found, by its id.
    """
    write_json(folder / TABLES, {"tables": {name: digest(folder / name) for name in tables}, "runs": _of(runs)})


def as_noted(folder: Path, runs: Mapping[str, str]) -> bool:
    """Return whether the tables are those that were written, of runs that found the same."""
    try:
        about: dict[str, Any] = json.loads((folder / TABLES).read_text(encoding="utf-8"))
        tables = all(digest(folder / name) == wanted for name, wanted in about["tables"].items())
        return tables and about["runs"] == _of(runs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _of(runs: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(runs, sort_keys=True).encode()).hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
