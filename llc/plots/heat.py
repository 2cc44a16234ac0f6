"""λ̂ and status over two hyperparameters of a sampler: where it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from llc.plots import style
from llc.plots.scales import letters, y_limits
from llc.plots.tables import Axis, Tables, file_name, settings, title

SETTINGS = 4  # combinations of the other axes that get a row each; more are pooled
WRITTEN = 12  # cells along an axis with which each has its number written in it
TICKS = 16  # values that are written at an axis
SHARE = LinearSegmentedColormap.from_list("share", ["#9A9A9A", "white"])
DEVIATION = 0.5  # of λ̂ from what is known, at which the colours end


def figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Give a figure for each sampler and each two of its own and the posterior's swept keys."""
    for sampler in tables.samplers:
        own = [a for a in tables.axes if a.key.startswith((f"sampler.{sampler}.", "posterior."))]
        for x, y in combinations(own, 2):
            yield file_name(sampler, x.key, y.key), _figure(tables, sampler, x, y)


def _figure(tables: Tables, sampler: str, x: Axis, y: Axis) -> Figure:
    others = [axis for axis in tables.axes if axis not in (x, y)]
    own = tables.estimates[tables.estimates["sampler"] == sampler]
    parts = list(settings(own, others))
    pooled = len(parts) > SETTINGS
    if pooled:
        parts = [((), own)]
    across, down = len(x.levels), len(y.levels)
    height = min(max(1.5, 0.3 * down + 0.6), 3.2)
    figure = style.figure((height + 0.55) * len(parts) + 0.6)
    grid = figure.subplots(len(parts), 2, squeeze=False)
    norm, colours, label = _scale(own)
    seen: set[str] = set()
    for (left, right), (key, rows) in zip(grid, parts, strict=True):
        shown = _cells(rows, x, y)
        failed = tables.failures
        for other, value in zip(others, key, strict=False):
            failed = failed[failed[other.key] == value]
        image = left.imshow(shown["value"], norm=norm, cmap=colours, origin="lower", aspect="auto")
        figure.colorbar(image, ax=left, label=label, extend="both" if isinstance(norm, TwoSlopeNorm) else "neither")
        share = right.imshow(shown["ok"], vmin=0, vmax=1, cmap=SHARE, origin="lower", aspect="auto")
        figure.colorbar(share, ax=right, label="share of estimates that are ok")
        for axes, texts in ((left, shown["text"]), (right, shown["count"])):
            _frame(axes, x, y)
            if max(across, down) <= WRITTEN:
                _write(axes, texts)
            axes.set_title(title(others, key))
        seen |= _mark(right, rows, failed, x, y)
    style.legend(figure, [], seen)
    n = f"{style.plural(len(own), 'estimate')} of {sampler}"
    over = "seeds and " + ", ".join(axis.short for axis in others) if pooled and others else "seeds"
    style.note(
        figure,
        f"{n}; left: mean of the ok ones over {over}, of all where none is ok; right: n of N that are ok if not all",
    )
    return figure


def _scale(own: pd.DataFrame) -> tuple[Normalize, str, str]:
    """Return the colours: of the deviation from what is known, or of λ̂."""
    if _reference(own).notna().all():
        return TwoSlopeNorm(0.0, -DEVIATION, DEVIATION), "PuOr", r"$\hat\lambda$ / exact − 1"
    low, high = y_limits(own) or (0.0, 1.0)
    if low > 0 and high / low > 20:
        return LogNorm(low, high), "viridis", r"LLC estimate $\hat\lambda$"
    return Normalize(low, high), "viridis", r"LLC estimate $\hat\lambda$"


def _reference(rows: pd.DataFrame) -> pd.Series:
    return rows["llc_exact"].fillna(rows["llc_true"])


def _cells(rows: pd.DataFrame, x: Axis, y: Axis) -> dict[str, Any]:
    """Return what each cell shows, all (len(y.levels), len(x.levels))."""
    shape = len(y.levels), len(x.levels)
    value, share = np.full(shape, np.nan), np.full(shape, np.nan)
    text, count = np.full(shape, "", object), np.full(shape, "", object)
    relative = bool(_reference(rows).notna().all())
    for (at_x, at_y), cell in rows.groupby([x.key, y.key]):
        i, j = y.levels.index(at_y), x.levels.index(at_x)
        ok = cell[cell["status"] == "ok"]
        share[i, j] = len(ok) / len(cell)
        if len(ok) < len(cell):
            count[i, j] = f"{len(ok)}/{len(cell)}"
        used = (ok if len(ok) else cell).dropna(subset=["llc_mean"])
        if len(used):
            mean = used["llc_mean"].mean()
            value[i, j] = (used["llc_mean"] / _reference(used)).mean() - 1 if relative else mean
            text[i, j] = f"{mean:.3g}"
    return {"value": value, "ok": share, "text": text, "count": count}


def _frame(axes: Axes, x: Axis, y: Axis) -> None:
    for axis, along, name in ((x, axes.xaxis, axes.set_xlabel), (y, axes.yaxis, axes.set_ylabel)):
        every = -(-len(axis.levels) // TICKS)
        along.set_ticks(range(0, len(axis.levels), every), [axis.show(value) for value in axis.levels[::every]])
        name(axis.label)
    labels = [axis.get_text() for axis in axes.get_xticklabels()]
    if sum(map(letters, labels)) + 2 * len(labels) > 38:
        axes.tick_params(axis="x", rotation=90)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.patch.set(facecolor="white", hatch="////", edgecolor="#BBBBBB")  # where there is nothing


def _write(axes: Axes, texts: Any) -> None:
    """Write each cell's text, dark on light and light on dark."""
    (image,) = axes.images
    data: Float[np.ndarray, "rows columns"] = np.ma.filled(np.ma.asarray(image.get_array()), np.nan)
    for (i, j), text in np.ndenumerate(texts):
        if text:
            red, green, blue, _ = image.to_rgba(data[i, j]) if np.isfinite(data[i, j]) else (1, 1, 1, 1)
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")


def _mark(axes: Axes, rows: pd.DataFrame, failed: pd.DataFrame, x: Axis, y: Axis) -> set[str]:
    """Mark in each cell the statuses that are not ok, and jobs without a result."""
    found: dict[tuple[int, int], list[str]] = {}
    table = pd.concat([rows[[x.key, y.key, "status"]], failed[[x.key, y.key]].assign(status="failed")])
    for at_x, at_y, status in table.drop_duplicates().itertuples(index=False):
        if status != "ok":
            found.setdefault((y.levels.index(at_y), x.levels.index(at_x)), []).append(status)
    for (i, j), statuses in found.items():
        for k, status in enumerate(statuses):
            at = j + (k - (len(statuses) - 1) / 2) / (len(statuses) + 1)
            style.points(axes, [at], [i - 0.3], status, "#D55E00", 3.0, zorder=4)
    return {status for statuses in found.values() for status in statuses}
