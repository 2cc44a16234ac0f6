"""Scales, limits and ticks."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from llc.estimates.limits import CI_WIDTH
from llc.plots.style import number
from llc.plots.tables import KNOWN, LOG_FROM, Axis

LETTER = 0.062  # inches, of a tick label's letter
WRITTEN = 40  # texts at an axis; of more only some


def room(axis: Axis) -> float:
    """Return how wide the estimates at one value may spread, in the units of ``Axis.place``."""
    places = axis.place(axis.levels)
    return 0.6 * min(float(np.diff(places).min()), 0.2 * float(np.ptp(places))) if len(places) > 1 else 0.5


def x_of(axis: Axis, places: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the coordinates of places along an axis."""
    return 10.0**places if axis.log else places


def y_limits(estimates: pd.DataFrame) -> tuple[float, float] | None:
    """Return limits for λ̂: of the ``ok`` estimates and the known values, and others that are near these.

    None if nothing has a value. One run that is far off leaves the others readable.
    """
    ok = estimates[estimates["status"] == "ok"]
    shown = ok if ok["llc_mean"].notna().any() else estimates
    error = CI_WIDTH * shown["llc_mcse"].fillna(0.0)
    values = pd.concat([shown["llc_mean"] - error, shown["llc_mean"] + error, *(estimates[k] for k in KNOWN)]).dropna()
    if values.empty:
        return None
    low, high = float(values.min()), float(values.max())
    reach = high - low or abs(high) or 1.0
    near = estimates["llc_mean"].dropna()
    near = near[(near > low - reach) & (near < high + reach)]
    low, high = min([low, *near]), max([high, *near])
    if is_log((low, high)):
        return low / 1.2, high * 1.2
    return low - 0.06 * (high - low or reach), high + 0.06 * (high - low or reach)


def is_log(limits: tuple[float, float]) -> bool:
    """Return whether limits span decades."""
    return limits[0] > 0 and limits[1] / limits[0] > LOG_FROM


def set_y(axes: Axes, limits: tuple[float, float] | None) -> None:
    """Set the scale and limits of λ̂."""
    if limits is not None:
        axes.set_yscale("log" if is_log(limits) else "linear")
        axes.set_ylim(limits)


def set_x(axes: Axes, axis: Axis, inches: float) -> None:
    """Set scale, limits and ticks: the values themselves where they have room, else what the scale says."""
    places = axis.place(axis.levels)
    axes.set_xscale("log" if axis.log else "linear")
    margin = 1.1 * room(axis)
    axes.set_xlim(*x_of(axis, np.array([places[0] - margin, places[-1] + margin])))
    labels = [axis.show(value) for value in axis.levels]
    if axis.numeric and not _fit(labels, places, inches):
        if not axis.log and all(value.is_integer() for value in axis.levels):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return
    every = -(-len(labels) // WRITTEN)
    axes.xaxis.set_major_locator(FixedLocator(x_of(axis, places)[::every].tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    turned = not _fit(labels, places, inches)
    axes.set_xticklabels(
        labels[::every], rotation=30 if turned else 0, ha="right" if turned else "center", rotation_mode="anchor"
    )


def letters(label: str) -> int:
    """Return how many letters a label shows, formulas included."""
    return len(re.sub(r"\\times", "×", re.sub(r"[${}^\\]", "", label)))


def _fit(labels: list[str], places: Float[np.ndarray, " n"], inches: float) -> bool:
    """Return whether labels at these places do not touch each other."""
    if len(places) == 1:
        return bool(letters(labels[0]) * LETTER < inches)
    at = (places - places[0]) / np.ptp(places) * 0.9 * inches
    half = np.array([letters(label) for label in labels]) * LETTER / 2
    return bool((np.diff(at) > half[1:] + half[:-1] + 0.08).all())


def inside(values: pd.Series, limits: tuple[float, float]) -> pd.Series:
    """Return values, at the edge where they are beyond the limits."""
    return values.clip(*limits)


def log_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Give a logarithmic y axis limits around the values, and ticks with plain numbers, a few in any case."""
    low, high = min(values), max(values)
    room = 1.25 if low < high else 2.0
    axes.set_ylim(low / room, high * room)
    few = math.log10(high / low) < 1.5
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
