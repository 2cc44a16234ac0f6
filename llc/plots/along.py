"""λ̂ against each swept axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llc.estimates.limits import CI_WIDTH
from llc.plots import style
from llc.plots.scales import room, set_x, set_y, x_of, y_limits
from llc.plots.tables import KNOWN, Axis, Tables, file_name, settings, title

PANELS = 12  # combinations of the other axes that get a panel each; more share one
BARS = 8  # replicates with an error bar each; of more the bar is of their mean
TOP, BOTTOM = 0.975, 0.025  # of the panel: where what is beyond the limits is marked


class Look(NamedTuple):
    """What the panels of a figure share."""

    axis: Axis
    limits: tuple[float, float] | None
    crowded: bool  # different settings of the other axes share a panel
    width: float  # of one sampler's estimates at a value, in the units of ``Axis.place``
    samplers: list[str]
    raster: bool  # there are too many points for each to be a vector


def figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Give a figure for each axis, with a panel for each combination of the others."""
    for axis in tables.by:
        others = [other for other in tables.by if other != axis]
        panels = list(settings(tables.estimates, others))
        crowded = len(panels) > PANELS
        width = room(axis) / max(len(tables.samplers), 2)
        raster = len(tables.estimates) > style.MANY
        look = Look(axis, y_limits(tables.estimates), crowded, width, tables.samplers, raster)
        yield file_name(axis.key), _figure(tables, look, others, [((), tables.estimates)] if crowded else panels)


