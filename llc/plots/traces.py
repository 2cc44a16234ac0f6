"""Loss traces: nβ (L_n(w) − L_n(w*)) of each chain, whose mean is λ̂."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from llc.plots import style
from llc.plots.tables import Tables

PANELS = 32  # traces that are shown; of more, some of those that are not ok and some of those that are
COLUMNS = 4
BINS = 100  # of a trace; each shows its smallest and its largest draw


def figures(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Give one figure, with a panel per run and sampler."""
    chosen = choose(tables.estimates)
    if chosen.empty:
        return
    rows = -(-len(chosen) // COLUMNS)
    height = 0.75 + 1.05 * rows
    figure = Figure(figsize=(style.WIDTH, height))  # laid out by hand: to find places for 32 panels takes a second
    figure.subplots_adjust(0.075, 0.6 / height, 0.995, 1 - 0.18 / height, wspace=0.22, hspace=0.5)
    axes = style.grid(figure, len(chosen), COLUMNS)
    for i, (panel, (_, estimate)) in enumerate(zip(axes, chosen.iterrows(), strict=True)):
        _panel(panel, tables.runs / estimate["run_id"] / "traces.nc", estimate)
        if i + COLUMNS >= len(chosen):
            panel.set_xlabel("draw")
    figure.supylabel(r"$n\beta\,(L_n(w) - L_n(w^*))$", fontsize=8, x=0.005)
    style.note(figure, _note(tables.estimates, chosen))
    yield "loss", figure


def choose(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return the estimates whose traces are shown, in the order of jobs and samplers.

    All, or of many half that are not ok and half that are, evenly spaced.
    """
    ordered = estimates.sort_values(["job_id", "sampler"], kind="stable")
    ok = ordered["status"] == "ok"
    bad = min(int((~ok).sum()), max(PANELS // 2, PANELS - int(ok.sum())))
    shown = pd.concat([_evenly(ordered[~ok], bad), _evenly(ordered[ok], PANELS - bad)])
    return shown.sort_values(["job_id", "sampler"], kind="stable")


def _evenly(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, count).round().astype(int))] if len(rows) > count else rows


def read(path: Path, sampler: str) -> Float[np.ndarray, "chains draws"]:
    """Return L_n of a sampler's draws."""
    with h5netcdf.File(path) as file:
        loss: Float[np.ndarray, "chains draws"] = file[sampler]["posterior"].variables["loss"][...]
    return loss.astype(np.float64)


def outline(draws: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Return a trace with few points: of each stretch its smallest and largest draw, where they are."""
    if len(draws) <= 2 * BINS:
        return np.arange(len(draws), dtype=float), draws
    ends = np.linspace(0, len(draws), BINS + 1).astype(int)
    at = sorted({a + f(draws[a:b]) for a, b in pairwise(ends) for f in (np.argmin, np.argmax)})
    return np.asarray(at, float), draws[at]


def _panel(axes: Axes, path: Path, estimate: pd.Series) -> None:
    sampler, status = estimate["sampler"], estimate["status"]
    llc = estimate["n_data"] * estimate["beta"] * (read(path, sampler) - estimate["loss_star"])
    llc[~np.isfinite(llc)] = np.nan
    for chain, shade in zip(llc, _shades(style.colour(sampler), len(llc)), strict=True):
        axes.plot(*outline(chain), color=shade, lw=0.5)
    axes.axhline(0, color="#AAAAAA", lw=0.5, zorder=0)
    if np.isfinite(estimate["llc_mean"]):
        axes.axhline(estimate["llc_mean"], color="black", lw=0.8)
    axes.tick_params(labelsize=6, length=2)
    axes.margins(x=0.01)
    axes.locator_params(nbins=3)
    verdict = "" if status == "ok" else f": {style.escape(status)}"
    title = f"job {estimate['job_id']:.0f}, {style.escape(sampler)}{verdict}"
    axes.set_title(title, fontsize=6.8, color="#B00020" if verdict else "black", pad=2)


def _shades(colour: str, n: int) -> list[tuple[Any, ...]]:
    """Return n shades of a colour, from itself to half way to white or black."""
    base = np.array(to_rgb(colour))
    return [tuple(base + (end - base) * k) for end, k in ((float(s > 0), abs(s)) for s in np.linspace(-0.45, 0.55, n))]


def _note(estimates: pd.DataFrame, chosen: pd.DataFrame) -> str:
    parts = [f"{len(chosen)} of {style.plural(len(estimates), 'trace')}"]
    if len(chosen) < len(estimates):
        bad, shown = (int((rows["status"] != "ok").sum()) for rows in (estimates, chosen))
        parts.append(f"{shown} of {bad:,} that are not ok and {len(chosen) - shown} of the others, evenly spaced")
    return "; ".join([*parts, "a shade per chain, warm-up left out; black line: the estimate"])
