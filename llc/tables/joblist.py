"""Reads back ``jobs.csv``, which says what a sweep consists of. Without JAX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from llc.records import BadRun

FIXED = {"job_id", "run_id", "target_id", "n_data", "target_params", "seed", "samplers", "overrides"}  # not swept keys
TEXT = {"run_id", "target_id", "samplers", "overrides"}  # even where all look like numbers
KINDS: tuple[tuple[Callable[[str], Any], str, str], ...] = (
    # what a text may be of, and its type where some cells are empty, and where none is
    (int, "Int64", "int64"),
    (float, "float64", "float64"),
    ({"True": True, "False": False}.__getitem__, "boolean", "bool"),
)


def read_jobs(path: Path) -> pd.DataFrame:
    """Read ``jobs.csv``, its numbers as such where they are written back as they were; an empty cell is nothing.

    Raises
    ------
    BadRun
        If it is not what a sweep has written.
    """
    try:
        jobs = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # of pandas and of UTF-8 alike
        raise BadRun(f"{path}: damaged ({error}); delete it and run the sweep again") from None
    if lost := {*TEXT, "job_id"} - {*jobs.columns}:
        raise BadRun(f"{path}: damaged (no {', '.join(sorted(lost))}); delete it and run the sweep again")
    return jobs.apply(lambda column: column if column.name in TEXT else _typed(column))


def _typed(column: pd.Series) -> pd.Series:
    """Return a column of texts as integers, numbers or truth values, if each text is just how Python writes one."""
    there = column != ""
    given = column[there]
    for of, some, all_ in KINDS:
        try:
            values = [of(text) for text in given]
            if [str(value) for value in values] == list(given) and all(value == value for value in values):  # no NaN
                return pd.Series(values, given.index, all_ if there.all() else some).reindex(column.index)
        except (ValueError, KeyError, OverflowError):
            continue
    return column.where(there)
