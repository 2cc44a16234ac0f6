"""λ̂ against what is known, where that differs from job to job."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from llc.estimates.limits import CI_WIDTH
from llc.plots import style
from llc.plots.tables import LOG_FROM, Tables
from llc.tables.accuracy import CONVERGED, with_gibbs

SHOWN = 0.5  # of the deviation; beyond, it is marked at the edge
# The best reference first.
LABELS = {"llc_exact": "exact value at this n, β, γ", CONVERGED: "exact sampler (gibbs)", "llc_true": "λ at w*"}


def figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Give one figure, with a panel per sampler, for the best reference that there is."""
    table = with_gibbs(tables.estimates)
    for reference, label in LABELS.items():
        rows = table[table[reference].notna() & (table[reference] != 0) & (table["sampler"] != reference)]
        if len(set(rows[reference])) > 1:
            yield reference, _figure(rows, reference, label)
            return


def _figure(rows: pd.DataFrame, reference: str, label: str) -> Figure:
    samplers = sorted(set(rows["sampler"]))
    columns = min(len(samplers), 4)
    figure = style.figure(0.9 + 2.3 * -(-len(samplers) // columns), width=min(style.WIDTH, 2.2 + 2.3 * columns))
    deviation = rows["llc_mean"] / rows[reference] - 1
    reach = float(np.clip(1.15 * deviation[rows["status"] == "ok"].abs().max(), 0.02, SHOWN))  # NaN: none is ok
    reach = reach if np.isfinite(reach) else SHOWN
    log = rows[reference].min() > 0 and rows[reference].max() / rows[reference].min() > LOG_FROM
    for i, (axes, sampler) in enumerate(
        zip(style.grid(figure, len(samplers), columns, sharex=True, sharey=True), samplers, strict=True)
    ):
        own = rows[(rows["sampler"] == sampler) & rows["llc_mean"].notna()]
        colour = style.colour(sampler)
        y = 100 * (own["llc_mean"] / own[reference] - 1).clip(-reach, reach)
        half = 100 * CI_WIDTH * own["llc_mcse"].fillna(0.0) / own[reference].abs()
        if len(own) <= style.MANY:
            axes.errorbar(own[reference], y, half, fmt="none", ecolor=colour, elinewidth=0.7, zorder=2)
        for status in dict.fromkeys(own["status"]):
            at = own["status"] == status
            style.points(axes, own.loc[at, reference], y[at], status, colour, 3.2, clip_on=False)
        axes.axhline(0, color="black", lw=0.8, zorder=style.UNDER)
        axes.grid(axis="y")
        axes.set(xscale="log" if log else "linear", ylim=(-105 * reach, 105 * reach))
        ok = own[own["status"] == "ok"]
        error = 100 * (ok["llc_mean"] / ok[reference] - 1).abs().mean()
        told = f"ok: |error| {error:.1f} %, n = {len(ok)}" if len(ok) else "no estimate is ok"
        axes.set_title(f"{style.escape(sampler)}\n{told}")
        if i + columns >= len(samplers):
            axes.set_xlabel(label)
        if i % columns == 0:
            axes.set_ylabel(r"error of $\hat\lambda$ (%)")
    style.legend(figure, [], set(rows.loc[rows["llc_mean"].notna(), "status"]))
    lost = int(rows["llc_mean"].isna().sum())
    diverged = f"; {lost} more diverged and have no value" if lost else ""
    style.note(
        figure,
        f"{style.plural(len(rows) - lost, 'estimate')}{diverged}; error: estimate / {label} − 1; |error|: its mean "
        "size; bars: 95 % intervals of the estimates; what is beyond a panel is at its edge",
    )
    return figure
