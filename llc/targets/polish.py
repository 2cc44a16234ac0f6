"""Descent to the minimum within reach: what is left to gain at w, and w without it."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Int

from llc.compiled.programs import compile_once
from llc.loss.rows import Number, Params, Scalar
from llc.posterior import Posterior, loss_at

MEMORY = 20  # pairs of steps and gradients that L-BFGS remembers
LEFT = 1e-3  # nats that may be left to gain
DEFICIT_STEPS = 500  # of the descent that measures a deficit
# Standard deviations that γ allows, or of w where γ is below 1, by which it starts anew beside where it ended; and how
# much smaller a slope ends it then, so that it does not end before it has left a saddle whose curvature is some γ.
BESIDE, FINER = 1e-3, 30


class Polished(NamedTuple):
    """Where a descent ended, and how."""

    w: Params
    steps: Int[Array, ""]
    grad_norm: Scalar  # of the loss and the pull together
    falling: Bool[Array, ""]  # false: no lower point was found, for rounding


def tolerance(nats: float, pull: float) -> float:
    """Return the gradient norm at which less than ``LEFT`` nats are left to gain.

    A function whose curvature is at least ``pull`` lies at most ‖∇f‖²/(2 pull) above its minimum;
    it counts ``nats`` times.
    """
    return math.sqrt(2 * LEFT * pull / nats)


def polish(
    start: Params, centre: Params, posterior: Posterior, pull: float, grad_tol: float, max_steps: int
) -> Polished:
    """Minimise L_n(w) + (pull/2)‖w − centre‖² from ``start``, by L-BFGS on all the rows of a posterior.

    The loss of a network mostly has no minimum nearby: its valleys go on falling, ever more slowly,
    to where the weights are ten times as large and another network. The pull keeps w in place in all
    directions whose curvature is below it, and changes nothing in the others.

    References
    ----------
    Liu and Nocedal (1989), Mathematical Programming 45, 503–528; the zoom line search with
    approximate decrease of Hager and Zhang (2006), both as Optax has them.
    """
    args = start, centre, posterior, pull, grad_tol, max_steps
    descend = compile_once(_polish, *args)
    end = descend(*args)
    if not end.falling and end.steps > 0 and end.grad_norm > grad_tol:
        # What it remembers of the curvature of a saddle may hide that there is a lower point.
        again = descend(end.w, centre, posterior, pull, grad_tol, max_steps - int(end.steps))
        end = again._replace(steps=end.steps + again.steps)
    return end


@jax.jit
def _polish(
    start: Params, centre: Params, posterior: Posterior, pull: Number, grad_tol: Number, max_steps: Int[Array, ""]
) -> Polished:
    lbfgs = optax.lbfgs(memory_size=MEMORY)

    def objective(w: Params) -> Scalar:
        return posterior.loss(w) + 0.5 * pull * jnp.sum((w - centre) ** 2)

    def unfinished(carry: tuple[Polished, optax.OptState, Scalar, Params]) -> Array:
        at = carry[0]
        return (at.steps < max_steps) & (at.grad_norm > grad_tol) & at.falling  # false as soon as it is NaN

    def step(
        carry: tuple[Polished, optax.OptState, Scalar, Params],
    ) -> tuple[Polished, optax.OptState, Scalar, Params]:
        at, state, value, gradient = carry
        updates, state = lbfgs.update(gradient, state, at.w, value=value, grad=gradient, value_fn=objective)
        value, gradient = optax.tree.get(state, "value"), optax.tree.get(state, "grad")
        # A line search that finds no lower point, for rounding, may give any. That a step lowers the
        # value is not asked for: in float32 many that do so together are each below its rounding.
        falling = optax.tree.get(state, "decrease_error") <= 0
        w = jnp.where(falling, optax.apply_updates(at.w, updates), at.w)
        norm = jnp.where(falling, jnp.linalg.norm(gradient), at.grad_norm)
        return Polished(w, at.steps + falling, norm, falling), state, value, gradient

    value, gradient = jax.value_and_grad(objective)(start)
    at = Polished(start, jnp.array(0), jnp.linalg.norm(gradient), jnp.array(True))
    return jax.lax.while_loop(unfinished, step, (at, lbfgs.init(start), value, gradient))[0]


def deficit(posterior: Posterior, grad_norm: float) -> float:
    r"""Return nβ (L_n(w*) − L_n(w)), w the minimum of U within reach: by so much λ̂ is too low.

    It is found by descent, from w* and then from beside where that ended, for a saddle has no slope; and it is at
    least what is returned if ``DEFICIT_STEPS`` end first. On a quadratic of curvatures h, centred
    off its minimum by δ, it is

    .. math:: \frac{nβ}{2} \sum_i h_i δ_i^2 \left[1 - \left(\frac{γ}{nβ h_i + γ}\right)^2\right],

    exactly what λ̂ lacks there. Where a bound says that it is below ``LEFT``, and no descent finds more, the bound is
    returned.

    Parameters
    ----------
    grad_norm
        ‖∇L_n(w*)‖, over all the data, in float64; of all parameters, so that it bounds that of those that move.
    """
    nbeta, gamma = float(posterior.nbeta), float(posterior.gamma)
    bound = (nbeta * grad_norm) ** 2 / gamma if gamma > 0 else math.inf  # of the quadratic, at its worst h, which is 0
    pull, w_star = gamma / nbeta, posterior.w_star

    def descend(start: Params, finer: int = 1) -> tuple[Polished, float]:
        end = polish(start, w_star, posterior, pull, tolerance(nbeta, pull) / finer, DEFICIT_STEPS)
        return end, nbeta * (float(loss_at(posterior, w_star)) - float(loss_at(posterior, end.w)))

    lowest, gained = w_star, 0.0
    if bound > LEFT:
        found, gained = descend(w_star)
        lowest = found.w
        if int(found.steps) == DEFICIT_STEPS and gained > LEFT:  # it had a slope to the end
            return gained
    farther = descend(_beside(lowest, BESIDE / math.sqrt(max(gamma, 1.0))), FINER)[1]
    if farther > gained + LEFT:
        return farther
    return bound if bound <= LEFT else gained


def _beside(w: Params, distance: float) -> Params:
    step = np.random.default_rng(0).standard_normal(w.shape, w.dtype)
    step *= distance * math.sqrt(step.size) / np.linalg.norm(step)  # of few parameters it may happen to be short
    return jax.device_put(np.asarray(w) + step)
