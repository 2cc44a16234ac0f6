"""Whether the numbers that a trace was drawn in are fine enough for its estimate. Without JAX."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from llc.estimates.limits import LATTICE_MAX, OFFSET_MAX, ROUNDED_MAX
from llc.estimates.trace import Trace

ROUNDING_MOST = 1e-3  # share of L_n(w*) that rounding is thought to change
SURE = 6.0  # standard errors of a mean of four: 1 % of Student's t are beyond


def too_coarse(
    trace: Trace,
    llc: Float[np.ndarray, "chains draws"],
    mcse: float | None,
    *,
    nbeta: float,
    loss_star: float,
    n_params: int,
    at_ends: Float[np.ndarray, " chains"] | None,
) -> str | None:
    """Return what is rounded too coarsely, and the remedy, as a text for a person; None: nothing is.

    Samplers that agree do not show it, for they draw from the same rounded loss.

    Parameters
    ----------
    llc
        nβ (L_n(w) − L_n(w*)) of the draws.
    mcse
        Its standard error.
    loss_star
        L_n(w*) in float64, of data that were not rounded.
    at_ends
        The same where the chains ended, if it was taken there.
    """
    unit = float(np.finfo(trace.loss.dtype).eps) * nbeta * abs(loss_star)
    if unit > ROUNDED_MAX * float(llc.std()) > 0:
        remedy = "precision=float64, or take the constant out of the loss"
        return f"nβ L_n is rounded to {unit:.2g}, of draws that differ by little more: {remedy}"
    offset = off_at_star(trace, "loss", loss_star, nbeta, mcse)
    if offset:
        remedy = "precision=float64, or data that are centred"
        if abs(trace.star["loss"] - loss_star) > ROUNDING_MOST * abs(loss_star):
            remedy += "; or the model or the data are others each time they are made, and must be drawn from a seed"
        return f"nβ L_n(w*) is off by {offset:.2g} in {trace.loss.dtype}, the standard error is {mcse:.2g}: {remedy}"
    if at_ends is not None and trace.ends is not None and mcse is not None:
        off = nbeta * (trace.ends.loss.astype(np.float64) - at_ends)
        if not _small(off, ROUNDED_MAX * float(llc.std()), OFFSET_MAX * mcse):
            most = np.abs(off).max()
            remedy = "precision=float64, or data and parameters that are centred"
            return f"nβ L_n is off by up to {most:.2g} in {trace.loss.dtype} where the chains ended: {remedy}"
    width = _width(trace, n_params)
    if trace.spacing > LATTICE_MAX * width:
        remedy = "precision=float64, or parameters that are centred"
        return f"w is rounded to {trace.spacing:.2g}, of draws that differ by {width:.2g}: {remedy}"
    return None


def _small(off: Float[np.ndarray, " chains"], spread: float, offset: float) -> bool:
    """Return whether errors of single draws are within the one limit, and what they have in common within the other."""
    in_common = abs(off.mean()) - SURE * off.std(ddof=1) / math.sqrt(off.size) if off.size > 1 else 0.0
    return bool(math.sqrt(np.mean(off**2)) <= spread and in_common <= offset)


def off_at_star(trace: Trace, name: str, loss_star: float, nbeta: float, mcse: float | None) -> float:
    """Return by how much nβ L(w*) is off in the numbers of the draws, if their mean may not be so far off; else 0."""
    offset = nbeta * abs(trace.star.get(name, loss_star) - loss_star)
    return offset if mcse is not None and offset > OFFSET_MAX * mcse else 0.0


def _width(trace: Trace, n_params: int) -> float:
    """Return how far draws move in a parameter: its standard deviation, or the noise of a step where that is less."""
    if "distance2" not in trace.stats:
        return math.inf
    width = math.sqrt(float(np.mean(trace.stats["distance2"], dtype=np.float64)) / n_params)
    step = trace.stats.get("step_size")
    return width if step is None or trace.excess is None else min(width, math.sqrt(float(np.mean(step))))
