"""Samplers against each other: the same posterior, so the same λ̂ but for their errors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llc.estimates.limits import CI_WIDTH
from llc.plots import style
from llc.plots.scales import inside, is_log, y_limits
from llc.plots.tables import Tables, file_name

# The one that the others are held against: the first of these that is there.
REFERENCE = ("gibbs", "nuts", "hmc", "mclmc", "sgld")
SHOWN = 6.0  # standard errors
CLOSE = 2.0


def figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Give one figure, of all samplers beside the reference, if there are two."""
    known = [name for name in REFERENCE if name in tables.samplers]
    reference, *_ = [*known, *tables.samplers, ""]
    pairs = {name: _pairs(tables.estimates, reference, name) for name in tables.samplers if name != reference}
    pairs = {name: pair for name, pair in pairs.items() if len(pair)}
    limits = y_limits(tables.estimates)
    if pairs and limits is not None:
        yield file_name(reference), _figure(reference, pairs, limits)


def _pairs(estimates: pd.DataFrame, reference: str, other: str) -> pd.DataFrame:
    """Return the jobs that both samplers have an estimate of, ``x`` of the reference and ``y`` of the other."""
    columns = ["job_id", "llc_mean", "llc_mcse", "status"]
    x, y = (estimates.loc[estimates["sampler"] == name, columns] for name in (reference, other))
    both = x.merge(y, on="job_id", suffixes=("_x", "_y"))
    # A pair is only as good as the worse of the two.
    both["status"] = both["status_y"].where(both["status_y"] != "ok", both["status_x"])
    both["z"] = (both["llc_mean_y"] - both["llc_mean_x"]) / np.hypot(both["llc_mcse_x"], both["llc_mcse_y"])
    return both


def _figure(reference: str, pairs: dict[str, pd.DataFrame], limits: tuple[float, float]) -> Figure:
    n = len(pairs)
    figure = style.figure(4.3, width=min(style.WIDTH, 2.2 + 2.3 * n))
    grid = figure.subplots(2, n, squeeze=False, sharex=True, sharey="row", height_ratios=(2, 1))
    there = {name: both.dropna(subset=["llc_mean_x", "llc_mean_y"]) for name, both in pairs.items()}
    for (upper, lower), (name, both) in zip(grid.T, there.items(), strict=True):
        _pair(upper, lower, both, style.colour(name), limits)
        upper.set_title(f"{style.escape(name)}\n{_told(both)}")
        lower.set_xlabel(rf"$\hat\lambda$ of {style.escape(reference)}")
    grid[0, 0].set_ylabel(r"LLC estimate $\hat\lambda$")
    grid[1, 0].set_ylabel("difference\n(standard errors)")
    style.legend(figure, [], {status for both in there.values() for status in both["status"]})
    count, drawn = (sum(map(len, found.values())) for found in (pairs, there))
    lost = f"; {count - drawn} more have no value, as a sampler diverged" if count > drawn else ""
    style.note(
        figure,
        f"{style.plural(drawn, 'pair')} of estimates{lost}; bars: 95 % intervals; grey: ±{CLOSE:.0f} standard errors; "
        "what is beyond a panel is at its edge",
    )
    return figure


def _pair(upper: Axes, lower: Axes, both: pd.DataFrame, colour: str, limits: tuple[float, float]) -> None:
    """Draw λ̂ against λ̂ above, and their difference below."""
    scale = "log" if is_log(limits) else "linear"
    upper.set(xscale=scale, yscale=scale, xlim=limits, ylim=limits)
    upper.plot(limits, limits, color="black", lw=0.7, zorder=style.UNDER)
    upper.grid()
    lower.set_ylim(-1.08 * SHOWN, 1.08 * SHOWN)
    lower.axhline(0, color="black", lw=0.7, zorder=style.UNDER)
    lower.axhspan(-CLOSE, CLOSE, color="#EEEEEE", zorder=0)
    x, y = inside(both["llc_mean_x"], limits), inside(both["llc_mean_y"], limits)
    if len(both) <= style.MANY:
        up, across = (CI_WIDTH * both[column].fillna(0.0) for column in ("llc_mcse_y", "llc_mcse_x"))
        upper.errorbar(x, y, up, across, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.6, zorder=2)
    z = both["z"].clip(-SHOWN, SHOWN)
    for status in dict.fromkeys(both["status"]):
        at = both["status"] == status
        style.points(upper, x[at], y[at], status, colour, 3.0, clip_on=False)
        style.points(lower, x[at], z[at], status, colour, 3.0, clip_on=False)


def _told(both: pd.DataFrame) -> str:
    """Return in how many pairs that are ok the two agree."""
    z = both.loc[both["status"] == "ok", "z"].dropna()
    return f"{int((z.abs() <= CLOSE).sum())} of {len(z)} ok within {CLOSE:.0f} SE" if len(z) else "no pair is ok"
