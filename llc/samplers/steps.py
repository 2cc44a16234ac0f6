"""What SGLD looks up along a chain to choose its step: the curvature of U, the heat of minibatches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from llc.loss.rows import Params, Scalar, n_rows
from llc.posterior import Posterior
from llc.samplers.stopping import ROUND

# ε q of the steepest direction; the scheme is stable below 4. With momentum its error is of first order, not second: on
# digits with 610 parameters λ̂ was 3.2 ± 1.2 % too high at 1, 1.4 ± 0.6 % at 1/2 and 0.6 ± 0.5 % at 1/4.
STEP_TIMES_CURVATURE, WITH_MOMENTUM = 1.0, 0.25
HEAT_MAX = 0.01  # share of λ̂ that minibatch noise may add; it is then subtracted
CURVATURE_ROWS = 1024  # rows, at least, of a look at the curvature
PRODUCTS, ACROSS = 20, 5  # of the power iteration: with the Hessian in new coordinates, and across w at each look
GRADIENTS_PER_PRODUCT = 2  # of either kind
GRADIENTS_PER_LOSS = 1 / 3  # a forward pass, of one forward and the two of going back
HEAT_BATCHES, HEAT_GRADIENTS = 3, 2 + GRADIENTS_PER_PRODUCT  # of a look at the heat
LLC_FLOOR = 0.1  # below it a share of λ̂ is not a sensible tolerance

THIN, THIN_MOST = 100, 1000  # steps of a draw, by rule: explosions are looked for, and keys made, draw by draw
# Of all rows. Of 32 networks of 50 parameters the errors of λ̂ were 1.4 of their standard errors at 20, where traces end
# after 9,000 steps and slow directions are seldom seen; 1.1 at 50, for 1.2 times the gradients, and at 100, for twice.
THIN_WHOLE = 50
LOSS_SHARE = 1 / 9  # of the gradients of a draw's steps, that L_n of all the rows may cost, within these bounds
ROUNDS_MIN = 4  # that a budget has room for

Scale = Params | Scalar  # √G, G the diagonal preconditioner; the number 1 without one


def thinning(posterior: Posterior, batch: int | None, draws: int | None, budget: float) -> int:
    """Return the steps of a draw, so many that its L_n costs a small share of their gradients, within bounds.

    L_n of all the rows is a forward pass, a third of their gradient. With 100 steps of 64 rows it would be half
    of all the work at 20,000 rows, and three quarters at 60,000. A round takes a part of the budget only, which is no
    end to so many ``draws`` as are asked for.
    """
    if batch is None:
        return THIN if draws is not None else max(1, min(THIN_WHOLE, int(budget / (ROUNDS_MIN * ROUND))))
    if draws is not None:
        budget = math.inf
    affordable = min(budget * posterior.n / (batch * ROUNDS_MIN * ROUND), THIN_MOST)
    enough = math.ceil(GRADIENTS_PER_LOSS / LOSS_SHARE * n_rows(posterior.full) / batch)
    return max(THIN, min(enough, THIN_MOST, int(affordable)))


def draw_work(posterior: Posterior, batch: int | None, thin: int, *, auto: bool, control: bool) -> float:
    """Return what a draw takes, in gradients of the full loss: its steps, L_n, and the look at the heat of batches."""
    steps = (1 + control) * (thin + (HEAT_GRADIENTS if auto and batch is not None else 0))
    share = 1.0 if batch is None else batch / posterior.n
    return steps * share + GRADIENTS_PER_LOSS * n_rows(posterior.full) / posterior.n


def look_work(posterior: Posterior, batch: int | None, anew: Any) -> Any:
    """Return what a look at the curvature takes, in gradients of the full loss."""
    products = ACROSS + jnp.where(anew, PRODUCTS, 0)
    return products * GRADIENTS_PER_PRODUCT * _rows(posterior, batch) / posterior.n


def _rows(posterior: Posterior, batch: int | None) -> int:
    return min(posterior.n, max(CURVATURE_ROWS, batch or 0))


def curvature(
    key: Key[Array, ""],
    posterior: Posterior,
    w: Params,
    scale: Scale,
    v: Params,
    batch: int | None,
    step_times_curvature: Scalar,
    step_size: Scalar,
    anew: Bool[Array, ""],
) -> tuple[Scalar, Params]:
    """Return the largest curvature of U about ``w`` and its direction, by power iteration from ``v``.

    On random rows, and in the coordinates z of w = ``scale`` z. It is the change of the gradient from one side of ``w``
    to the other, as far away as a step goes: where absolute values or hinges have a kink, where w* is degenerate, or a
    wall is near, the Hessian has nothing of it. By the Hessian it begins where nothing is known.

    Parameters
    ----------
    step_times_curvature, step_size
        The step goes √ε far, where ε is the first over what has been found so far, and at most the second.
    anew
        Whether nothing is known from looks before this.
    """
    m = _rows(posterior, batch)
    rows = None if m == posterior.n else jax.random.randint(key, (m,), 0, posterior.n)

    def by_hessian(q: Scalar, u: Params) -> Params:
        return scale * jax.jvp(lambda w: posterior.gradient(w, rows), (w,), (scale * u,))[1]

    def across(q: Scalar, u: Params) -> Params:
        far = jnp.sqrt(jnp.where(q > 0, jnp.minimum(step_times_curvature / q, step_size), step_size))
        above, below = jax.vmap(lambda far: posterior.gradient(w + far * scale * u, rows))(jnp.stack([far, -far]))
        return scale * (above - below) / (2 * far)

    begun = (jnp.zeros((), w.dtype), v / jnp.linalg.norm(v))
    begun = _largest(by_hessian, jnp.where(anew, PRODUCTS, 0), begun)
    return _largest(across, ACROSS, begun)


def _largest(
    product: Callable[[Scalar, Params], Params], times: Int[Array, ""] | int, begun: tuple[Scalar, Params]
) -> tuple[Scalar, Params]:
    """Return the largest eigenvalue found and its direction, by power iteration; what is 0 or no number is not seen."""

    def iterate(_: Int[Array, ""] | int, pair: tuple[Scalar, Params]) -> tuple[Scalar, Params]:
        q, u = pair
        found = product(q, u)
        norm = jnp.linalg.norm(found)
        seen = jnp.isfinite(norm) & (norm > 0)
        return jnp.maximum(q, jnp.where(seen, norm, 0.0)), jnp.where(seen, found / norm, u)

    return jax.lax.fori_loop(0, times, iterate, begun)


def heat(
    gradient: Callable[[Params, Int[Array, " batch"]], Params],
    w: Params,
    scale: Scale,
    rows: Int[Array, "3 batch"],
    epsilon: Scalar,
) -> Scalar:
    """Return ‖ν‖²/(1 − εq/4) of three minibatches, in the coordinates z of w = ``scale`` z.

    ν is the error of their ``gradient`` of U, and q the curvature along it.
    """
    nu = scale * (gradient(w, rows[0]) - gradient(w, rows[1])) / jnp.sqrt(2.0)
    product = scale * jax.jvp(lambda w: gradient(w, rows[2]), (w,), (scale * nu,))[1]
    squared = jnp.sum(nu**2)
    q = jnp.where(squared > 0, jnp.sum(nu * product) / squared, 0.0)
    return squared / (1 - jnp.clip(epsilon * q, 0.0, 2.0) / 4)


def limited(step_size: Scalar, heat: Scalar, llc: Scalar, n: Scalar) -> Scalar:
    """Return the step size, or less: so much that minibatches add at most ``HEAT_MAX`` of λ̂.

    Parameters
    ----------
    heat, llc
        Sums over ``n`` draws of what ``heat`` returns, times what momentum makes of it, and of nβ (L_n − L_n(w*)).
    """
    mean = jnp.maximum(llc / jnp.maximum(n, 1), LLC_FLOOR)
    limit = 8 * HEAT_MAX * mean * n / heat  # inf or NaN before the first draw
    return jnp.where(limit > 0, jnp.minimum(step_size, limit), step_size)
