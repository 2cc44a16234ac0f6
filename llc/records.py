"""Run directories read back, and refused where they are not what a run wrote. Without JAX."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

METRICS = "metrics_summary.csv"
RUN_INFO = "run_info.json"
PAGE, MADE = "report.html", "made.json"  # of a sweep's figures: their page, and what they were made from
TEXT = ("sampler", "status", "reason")  # the columns of metrics_summary.csv that are not numbers
REMEDY = "delete {} and run the sweep again"

Value = str | int | float | None


class BadRun(ValueError):
    """A run directory that does not hold what it must. The message names the file and the fix."""


class Run(NamedTuple):
    """A finished run."""

    about: dict[str, Any]  # run_info.json
    estimates: dict[str, dict[str, Value]]  # metrics_summary.csv: the columns of each sampler


def read(folder: Path) -> Run:
    """Return what a run directory holds.

    Raises
    ------
    BadRun
        If a file is missing, cut short, or not the one that the run wrote.
    """
    about = read_info(folder)
    for name, wrong in damage(folder, about):
        raise BadRun(f"{folder / name}: {wrong}; {REMEDY.format(folder)}")
    for name, file in about["files"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != file["sha256"]:
            raise BadRun(f"{folder / name}: edited since the run wrote it; {REMEDY.format(folder)}")
    return Run(about, read_metrics(folder / METRICS))


def read_info(folder: Path) -> dict[str, Any]:
    """Return ``run_info.json``, once it is sure to be one."""
    path = folder / RUN_INFO
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wanted = {"run_id": str, "code": dict, "files": dict, "target": dict, "timings_s": dict, "threads": int}
        wrong = [key for key, kind in wanted.items() if not isinstance(about[key], kind)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRun(f"{path}: not readable ({error!r}); {REMEDY.format(folder)}") from None
    if wrong or set(about["files"]) != {METRICS, "config.yaml", "traces.nc"}:
        raise BadRun(f"{path}: damaged ({', '.join(wrong or ['files'])}); {REMEDY.format(folder)}")
    return about


def damage(folder: Path, about: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the files of a run that are gone or have another size, and what is wrong with each."""
    found = []
    for name, file in about["files"].items():
        try:
            size = (folder / name).stat().st_size
        except OSError:
            found.append((name, "missing"))
            continue
        if size != file["bytes"]:
            found.append((name, f"cut short or edited: {size} bytes, the run wrote {file['bytes']}"))
    return found


def read_metrics(path: Path) -> dict[str, dict[str, Value]]:
    """Return ``metrics_summary.csv``: the columns of each sampler."""
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return {str(row.pop("sampler")): {k: v if k in TEXT else _number(v) for k, v in row.items()} for row in rows}


def _number(text: str) -> int | float | None:
    """Return a cell as it was written: pandas' own reader may be off by the last bit."""
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)
