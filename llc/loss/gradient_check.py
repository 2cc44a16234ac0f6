"""Whether what JAX takes for the gradient of a user's loss is its gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from llc.compiled.programs import HashablePartial, compiled
from llc.loss.mean_check import AWAY
from llc.loss.rows import Data, Loss, Params, Scalar, loss_and_gradient, n_rows, take

ROWS = 256  # of the data, at most
DIRECTIONS = 8  # in most of which it must be wrong, to be wrong
STEP = 1e-5  # length of the longer difference, the other is half of it: few kinks are so near, and few steps so small
CONVERGED = 0.02  # share by which two differences that have converged may differ
APART = 1e-3  # share of a slope by which a difference that has converged may be off
PARTS = (np.arange(64) + 0.5) / 64  # of a way, at which slopes are taken
ROUNDING = 1e-9  # of the loss, in differences so short of float64


def some(n: int) -> Int[np.ndarray, " some"]:
    """Return which of n rows a gradient is tried on."""
    return np.linspace(0, n - 1, min(ROWS, n)).astype(int)


def require_gradient(what: str, loss_fn: Loss, w: Params, data: Data) -> None:
    """Raise ValueError where a loss rises otherwise than its gradient says, tried on some of ``data``, near ``w``.

    ``stop_gradient``, a straight-through estimate or a ``custom_vjp`` may be of use in training. But a sampler that
    follows another gradient than that of the loss draws from another posterior, and no diagnostic knows: all of
    them go by the same gradient. It is held against central differences, where these have converged.

    Parameters
    ----------
    what
        The loss, as messages name it.
    w, data
        In float64.
    """
    rows = take(data, jnp.asarray(some(n_rows(data))))
    key_beside, key_directions = jax.random.split(jax.random.key(1))
    beside = jax.random.normal(key_beside, w.shape, w.dtype)
    for away in AWAY:
        at = w + away * beside
        # Of few data the program is at hand.
        loss, gradient = compiled(HashablePartial(loss_and_gradient, loss_fn), at, rows)
        if np.isfinite(loss):
            break
    along = compiled(HashablePartial(_along, loss_fn), at, gradient, key_directions, rows)
    slopes, longer, shorter = (np.asarray(values) for values in along)
    # Not so of jumps, of kinks, and of steps, on which nothing changes, be they those of bfloat16.
    with np.errstate(invalid="ignore"):  # beside a wall both are infinite
        between = abs(longer - shorter)
    converged = between < CONVERGED * abs(shorter)
    doubt = 10 * between + APART * abs(shorter) + ROUNDING * abs(float(loss))
    wrong = np.flatnonzero(converged & (abs(slopes - shorter) > doubt))
    if len(wrong) > DIRECTIONS / 2:
        slope, rises = slopes[wrong[0]], shorter[wrong[0]]
        raise ValueError(
            f"{what}: JAX's gradient of it is not its gradient: {slope:.6g} in a direction in which it rises "
            f"by {rises:.6g}; take out what changes gradients, such as stop_gradient, a straight-through "
            "estimate or a custom_vjp, for samplers follow them to another posterior"
        )


def unseen(loss_fn: Loss, w_star: Params, ends: Float[Array, "chains dim"], data: Data) -> Float[np.ndarray, " chains"]:
    """Return by how much a loss rises from ``w_star`` to each end beyond what its gradient says on the way.

    Over some rows, in float64. It is 0 but for the error of a sum, unless the loss has jumps, as of rounded weights:
    a sampler without an acceptance step then draws from the posterior of another loss.
    """
    rows = take(data, jnp.asarray(some(n_rows(data))))
    return np.asarray(compiled(HashablePartial(_unseen, loss_fn), w_star, ends, rows))


def _unseen(loss_fn: Loss, w_star: Params, ends: Float[Array, "chains dim"], data: Data) -> Float[Array, " chains"]:
    def to(end: Params) -> Scalar:
        way = end - w_star
        slopes = jax.lax.map(lambda part: jax.grad(loss_fn)(w_star + part * way, data) @ way, PARTS)
        return loss_fn(end, data) - loss_fn(w_star, data) - jnp.mean(slopes)

    return jax.lax.map(to, ends)


def _along(
    loss_fn: Loss, at: Params, gradient: Params, key: Array, data: Data
) -> tuple[Float[Array, " directions"], Float[Array, " directions"], Float[Array, " directions"]]:
    """Return the slopes of a loss in some directions, by its gradient and by two differences."""
    steps = STEP * jnp.array([1.0, -1.0, 0.5, -0.5], at.dtype)

    def one(key: Array) -> tuple[Scalar, Scalar, Scalar]:
        direction = jax.random.normal(key, at.shape, at.dtype)
        direction /= jnp.linalg.norm(direction)
        up, down, half_up, half_down = jax.lax.map(lambda step: loss_fn(at + step * direction, data), steps)
        return gradient @ direction, (up - down) / (2 * STEP), (half_up - half_down) / STEP

    return jax.lax.map(one, jax.random.split(key, DIRECTIONS))
