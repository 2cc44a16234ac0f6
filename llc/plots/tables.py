"""The tables of a sweep as figures need them: estimates, failures, swept axes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from llc.plots.style import escape, is_long, number
from llc.tables.joblist import FIXED

NO_AXES = {"seed", "sampler.names"}  # replicates; and colours
TEXT = {"run_id", "sampler", "status", "reason", "code"}  # even where they look like numbers
LOG_FROM = 20.0  # ratio of its values above which an axis is logarithmic
KNOWN: dict[str, tuple[str, Any]] = {  # what is known of an estimate, and its line
    "llc_exact": ("exact at this n, β, γ", "-"),
    "llc_true": ("λ at w*", (0, (1, 1))),
}
LONGEST = 24  # letters of a value
# What a key is in the notation of the field: at an axis, with its unit, and in short, in a title.
NAMES = {
    "data.n_data": ("number of data $n$", "$n$"),
    "model.target_params": ("parameters asked for", "parameters"),
    "posterior.gamma": (r"localisation $\gamma$ (w$^{-2}$)", r"$\gamma$"),
    "posterior.beta": (r"inverse temperature $\beta$", r"$\beta$"),
    "posterior.beta0": (r"inverse temperature $\beta\,\log n$", r"$\beta\,\log n$"),
    "training.steps": ("training steps", "steps"),
    "checkpoint": ("steps of training", "step"),
    "training.learning_rate": ("learning rate", "learning rate"),
}
# The same of the settings of a sampler, by what its key ends with.
SETTINGS = {
    "step_size": (r"step size $\epsilon$ (w$^2$)", r"$\epsilon$"),
    "batch_size": ("batch size (rows)", "batch size"),
    "draws": ("draws per chain", "draws"),
    "budget": ("budget (gradients per chain)", "budget"),
}


@dataclass(frozen=True)
class Axis:
    """A swept key: its distinct values in order, numbers or texts."""

    key: str
    levels: tuple[Any, ...]

    @property
    def numeric(self) -> bool:
        """Whether all its values are numbers."""
        return all(isinstance(value, float) for value in self.levels)

    @property
    def log(self) -> bool:
        """Whether it spans decades."""
        return self.numeric and self.levels[0] > 0 and self.levels[-1] / self.levels[0] > LOG_FROM

    @property
    def label(self) -> str:
        """Return what it is, with the unit."""
        return self._names()[0]

    @property
    def short(self) -> str:
        """Return what it is, in short."""
        return self._names()[1]

    def _names(self) -> tuple[str, str]:
        *_, sampler, last = ["", *self.key.split(".")]
        if self.key.startswith("sampler.") and last in SETTINGS:
            long, short = SETTINGS[last]
            return f"{sampler} {long}", f"{sampler} {short}"
        return NAMES.get(self.key, (escape(self.key), escape(self.key)))

    def show(self, value: Any) -> str:
        """Return a value as a label."""
        if not isinstance(value, float):
            return escape(shorten(value))
        return number(value, powers=self.numeric and any(map(is_long, self.levels)))

    def place(self, column: Iterable[Any]) -> Float[np.ndarray, " n"]:
        """Return where values are along the axis: the logarithm, the number, or the place in the order."""
        if not self.numeric:
            order = {value: i for i, value in enumerate(self.levels)}
            return np.array([order[value] for value in column], float)
        numbers = np.array([*column], float)
        return np.log10(numbers) if self.log else numbers


def shorten(value: object, longest: int = LONGEST) -> str:
    """Return a value, without its middle if it is long."""
    text = str(value)
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


@dataclass(frozen=True)
class Tables:
    """Tables of one sweep: a row per estimate, a row per job without a result, and the axes."""

    name: str
    runs: Path  # the folder of the runs
    jobs: pd.DataFrame  # jobs.csv, as text
    estimates: pd.DataFrame  # with a column per axis, whose values are an axis' own
    failures: pd.DataFrame  # likewise
    axes: tuple[Axis, ...]

    @property
    def samplers(self) -> list[str]:
        """Return the samplers that have an estimate."""
        return sorted(set(self.estimates["sampler"]))

    @property
    def by(self) -> tuple[Axis, ...]:
        """Return what estimates are drawn against: the axes, or the seed where nothing else is swept."""
        return self.axes or (_axis("seed", pd.concat([self.estimates["seed"], self.failures["seed"]])),)


def read(folder: Path) -> Tables:
    """Read the tables of a sweep.

    Parameters
    ----------
    folder
        ``results/sweeps/NAME``, or ``results/sweeps/NAME/partial`` of an unfinished one.
    """
    own = folder.parent if folder.name == "partial" else folder
    jobs, estimates, failures = (
        pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in (own / "jobs.csv", folder / "estimates.csv", folder / "failures.csv")
    )
    swept = [key for key in jobs.columns if key not in FIXED | NO_AXES]
    failures = jobs[jobs["run_id"].isin(failures["run_id"])].merge(failures[["run_id", "reason", "log"]], on="run_id")
    axes = [axis for key in swept if len((axis := _axis(key, jobs[key])).levels) > 1]
    for column in (c for c in estimates.columns if c not in TEXT and c not in swept):
        estimates[column] = _numbers(estimates[column])
    by_run = jobs.set_index("run_id")
    for axis in axes:  # as the sweep has them: where some are empty, pandas has written 64 as 64.0
        for table in (estimates, failures):
            table[axis.key] = _values(table["run_id"].map(by_run[axis.key]), axis.numeric)
    for column in ("job_id", "seed"):
        failures[column] = pd.to_numeric(failures[column])
    return Tables(own.name, own.parent.parent / "runs", jobs, estimates, failures, tuple(axes))


def _axis(key: str, column: pd.Series) -> Axis:
    numbers = pd.to_numeric(column, errors="coerce")
    # Texts such as 1 and 01 are one number and two values.
    numeric = bool(numbers.map(math.isfinite).all()) and numbers.nunique() == column.nunique()
    values = dict.fromkeys(_values(column, numeric))
    return Axis(key, tuple(sorted(values) if numeric else values))


def _numbers(column: pd.Series) -> pd.Series:
    """Return a column as numbers, an empty cell as NaN, if it holds nothing else."""
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if (numbers.notna() | (column == "")).all() else column


def _values(column: pd.Series, numeric: bool) -> pd.Series:
    return column.astype(float) if numeric else column.map(lambda text: str(text) or "null")


def settings(table: pd.DataFrame, axes: Sequence[Axis]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Give each combination of the axes' values that is there, in order, and its rows."""
    if not axes:
        yield (), table
        return
    keys = [axis.key for axis in axes]
    groups = dict(iter(table.groupby(keys, sort=False)))
    order = [{value: i for i, value in enumerate(axis.levels)} for axis in axes]
    for key in sorted(groups, key=lambda key: [at[value] for at, value in zip(order, key, strict=True)]):
        yield key, groups[key]


def title(axes: Sequence[Axis], key: Sequence[Any]) -> str:
    """Return the title of a panel: the value of each axis, if it has a key."""
    texts = [f"{axis.short} = {axis.show(value)}" for axis, value in zip(axes, key, strict=False)]
    joined = ", ".join(texts)
    return joined if len(joined) < 50 else "\n".join(texts)


def file_name(*keys: str) -> str:
    """Return a file's name for swept keys, whatever is in them."""
    return "-".join(re.sub(r"[^\w.]+", "_", key) for key in keys)
