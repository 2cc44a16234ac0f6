"""Whether a user's loss is the mean over rows that it must be."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from llc.compiled.programs import HashablePartial, compiled
from llc.loss.rows import Data, Loss, Params, Scalar, n_rows, take

# It is tried on so many groups of so few rows: of 2 % of the rows some are in a tenth of them.
GROUPS, FEW = 64, 4
UNEVEN = 1e-3  # share by which two values that must be equal, but for rounding, may differ
# From w, times a normal number for each parameter: at an exact fit a loss is 0, and not everywhere is it finite.
AWAY = (0.1, 0.01, 0.001, 0.0)


def require_mean(what: str, loss_fn: Loss, w: Params, data: Data) -> None:
    """Raise ValueError unless a loss is the mean over rows, tried on some of ``data``, near ``w``.

    Of many rows it must be the mean of what it is of few at a time: else neither minibatches nor blocks of rows are
    what they stand for. A sum is not, nor a mean in which rows weigh each other, as one over what a mask keeps. And a
    loss that reads something else than its arguments must not have changed since it was compiled.

    Parameters
    ----------
    what
        The loss, as messages name it.
    """
    if n_rows(data) < 2:
        return
    beside = jax.random.normal(jax.random.key(0), w.shape, w.dtype)
    for away in AWAY:
        if is_mean(what, loss_fn, w + away * beside, data):
            break


def is_mean(what: str, loss_fn: Loss, w: Params, data: Data) -> bool:
    """Check it at exactly ``w``; return False where the loss is not finite there."""
    n = n_rows(data)
    size = min(FEW, n // 2)
    groups = min(GROUPS, n // size)
    index = jnp.asarray(np.linspace(0, n - 1, groups * size).astype(int))
    some = take(data, index)
    once, mean, first = (float(value) for value in compiled(HashablePartial(_in_groups, loss_fn, groups), w, some))
    if not math.isfinite(once):
        return False

    def close(a: float, b: float) -> bool:
        return abs(a - b) <= UNEVEN * max(abs(a), abs(b)) or not (math.isfinite(a) or math.isfinite(b))

    rows = take(data, index[:size])
    now = float(loss_fn(w, rows))
    if not close(now, first):  # as in bfloat16, which is rounded otherwise where nothing is compiled: so it is, anew
        now = float(jax.jit(lambda w, rows: loss_fn(w, rows))(w, rows))
    if not close(now, first):
        raise ValueError(
            f"{what}: it reads what is neither in w nor in the batch and has changed since it was compiled: it is "
            f"{now:.6g} where it was {first:.6g}; put it in the data, where a scalar is of all rows, or make the "
            "function anew"
        )
    if once and close(once, groups * mean):
        raise ValueError(
            f"{what}: must be the mean over rows and is their sum: of {groups * size} rows it is {once:.6g}, "
            f"of {size} of them {mean:.6g} on average; divide by the number of rows"
        )
    if not close(once, mean):
        raise ValueError(
            f"{what}: must be the mean over rows, each by itself: of {groups * size} rows it is {once:.6g}, "
            f"of {size} of them {mean:.6g} on average; weigh each row by a number of its own"
        )
    return True


def _in_groups(loss_fn: Loss, groups: int, w: Params, data: Data) -> tuple[Scalar, Scalar, Scalar]:
    """Return a loss of all rows, the mean of what it is of groups of them, and that of the first."""
    index = jnp.arange(n_rows(data)).reshape(groups, -1)
    each = jax.lax.map(lambda rows: loss_fn(w, take(data, rows)), index)
    return loss_fn(w, data), jnp.mean(each), each[0]
