"""λ̂ over the steps of training, above the loss there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from llc.estimates.limits import CI_WIDTH
from llc.plots import style
from llc.plots.tables import Axis, Tables, settings, title

KEY = "checkpoint"
PANELS = 4  # combinations of the other axes that get a column each; of more these are the first


def figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Give one figure where checkpoints of a training are swept."""
    for axis in tables.axes:
        if axis.key == KEY and axis.numeric:
            yield KEY, _figure(tables, axis, [other for other in tables.axes if other != axis])


def place(steps: Iterable[float]) -> Float[np.ndarray, " n"]:
    """Return where steps are drawn: the logarithm of 1 + step, as training begins at 0."""
    return np.log10(1 + np.array([*steps], float))


def _figure(tables: Tables, axis: Axis, others: Sequence[Axis]) -> Figure:
    panels = list(settings(tables.estimates, others))
    shown = panels[:PANELS]
    figure = style.figure(4.2, width=style.WIDTH if len(shown) > 1 else 4.8)
    grid = figure.subplots(2, len(shown), squeeze=False, sharex=True, sharey="row")
    seen: set[str] = set()
    for (key, estimates), above, below in zip(shown, *grid, strict=True):
        above.set_title(title(others, key))
        for sampler in tables.samplers:
            seen |= _estimates(above, estimates[estimates["sampler"] == sampler], sampler)
        above.axhline(0, color="black", lw=0.6, zorder=style.UNDER)
        _losses(below, estimates)
        for axes in (above, below):
            axes.grid(axis="y")
            axes.xaxis.set_major_locator(FixedLocator(place(axis.levels).tolist()))
            axes.xaxis.set_minor_locator(NullLocator())
        below.set_xticklabels([axis.show(step) for step in axis.levels], rotation=30, ha="right")
        below.set_xlabel("training steps, on the scale of log(1 + steps)")
    grid[0, 0].set_ylabel(r"LLC estimate $\hat\lambda$")
    grid[1, 0].set_ylabel(r"loss $L_n(w^*)$ (nats per row)")
    style.legend(figure, tables.samplers, seen, Line2D([], [], color="black", label="loss"))
    left = f"; {len(panels) - PANELS} more settings are not drawn" if len(panels) > PANELS else ""
    style.note(figure, f"a line for each seed, through all of its estimates; bar: 95 % interval of an estimate{left}")
    return figure


def _estimates(axes: Axes, own: pd.DataFrame, sampler: str) -> set[str]:
    """Draw a sampler's estimates, a line for each seed; return their statuses."""
    colour = style.colour(sampler)
    for _, rows in _by_seed(own.dropna(subset=["llc_mean"])):
        line: dict[str, Any] = {"color": colour, "linestyle": style.dashes(sampler), "zorder": style.order(sampler)}
        axes.plot(place(rows[KEY]), rows["llc_mean"], lw=0.8, **line)
        half = CI_WIDTH * rows["llc_mcse"].fillna(0.0)
        axes.errorbar(place(rows[KEY]), rows["llc_mean"], half, fmt="none", ecolor=colour, elinewidth=0.8)
    for status, rows in own.groupby("status"):
        lost = rows["llc_mean"].isna().to_numpy()
        x, y = place(rows[KEY]), rows["llc_mean"].to_numpy(float)
        style.points(axes, x[~lost], y[~lost], str(status), colour, 3.2)
        if lost.any():
            style.points(axes, x[lost], np.ones(lost.sum()), str(status), colour, **style.above(axes))
    return set(own["status"])


def _losses(axes: Axes, estimates: pd.DataFrame) -> None:
    # One and the same for all samplers of a run.
    for _, rows in _by_seed(estimates.drop_duplicates("job_id")):
        axes.plot(place(rows[KEY]), rows["loss_star"], color="black", lw=0.8, marker=".", ms=4)
    if (estimates["loss_star"] > 0).all():
        axes.set_yscale("log")


def _by_seed(rows: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
    yield from rows.sort_values(KEY).groupby("seed")
