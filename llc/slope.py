"""Whether what JAX takes for the gradient of a user's loss is its gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from llc.equal import Fixed, compiled
from llc.mean import AWAY
from llc.rows import Data, Loss, Params, Scalar, n_rows, take

ROWS = 256  # of the data, at most
DIRECTIONS = 3  # in each of which it must be wrong, to be wrong
STEP = 1e-3  # of the longer difference, times a normal number for each parameter; the other is half of it
CONVERGED = 0.02  # share by which two differences that have converged may differ
# By how much of the slope, or of the loss, they may differ: to a loss of float32 the loss is rounded to 1e-4 of it.
APART = 1e-3


def require_gradient(what: str, loss_fn: Loss, w: Params, data: Data) -> None:
    """Raise ValueError where a loss rises otherwise than its gradient says, tried on some of ``data``, near ``w``.

    ``stop_gradient``, a straight-through estimate or a ``custom_vjp`` may be of use in training. But a sampler that
    follows another gradient than that of the loss draws from another posterior, and no diagnostic knows: all of
    them go by the same gradient. It is held against central differences, where these have converged.

    Parameters
    ----------
    what
        The loss, as messages name it.
    """
    rows = take(data, jnp.asarray(np.linspace(0, n_rows(data) - 1, min(ROWS, n_rows(data))).astype(int)))
    for away in AWAY:
        along = compiled(Fixed(_along, loss_fn), w, jnp.asarray(away, w.dtype), rows)
        loss, slope, longer, shorter = (np.asarray(values) for values in along)
        if np.isfinite(loss).all():
            break
    # Not so of jumps, of kinks, and of steps, on which nothing changes, be they those of bfloat16.
    converged = abs(longer - shorter) < CONVERGED * abs(shorter)
    doubt = 10 * abs(longer - shorter) + APART * (abs(shorter) + abs(loss))
    if np.all(converged & (abs(slope - shorter) > doubt)):
        raise ValueError(
            f"{what}: JAX's gradient of it is not its gradient: {slope[0]:.6g} in a direction in which it rises by "
            f"{shorter[0]:.6g}; take out what changes gradients, such as stop_gradient, a straight-through estimate "
            "or a custom_vjp, for samplers follow them to another posterior"
        )


def _along(loss_fn: Loss, w: Params, away: Scalar, data: Data) -> tuple[Float[Array, " directions"], ...]:
    """Return the loss, its slope by the gradient, and by two differences, beside ``w`` in some directions."""

    def one(key: Array) -> tuple[Scalar, Scalar, Scalar, Scalar]:
        beside, direction = jax.random.normal(key, (2, *w.shape), w.dtype)
        at = w + away * beside
        loss, gradient = jax.value_and_grad(loss_fn)(at, data)
        steps = STEP * jnp.array([1.0, -1.0, 0.5, -0.5], w.dtype)
        up, down, half_up, half_down = jax.lax.map(lambda step: loss_fn(at + step * direction, data), steps)
        return loss, gradient @ direction, (up - down) / (2 * STEP), (half_up - half_down) / STEP

    return jax.lax.map(one, jax.random.split(jax.random.key(1), DIRECTIONS))
