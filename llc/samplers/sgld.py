"""Stochastic gradient Langevin dynamics, plain or with a step size that is chosen by itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from llc.posterior import Params, Posterior, Scalar, n_rows
from llc.samplers.rounds import Clock, collect
from llc.samplers.trace import Trace

STEP_TIMES_CURVATURE = 1.0  # ε q of the steepest direction; the scheme is stable below 4
HEAT_MAX = 0.01  # share of λ̂ that minibatch noise may add; it is then subtracted
CURVATURE_ROWS = 1024  # rows, at least, of a Hessian product
FIRST_PRODUCTS, PRODUCTS = 20, 5  # of the power iteration, at w* and at each round
GRADIENTS_PER_PRODUCT = 2
HEAT_GRADIENTS = 2 + GRADIENTS_PER_PRODUCT  # of a look at the heat
GRADIENTS_PER_LOSS = 1 / 3  # a forward pass, of one forward and the two of going back
LLC_FLOOR = 0.1  # below it a share of λ̂ is not a sensible tolerance
EXPLODED = (5.0, 30.0)  # rise of U above U(w*), per parameter and beside: at equilibrium it is about ½ and 0
SHRINK = 0.5  # of the step, when a chain has exploded and is set back


def sgld(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    step_size: float | str,
    batch_size: int,
    control_variates: bool,
    warmup: int,
    draws: int | None,
    thin: int,
    chains: int,
    budget: float,
) -> Trace:
    r"""Draw chains of SGLD, all started at w*.

    .. math:: w_{t+1} = w_t - \tfrac{\epsilon}{2}\,\hat\nabla U(w_t) + \sqrt{\epsilon}\,\zeta_t

    with :math:`\hat\nabla U = nβ ∇L_B(w) + γ(w − w^*)`, L_B the mean over a minibatch B drawn
    with replacement. L_n over all the data is recorded at every kept draw.

    With a number as ``step_size`` it is plain SGLD, :math:`\zeta_t = \xi_t` standard normal. On a
    quadratic U of curvature q its variance is 1/(q(1 − εq/4)) instead of 1/q, and minibatch
    noise of variance C heats it by 1 + εC/4. Both together add ε E‖∇̂U‖²/8 to nβ L_n, to first
    order, which is recorded as ``excess`` and left in the estimate.

    With ``auto`` the noise is :math:`\zeta_t = (\xi_t + \xi_{t-1})/2`: on a quadratic the variance
    is then 1/q at every stable step size, and the error of the step is of second order
    elsewhere. So ε is as large as 1/q, q the largest curvature of U, which each chain looks up by
    power iteration when a round begins; it only ever falls. What is left is the heat of the
    minibatches: their error ν of ∇U is white noise of variance ε²C/4 a step, which adds
    ε E‖ν‖²/(8(1 − εq/4)) to nβ L_n, q the curvature along ν. It is measured at each draw from three
    batches, kept near 1 % of λ̂ by ε, and subtracted from the estimate.

    Where the curvature grows faster than that, a step can be unstable before the next look: a
    chain whose U has exploded is set back by a draw, its step is halved, and the draw counts as
    divergent. With a number as step it is left to diverge.

    Parameters
    ----------
    step_size
        ε, in units of w², or ``auto``.
    batch_size
        Rows per gradient. With n or more the gradient is exact and no rows are drawn.
    control_variates
        Use ∇L_B(w) − ∇L_B(w*) + ∇L_n(w*) for ∇L_B(w): twice the work, and no noise of the labels
        near w*.
    warmup
        Steps before the first draw, rounded up to whole draws.
    thin
        Steps per draw.

    References
    ----------
    Welling and Teh (2011), ICML, eq. 4, with their n/N factor inside nβ∇L_B. Leimkuhler and
    Matthews (2013), Applied Mathematics Research eXpress 2013(1), 34–56, for ζ. Baker, Fearnhead,
    Fox and Nemeth (2019), Statistics and Computing 29, for control variates at a mode. Lau et al.
    (2023), arXiv 2308.12108, for SGLD in LLC estimation.
    """
    auto = step_size == "auto"
    batch = None if batch_size >= posterior.n else batch_size
    clock = Clock()
    key_start, key_draws = jax.random.split(key)
    given = jnp.asarray(0.0 if auto else step_size, posterior.w_star.dtype)
    static: dict[str, Any] = {"auto": auto, "batch": batch}
    start = clock.compile(_start, key_start, posterior, given, chains=chains, **static)
    _, trace = collect(
        key_draws,
        posterior,
        start(key_start, posterior, given),
        _advance,
        (),
        clock,
        tuning=-(-warmup // thin),
        draws=draws,
        budget=budget,
        start_work=_product_work(posterior, batch, FIRST_PRODUCTS) if auto else 0.0,
        thin=thin,
        control=control_variates and batch is not None,
        **static,
    )
    return replace(trace, correct=auto, tuned={"step_size": trace.stats["step_size"][:, -1]})


class State(NamedTuple):
    """Of one chain."""

    w: Params
    noise: Params  # ξ of the last step
    steepest: Params  # direction of the largest curvature, as far as it was found
    step_size: Scalar  # as curvature and explosions allow; a draw may take less
    loss: Scalar
    # Over all draws so far: a step that went on following the last of them would stay where L_n is low.
    heat: Scalar  # Σ ‖ν‖²
    llc: Scalar  # Σ nβ (L_n − L_n(w*))
    n: Scalar  # how many they are


def _product_work(posterior: Posterior, batch: int | None, products: int) -> float:
    return products * GRADIENTS_PER_PRODUCT * _curvature_rows(posterior, batch) / posterior.n


def _curvature_rows(posterior: Posterior, batch: int | None) -> int:
    return min(posterior.n, max(CURVATURE_ROWS, batch or 0))


def _curvature(
    key: Key[Array, ""], posterior: Posterior, w: Params, v: Params, batch: int | None, products: int
) -> tuple[Scalar, Params]:
    """Return the largest curvature of U at ``w``, on random rows, and its direction, from ``v``."""
    m = _curvature_rows(posterior, batch)
    rows = None if m == posterior.n else jax.random.randint(key, (m,), 0, posterior.n)

    def product(v: Params) -> Params:
        return jax.jvp(lambda w: posterior.gradient(w, rows), (w,), (v,))[1]

    def iterate(_: Int[Array, ""] | int, pair: tuple[Scalar, Params]) -> tuple[Scalar, Params]:
        u = product(pair[1])
        norm = jnp.linalg.norm(u)
        return norm, u / norm

    return jax.lax.fori_loop(0, products, iterate, (jnp.zeros((), w.dtype), v / jnp.linalg.norm(v)))


@partial(jax.jit, static_argnames=("auto", "batch", "chains"))
def _start(
    key: Key[Array, ""], posterior: Posterior, step_size: Scalar, *, auto: bool, batch: int | None, chains: int
) -> State:
    def chain(key: Key[Array, ""]) -> State:
        key_noise, key_v, key_rows = jax.random.split(key, 3)
        w = posterior.w_star
        noise, v = (jax.random.normal(k, w.shape, w.dtype) for k in (key_noise, key_v))
        chosen = step_size
        if auto:
            q, v = _curvature(key_rows, posterior, w, v, batch, FIRST_PRODUCTS)
            # A curvature that is not a number, or 0 as at a degenerate w*, is found as the chain moves.
            v = jnp.where(jnp.isfinite(q), v, jax.random.normal(key_v, w.shape, w.dtype))
            chosen = jnp.where(q > 0, STEP_TIMES_CURVATURE / q, 1.0)
        zero = jnp.zeros((), w.dtype)
        return State(w, noise, v, chosen, posterior.loss(w), zero, zero, zero)

    return jax.vmap(chain)(jax.random.split(key, chains))


@partial(jax.jit, static_argnames=("auto", "batch", "control", "draws", "thin"))
def _advance(
    key: Key[Array, ""],
    posterior: Posterior,
    state: State,
    *,
    auto: bool,
    batch: int | None,
    control: bool,
    draws: int,
    thin: int,
) -> tuple[State, dict[str, Float[Array, "chains draws"]]]:
    loss_star = posterior.loss(posterior.w_star)
    grad_star = posterior.gradient(posterior.w_star) if control else None

    def gradient(w: Params, key: Key[Array, ""]) -> Params:
        rows = None if batch is None else jax.random.randint(key, (batch,), 0, posterior.n)
        found = posterior.gradient(w, rows)
        return found if grad_star is None else found - posterior.gradient(posterior.w_star, rows) + grad_star

    def heat(w: Params, keys: list[Key[Array, ""]], epsilon: Scalar) -> Scalar:
        """Return ‖ν‖²/(1 − εq/4), q the curvature along the error ν of the gradient."""
        nu = (gradient(w, keys[0]) - gradient(w, keys[1])) / jnp.sqrt(2.0)
        product = jax.jvp(lambda w: gradient(w, keys[2]), (w,), (nu,))[1]
        squared = jnp.sum(nu**2)
        q = jnp.where(squared > 0, jnp.sum(nu * product) / squared, 0.0)
        return squared / (1 - jnp.clip(epsilon * q, 0.0, 2.0) / 4)

    def step_size_of(state: State) -> Scalar:
        """Return ε for a round: with it minibatches add at most HEAT_MAX of λ̂."""
        if not auto or batch is None:
            return state.step_size
        llc = jnp.maximum(state.llc / jnp.maximum(state.n, 1), LLC_FLOOR)
        limit = 8 * HEAT_MAX * llc * state.n / state.heat  # inf or NaN before the first draw
        return jnp.where(limit > 0, jnp.minimum(state.step_size, limit), state.step_size)

    def chain(key: Key[Array, ""], state: State) -> Any:
        key_rows, key_draws = jax.random.split(key)
        if auto:
            q, v = _curvature(key_rows, posterior, state.w, state.steepest, batch, PRODUCTS)
            # Where the curvature is not a number neither is the next look's, unless it starts anew.
            known = jnp.isfinite(q)
            v = jnp.where(known, v, jax.random.normal(key_rows, v.shape, v.dtype))
            falling = jnp.minimum(state.step_size, jnp.where(known, STEP_TIMES_CURVATURE / q, jnp.inf))
            state = state._replace(steepest=v, step_size=falling)

        def step(carry: Any, key: Key[Array, ""]) -> Any:
            w, before, _, epsilon = carry
            key_rows, key_noise = jax.random.split(key)
            noise = jax.random.normal(key_noise, w.shape, w.dtype)
            zeta = 0.5 * (noise + before) if auto else noise
            g = gradient(w, key_rows)
            return (w - 0.5 * epsilon * g + jnp.sqrt(epsilon) * zeta, noise, jnp.sum(g**2), epsilon), None

        def draw(state: State, key: Key[Array, ""]) -> Any:
            key_steps, *key_heat = jax.random.split(key, 4)
            epsilon = step_size_of(state)
            carry = (state.w, state.noise, jnp.zeros_like(epsilon), epsilon)
            (w, noise, squared, _), _ = jax.lax.scan(step, carry, jax.random.split(key_steps, thin))
            loss = posterior.loss(w)
            exploded = jnp.asarray(False)
            if auto:
                rise = posterior.nbeta * (loss - loss_star) + 0.5 * posterior.gamma * jnp.sum(
                    (w - posterior.w_star) ** 2
                )
                exploded = ~(rise < EXPLODED[0] * w.size + EXPLODED[1])  # so that NaN counts
                w, loss = jnp.where(exploded, state.w, w), jnp.where(exploded, state.loss, loss)
                state = state._replace(step_size=state.step_size * jnp.where(exploded, SHRINK, 1.0))
                squared = jnp.zeros_like(squared) if batch is None else heat(w, key_heat, epsilon)
            state = state._replace(
                w=w,
                noise=noise,
                loss=loss,
                heat=state.heat + jnp.where(jnp.isfinite(squared), squared, 0.0),
                llc=state.llc + posterior.nbeta * (loss - loss_star),
                n=state.n + 1,
            )
            return state, {
                "loss": loss,
                "distance2": jnp.sum((w - posterior.w_star) ** 2),
                "step_size": epsilon,
                "excess": epsilon * squared / 8,
                "diverging": exploded,
            }

        return jax.lax.scan(draw, state, jax.random.split(key_draws, draws))

    chains = len(state.step_size)
    state, stats = jax.vmap(chain)(jax.random.split(key, chains), state)
    per_step = (2 if control else 1) * (1.0 if batch is None else batch / posterior.n)
    per_draw = per_step * (thin + (HEAT_GRADIENTS if auto and batch is not None else 0))
    per_draw += GRADIENTS_PER_LOSS * n_rows(posterior.full) / posterior.n
    per_draw += _product_work(posterior, batch, PRODUCTS) / draws if auto else 0.0
    return state, {**stats, "work": jnp.full(stats["loss"].shape, per_draw)}
