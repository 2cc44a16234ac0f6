"""Stochastic gradient Langevin dynamics, plain or with a step size that is chosen by itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from llc.posterior import Posterior, loss_at
from llc.rows import Params, Scalar, n_rows
from llc.rules import BATCH, momentum_of, takes_all
from llc.samplers import preconditioner as diagonal
from llc.samplers import steps
from llc.samplers.chains import keys, of_all
from llc.samplers.normals import FEW, normal
from llc.samplers.rounds import Clock, Slow, collect
from llc.samplers.steps import Scale
from llc.samplers.stopping import ROUND
from llc.samplers.trace import Trace
from llc.samplers.widened import widened

EXPLODED = (5.0, 10.0)  # rise of U above U(w*), per parameter and beside: at equilibrium it is about ½ and 0
SHRINK = 0.5  # of the step, when a chain has exploded and is set back
FLAT = 1.0  # the step where no curvature is found, as at a degenerate w*, until the chain has moved


def sgld(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    step_size: float | str,
    batch_size: int | None,
    control_variates: bool,
    preconditioner: str,
    momentum: float | None,
    warmup: int,
    draws: int | None,
    thin: int | None,
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

    With ``auto`` it is the underdamped scheme BAOAB, with ``momentum`` c:

    .. math:: r_t = c\,(r_{t-1} - \sqrt\epsilon\,\hat\nabla U(w_t)) + \sqrt{1 - c^2}\,\xi_t,
        \quad \zeta_t = (r_t + r_{t-1})/2

    On a quadratic the variance is then 1/q at every stable step size; elsewhere the error of the step is of first order
    in ε, and of second order at c = 0, where :math:`\zeta_t = (\xi_t + \xi_{t-1})/2`. So ε is 1/(4q), and 1/q without
    momentum, q the largest curvature of U, which each chain looks up by power iteration when a round begins; it only
    ever falls. Slow directions move as if ε were (1 + c)/(1 − c) times as large, 66 times at 0.97.

    What is left is the heat of the minibatches, for which ε counts as much larger too: their error ν of ∇U is white
    noise of variance ε²C/4 a step, which adds ε E‖ν‖²/(8(1 − εq/4)) to nβ L_n of a quadratic, q the curvature along ν,
    times (1 + c)/(1 − c); to that of a singular loss less, down to a quarter of it. It is measured at each draw from
    three batches, kept near 1 % of λ̂ by ε, and subtracted from the estimate. Where it is what limits ε momentum gains
    nothing. The first draw, before it is known, is taken with (1 − c)/(1 + c) of ε.

    A ``preconditioner`` is a diagonal G that is found in the first round, which is dropped, and
    then frozen, see ``llc.samplers.preconditioner``. All of the above is then of z in
    w = √G z. The smallest G_i is 1: ε is the step along the largest gradients, and ε G_i along
    parameter i.

    Where the curvature grows faster than that, a step can be unstable before the next look: a
    chain whose U has exploded is set back by a draw, at rest, its step is halved, and the draw counts as
    divergent. With a number as step it is left to diverge.

    Parameters
    ----------
    step_size
        ε, in units of w², or ``auto``.
    batch_size
        Rows per gradient. With n or more, with ``auto`` half of n, the gradient is exact and no rows are drawn.
        None: 64; with ``auto`` all rows where few are sufficient, and with no ``draws`` asked for those of up to 2,000,
        and of more once they get farther (``llc.samplers.widened``).
    control_variates
        Use ∇L_B(w) − ∇L_B(w*) + ∇L_n(w*) for ∇L_B(w): twice the work, and no noise of the labels
        near w*.
    preconditioner
        ``none``, ``rmsprop`` or ``adam``, whose averages remember about 100 and 1,000 steps. Adam's
        momentum is ``momentum``.
    momentum
        c, in [0, 1). None: 0.97 with ``auto``. With a numeric ``step_size`` it must be 0, or None.
    warmup
        Steps before the first draw, rounded up to whole draws; after those that find G.
    thin
        Steps per draw. None: by ``llc.samplers.steps.thinning``.

    References
    ----------
    Welling and Teh (2011), ICML, eq. 4, with their n/N factor inside nβ∇L_B. Leimkuhler and
    Matthews (2013), Applied Mathematics Research eXpress 2013(1), 34–56, for ζ and BAOAB. Baker,
    Fearnhead, Fox and Nemeth (2019), Statistics and Computing 29, for control variates at a mode.
    Lau et al. (2023), arXiv 2308.12108, for SGLD in LLC estimation.
    """
    auto = step_size == "auto"
    batch = (
        None if takes_all(step_size, batch_size, draws, posterior.n, n_rows(posterior.full)) else batch_size or BATCH
    )
    clock = Clock()
    key_start, *key_draws = jax.random.split(key, 3)
    loss_star = loss_at(posterior, posterior.w_star)
    scaled = preconditioner != "none"
    start = _start(
        key_start, posterior.w_star, loss_star, FLAT if auto else float(step_size), scaled=scaled, chains=chains
    )
    momentum = momentum_of(step_size, momentum)
    hyper = (np.asarray(momentum, posterior.w_star.dtype), loss_star)

    def steps_of(batch: int | None) -> int:
        return steps.thinning(posterior, batch, draws, budget) if thin is None else thin

    def run(state: State, batch: int | None, done: float = 0.0, slow: Slow | None = None) -> tuple[State, Trace]:
        of_draw = steps_of(batch)
        return collect(
            key_draws[done > 0],
            posterior,
            state,
            _advance,
            hyper,
            clock,
            tuning=0 if done else -(-warmup // of_draw) + ROUND * scaled,
            draws=draws,
            budget=budget,
            start_work=done,
            slow=slow,
            auto=auto,
            batch=batch,
            control=control_variates and batch is not None,
            preconditioner=preconditioner,
            thin=of_draw,
        )

    if auto and batch is not None and batch_size is None and draws is None:
        cost = (1 + control_variates) * batch / posterior.n
        trace, batch = widened(run, start, batch, cost, steps_of(None), momentum, budget)
    else:
        _, trace = run(start, batch)
    tuned = {"step_size": trace.stats["step_size"][:, -1], "batch_size": np.full(chains, batch or posterior.n)}
    return replace(trace, correct=auto, tuned=tuned)


Rows = Int[Array, " batch"]


class State(NamedTuple):
    """Of one chain."""

    w: Params
    noise: Params  # r of the last step: ξ, without momentum
    steepest: Params  # direction of the largest curvature, as far as it was found, in z
    step_size: Scalar  # as curvature and explosions allow; a draw may take less
    loss: Scalar
    scale: Scale  # √G
    second: Scale  # V
    rounds: Int[Array, ""]  # before this one
    # Over all draws since G was found: a step that went on following the last of them would stay where L_n is low.
    heat: Scalar  # Σ ‖ν‖²
    llc: Scalar  # Σ nβ (L_n − L_n(w*))
    n: Scalar  # how many they are


def _start(
    key: Key[Array, ""], w_star: Params, loss_star: Scalar, step_size: float, *, scaled: bool, chains: int
) -> State:
    # By NumPy, whose normals are no program to compile.
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    w = np.tile(np.asarray(w_star), (chains, 1))
    noise, v = rng.standard_normal((2, *w.shape), w.dtype)
    zero, rounds = np.zeros(chains, w.dtype), np.zeros(chains, np.int32)
    step, loss = np.full_like(zero, step_size), np.full_like(zero, loss_star)
    second = np.zeros_like(w) if scaled else zero
    return State(*map(jax.device_put, (w, noise, v, step, loss, second + 1, second, rounds, zero, zero, zero)))


@partial(jax.jit, static_argnames=("auto", "batch", "control", "preconditioner", "draws", "thin"))
def _advance(
    key: Key[Array, ""],
    posterior: Posterior,
    state: State,
    momentum: Scalar,
    loss_star: Scalar,
    *,
    auto: bool,
    batch: int | None,
    control: bool,
    preconditioner: str,
    draws: int,
    thin: int,
) -> tuple[State, dict[str, Float[Array, "chains draws"]]]:
    grad_star = posterior.gradient(posterior.w_star) if control else None
    anew = state.rounds[0] == 0  # in coordinates that are new
    if preconditioner != "none":
        scaled = state.rounds[0] == 1
        state = _with_scale(state, diagonal.root(of_all(state.second)), scaled)
        anew = anew | scaled
    products = jnp.where(anew, steps.FIRST_PRODUCTS, steps.PRODUCTS)
    step_times_curvature = jnp.where(momentum > 0, steps.WITH_MOMENTUM, steps.STEP_TIMES_CURVATURE)
    amplified = (1 + momentum) / (1 - momentum)  # what momentum makes of ε, for heat and slow directions
    dim, dtype = posterior.w_star.size, posterior.w_star.dtype
    # All of a draw's normals at once: of few parameters a step is a chain of short operations, here an eighth fewer.
    ahead = dim < FEW
    streams = 1 if ahead else thin  # of normals, for each draw

    def gradient(w: Params, rows: Rows | None) -> Params:
        found = posterior.gradient(w, rows)
        return found if grad_star is None else found - posterior.gradient(posterior.w_star, rows) + grad_star

    def chain(of_chain: Key[Array, "draws_and_1 streams_and_1"], state: State) -> Any:
        if auto:
            q, v = steps.curvature(of_chain[0, 0], posterior, state.w, state.scale, state.steepest, batch, products)
            # Where the curvature is not a number neither is the next look's, unless it starts anew.
            v = jnp.where(jnp.isfinite(q), v, state.noise)
            ceiling = jnp.where(anew, jnp.inf, state.step_size)
            falling = jnp.minimum(ceiling, jnp.where(q > 0, step_times_curvature / q, jnp.inf))
            falling = jnp.where(jnp.isfinite(falling), falling, state.step_size)
            state = state._replace(steepest=v, step_size=falling)

        def step(carry: Any, of_step: tuple[Params | Key[Array, ""], Rows | None]) -> Any:
            w, before, second, _, virial, epsilon = carry
            noise, rows = of_step
            zeta = noise = noise if ahead else normal(noise, dim, dtype)
            g = gradient(w, rows)
            virial = virial + jnp.sum((w - posterior.w_star) * g)  # the rows know nothing of w: no bias
            second = diagonal.average(second, g, preconditioner, state.rounds == 0)
            g = state.scale * g
            if auto:
                noise = momentum * (before - jnp.sqrt(epsilon) * g) + jnp.sqrt(1 - momentum**2) * noise
                zeta = 0.5 * (noise + before)
            w = w + state.scale * (jnp.sqrt(epsilon) * zeta - 0.5 * epsilon * g)
            return (w, noise, second, jnp.sum(g**2), virial, epsilon), None

        def draw(state: State, of_draw: Key[Array, " streams_and_1"]) -> Any:
            epsilon, rows = state.step_size, None
            if batch is not None:
                looks = steps.HEAT_BATCHES if auto else 0
                rows = jax.random.randint(of_draw[-1], (thin + looks, batch), 0, posterior.n)
                if auto:  # the first draw, before any heat is known, as if there were no momentum
                    limited = steps.limited(epsilon, state.heat, state.llc, state.n)
                    epsilon = jnp.where(state.n > 0, limited, epsilon / amplified)
            zero = jnp.zeros_like(epsilon)
            carry = (state.w, state.noise, state.second, zero, zero, epsilon)
            noise = normal(of_draw[0], thin * dim, dtype).reshape(thin, dim) if ahead else of_draw[:thin]
            of_steps = (noise, None if rows is None else rows[:thin])
            (w, noise, second, squared, virial, _), _ = jax.lax.scan(step, carry, of_steps)
            loss = posterior.loss(w).astype(dtype)  # a user's may have one of its own
            exploded = jnp.asarray(False)
            if auto:
                rise = posterior.nbeta * (loss - loss_star) + 0.5 * posterior.gamma * jnp.sum(
                    (w - posterior.w_star) ** 2
                )
                exploded = ~(rise < EXPLODED[0] * w.size + EXPLODED[1])  # so that NaN counts
                # At rest: what carried it up would do so again, with ever smaller steps.
                back = (state.w, jnp.zeros_like(noise), state.second, state.loss)
                w, noise, second, loss = (
                    jnp.where(exploded, old, new) for old, new in zip(back, (w, noise, second, loss), strict=True)
                )
                state = state._replace(step_size=state.step_size * jnp.where(exploded, SHRINK, 1.0))
                squared = jnp.zeros_like(squared)
                if rows is not None:
                    squared = amplified * steps.heat(gradient, w, state.scale, rows[thin:], epsilon)
                    squared = jnp.where(exploded, 0.0, squared)  # there is none of this step's in w
            state = state._replace(
                w=w,
                noise=noise,
                second=second,
                loss=loss,
                heat=state.heat + jnp.where(jnp.isfinite(squared), squared, 0.0),
                llc=state.llc + jnp.where(exploded, 0.0, posterior.nbeta * (loss - loss_star)),
                n=state.n + ~exploded,
            )
            return state, {
                "loss": loss,
                "distance2": jnp.sum((w - posterior.w_star) ** 2),
                "virial": jnp.where(exploded, w.size, virial / thin),
                "step_size": epsilon,
                "excess": epsilon * squared / 8,
                "diverging": exploded,
                **posterior.elsewhere(w),
            }

        return jax.lax.scan(draw, state._replace(rounds=state.rounds + 1), of_chain[1:])

    # All keys at once, and all rows of a draw: each place that draws takes a quarter of a second to compile.
    state, stats = jax.vmap(chain)(keys(key, len(state.step_size), draws + 1, streams + 1), state)
    per_step = (2 if control else 1) * (1.0 if batch is None else batch / posterior.n)
    per_draw = per_step * (thin + (steps.HEAT_GRADIENTS if auto and batch is not None else 0))
    per_draw += steps.GRADIENTS_PER_LOSS * n_rows(posterior.full) / posterior.n
    per_draw += steps.product_work(posterior, batch, products) / draws if auto else 0.0
    return state, {**stats, "work": jnp.full(stats["loss"].shape, per_draw)}


def _with_scale(state: State, scale: Params, anew: Bool[Array, ""]) -> State:
    """Return the state in the coordinates of √G, if they are new; what was measured in others is forgotten."""
    changed = {"scale": jnp.broadcast_to(scale, state.scale.shape)}
    changed |= {name: jnp.zeros_like(state.n) for name in ("heat", "llc", "n")}
    return state._replace(**{name: jnp.where(anew, new, getattr(state, name)) for name, new in changed.items()})