def _figure(
    tables: Tables, look: Look, others: Sequence[Axis], panels: Sequence[tuple[tuple[Any, ...], pd.DataFrame]]
) -> Figure:
    n = len(panels)
    columns = n if n <= 4 else 4 if n > 9 or n == 8 else 3
    rows = -(-n // columns)
    long = len(look.axis.levels) > 10
    figure = style.figure(0.9 + (2.5 if rows == 1 else 1.8) * rows, width=style.WIDTH if columns > 1 or long else 4.8)
    seen: set[str] = set()
    known: set[str] = set()
    grid = style.grid(figure, n, columns, sharey=True)
    for i, (axes, (key, estimates)) in enumerate(zip(grid, panels, strict=True)):
        failed = tables.failures
        for other, value in zip(others, key, strict=False):
            failed = failed[failed[other.key] == value]
        lost = len(failed) or estimates["llc_mean"].isna().any()
        axes.set_title(title(others, key), pad=2 * style.ABOVE if lost else 4)
        axes.grid(axis="y")
        set_y(axes, look.limits)
        set_x(axes, look.axis, inches=figure.get_figwidth() / columns - 0.5)
        known |= _known(axes, look.axis, estimates)
        for j, sampler in enumerate(look.samplers):
            shift = look.width * (j - (len(look.samplers) - 1) / 2)
            seen |= _sampler(axes, look, estimates[estimates["sampler"] == sampler], sampler, shift)
        seen |= _failed(axes, look.axis, failed)
        if i + columns >= n:
            axes.set_xlabel(look.axis.label)
        if i % columns == 0:
            axes.set_ylabel(r"LLC estimate $\hat\lambda$")
    lines = [Line2D([], [], color="black", lw=1, ls=KNOWN[k][1], label=KNOWN[k][0]) for k in KNOWN if k in known]
    style.legend(figure, tables.samplers, seen, *lines)
    style.note(figure, _note(tables, look, others))
    return figure


def spread(own: pd.DataFrame, axis: Axis) -> Float[np.ndarray, " n"]:
    """Return −½ … ½ for the replicates at each value, in the order of the jobs: side by side, not at random."""
    rank = own.groupby(axis.key).cumcount().to_numpy(float)
    count = own.groupby(axis.key)[axis.key].transform("size").to_numpy(float)
    return (rank + 0.5) / count - 0.5


def _sampler(axes: Axes, look: Look, own: pd.DataFrame, sampler: str, shift: float) -> set[str]:
    """Draw a sampler's estimates and the line through the means of the ok ones; return their statuses."""
    if own.empty:
        return set()
    axis, colour = look.axis, style.colour(sampler)
    many = int(own.groupby(axis.key).size().max()) > BARS
    x = x_of(axis, axis.place(own[axis.key]) + shift + 0.7 * look.width * spread(own, axis))
    y = own["llc_mean"].to_numpy(float)
    if not many:
        half = CI_WIDTH * own["llc_mcse"].fillna(0.0).to_numpy(float)
        axes.errorbar(x, y, half, fmt="none", ecolor=colour, elinewidth=0.8, capsize=1.5, capthick=0.8, zorder=2)
    statuses = own["status"].to_numpy()
    for status in dict.fromkeys(statuses):
        at = statuses == status
        faint = {"size": 2.2, "alpha": 0.35} if many and status == "ok" else {"size": 3.2}
        style.points(axes, x[at], y[at], status, colour, rasterized=look.raster, **faint)
        _outside(axes, x[at], y[at], own[axis.key].to_numpy()[at], status, colour, look.limits)
    ok = own[own["status"] == "ok"].groupby(axis.key)["llc_mean"]
    values = [value for value in axis.levels if value in ok.groups]
    if not values or (axis.key == "seed" and not look.crowded):
        return set(statuses)
    middle, low, high = (part.loc[values].to_numpy(float) for part in _middle(ok, look.crowded))
    at = x_of(axis, axis.place(values))
    if axis.numeric:
        axes.plot(at, middle, color=colour, linestyle=style.dashes(sampler), zorder=style.order(sampler))
    else:  # texts have no order that a line could follow
        at = x_of(axis, axis.place(values) + shift)
        axes.plot(at, middle, color=colour, linestyle="none", marker="_", ms=11, zorder=2.5)
    if many:
        at = x_of(axis, axis.place(values) + shift)
        axes.errorbar(at, middle, [middle - low, high - middle], fmt="_", color=colour, elinewidth=1.3, ms=6, zorder=4)
    return set(statuses)


def _middle(ok: Any, crowded: bool) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return the median and the middle 90 % of different settings, or the mean of replicates and its 95 % interval."""
    if crowded:
        return ok.median(), ok.quantile(0.05), ok.quantile(0.95)
    mean, half = ok.mean(), CI_WIDTH * ok.std(ddof=1).fillna(0.0) / np.sqrt(ok.size())
    return mean, mean - half, mean + half


def _outside(
    axes: Axes,
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    values: np.ndarray,
    status: str,
    colour: str,
    limits: tuple[float, float] | None,
) -> None:
    """Mark at the edge what has no value or one beyond the limits: none is left out."""
    low, high = limits or (-np.inf, np.inf)
    at = np.isnan(y)
    if at.any():
        style.points(axes, x[at], np.ones(at.sum()), status, colour, **style.above(axes))
    for at, height, arrow in ((y > high, TOP, "↑"), (y < low, BOTTOM, "↓")):
        if at.any():
            style.points(axes, x[at], np.full(at.sum(), height), status, colour, **style.at_edge(axes))
        for value in dict.fromkeys(values[at]):
            last = x[at & (values == value)].max()
            axes.annotate(
                arrow, (last, height), xycoords=axes.get_xaxis_transform(), xytext=(2.5, 0), textcoords="offset points",
                fontsize=7, color=colour, va="center", annotation_clip=False, in_layout=False,
            )  # fmt: skip


def _failed(axes: Axes, axis: Axis, failed: pd.DataFrame) -> set[str]:
    """Mark jobs without a result above the panel."""
    if failed.empty:
        return set()
    x = x_of(axis, axis.place(failed[axis.key]) + room(axis) * spread(failed, axis))
    style.points(axes, x, np.ones(len(x)), "failed", "black", 5.0, **style.above(axes))
    return {"failed"}


def _known(axes: Axes, axis: Axis, rows: pd.DataFrame) -> set[str]:
    """Draw what is known: a level line where it is one number, else along the axis."""
    drawn = set()
    for column, (_, dashes) in KNOWN.items():
        known = rows.dropna(subset=[column])
        if known.empty:
            continue
        drawn.add(column)
        line: dict[str, Any] = {"color": "black", "linestyle": dashes, "lw": 1, "zorder": style.UNDER}
        means = known.groupby(axis.key)[column].mean()
        values = [value for value in axis.levels if value in means.index]
        places = axis.place(values)
        if len(set(known[column])) == 1:
            axes.axhline(known[column].iloc[0], **line)
        elif axis.key == "seed" or not axis.numeric:
            half = 0.6 * room(axis)
            axes.hlines(means.loc[values], x_of(axis, places - half), x_of(axis, places + half), **line)
        else:
            axes.plot(x_of(axis, places), means.loc[values], **line)
    return drawn


def _note(tables: Tables, look: Look, others: Sequence[Axis]) -> str:
    groups = tables.estimates.groupby(
        ["sampler", look.axis.key, *([] if look.crowded else [other.key for other in others])]
    ).size()
    most, least = (int(groups.max()), int(groups.min())) if len(groups) else (0, 0)
    seeds = style.plural(most, "seed") if most == least else f"{least} to {most} seeds"
    parts = [style.plural(len(tables.estimates), "estimate")]
    if look.crowded:
        parts.append(f"line and bar: median and middle 90 % of the ok ones, {most} at most, of all other settings")
    elif most > BARS:
        parts.append(f"line and bar: mean of the ok ones over {seeds} and its 95 % interval")
    else:
        parts.append("bar: 95 % interval of an estimate (1.96 standard errors)")
        if most > 1:
            parts.append(f"{'line' if look.axis.numeric else 'dash'}: mean of the ok ones over {seeds}")
    return "; ".join(parts)
