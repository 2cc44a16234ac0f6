"""R-hat, ESS and standard error of every estimate at a glance; nothing is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from llc.estimates.limits import ESS_MIN, MCSE_TARGET, RHAT_MAX
from llc.plots import style
from llc.plots.scales import log_ticks
from llc.plots.tables import Tables

LEAST = 1e-4  # R-hat − 1, as it is drawn: it may be 0 or below


class Row(NamedTuple):
    """One quantity, against the job."""

    label: str
    limit: float
    told: str  # the limit


ROWS = {
    "rhat": Row(r"$\hat R - 1$", RHAT_MAX - 1, f"limit {RHAT_MAX}"),
    "ess": Row("ESS (bulk, tail)", ESS_MIN, f"limit {ESS_MIN:.0f}"),
    "error": Row("standard error / |$\\hat\\lambda$|", MCSE_TARGET, f"aim {MCSE_TARGET:.0%}"),
}


def figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Give one figure, with a panel per quantity, all estimates against their job."""
    estimates = tables.estimates
    values = {
        "rhat": (estimates["rhat"] - 1).clip(lower=LEAST),
        "ess": estimates[["ess", "ess_tail"]].min(axis=1, skipna=False),
        "error": (estimates["llc_mcse"] / estimates["llc_mean"].abs()).replace(np.inf, np.nan),
    }
    figure = style.figure(5.4, hspace=0.09)  # room for what is above a panel
    panels = figure.subplots(len(ROWS), 1, sharex=True)
    jobs = [*estimates["job_id"], *tables.failures["job_id"]]
    for axes, (name, row) in zip(panels, ROWS.items(), strict=True):
        axes.set(yscale="log", ylabel=row.label)
        axes.axhline(row.limit, color="black", lw=0.8, linestyle=(0, (4, 2)), zorder=style.UNDER)
        axes.annotate(row.told, (1, row.limit), xycoords=axes.get_yaxis_transform(), xytext=(3, 0),
                      textcoords="offset points", va="center", fontsize=7)  # fmt: skip
        axes.grid(axis="y")
        _points(axes, estimates, values[name], tables.failures)
        log_ticks(axes, [*values[name].dropna(), row.limit])
    last = panels[-1]
    last.set_xlabel("job")
    last.set_xlim(min(jobs, default=0) - 0.6, max(jobs, default=0) + 0.6)
    last.xaxis.set_major_locator(MaxNLocator(integer=True))
    statuses = {*estimates["status"], *(["failed"] if len(tables.failures) else [])}
    style.legend(figure, [], statuses, *style.dots(tables.samplers))
    style.note(figure, _note(tables))
    yield "convergence", figure


def _points(axes: Axes, estimates: pd.DataFrame, values: pd.Series, failures: pd.DataFrame) -> None:
    """Draw all estimates, those that are not ok above the others; above the panel what has no value."""
    above = style.above(axes)
    n = len(set(estimates["sampler"]))
    for ok in (True, False):
        part = estimates[(estimates["status"] == "ok") == ok]
        for (sampler, status), rows in part.groupby(["sampler", "status"]):
            shift = 0.5 * ((sorted(set(estimates["sampler"])).index(sampler) + 0.5) / n - 0.5)
            x: Float[np.ndarray, " k"] = rows["job_id"].to_numpy(float) + shift
            y = values.loc[rows.index].to_numpy(float)
            there = np.isfinite(y)
            colour, size = style.colour(str(sampler)), 3.2 if len(estimates) < 400 else 2.2
            style.points(axes, x[there], y[there], str(status), colour, size, zorder=3 if ok else 4)
            style.points(axes, x[~there], np.ones((~there).sum()), str(status), colour, 3.4, **above)
    failed = failures["job_id"].astype(float).to_numpy()
    style.points(axes, failed, np.ones(len(failed)), "failed", "black", 5.0, **above)


def _note(tables: Tables) -> str:
    counts = tables.estimates["status"].value_counts()
    parts = [f"{count:,} {status}" for status, count in counts.items()]
    parts += [f"{style.plural(len(tables.failures), 'job')} failed"] if len(tables.failures) else []
    return f"{style.plural(len(tables.estimates), 'estimate')}: {', '.join(parts)}; above a panel: what has no value"
