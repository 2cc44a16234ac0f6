"""The chains of SGLD, see ``llc.samplers.sgld``: their steps, and what is looked up along them to choose how long."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from llc.loss.rows import Params, Scalar, n_rows
from llc.posterior import Posterior
from llc.samplers import preconditioner as diagonal
from llc.samplers import steps
from llc.samplers.chains import chain_keys, gather_chains, over_chains
from llc.samplers.normals import FEW, normal
from llc.samplers.steps import Scale

EXPLODED = (5.0, 10.0)  # rise of U above U(w*), per parameter and beside: at equilibrium it is about ½ and 0
SHRINK = 0.5  # of the step, when a chain has exploded and is set back

Rows = Int[Array, " batch"]


class State(NamedTuple):
    """State of one chain."""

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


def start(
    key: Key[Array, ""], w_star: Params, loss_star: Scalar, step_size: float, *, scaled: bool, chains: int
) -> State:
    """Return the state of all chains at w*, with directions to look for the curvature in that differ."""
    # By NumPy, whose normals are no program to compile.
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    w = np.tile(np.asarray(w_star), (chains, 1))
    noise, v = rng.standard_normal((2, *w.shape), w.dtype)
    zero, rounds = np.zeros(chains, w.dtype), np.zeros(chains, np.int32)
    step, loss = np.full_like(zero, step_size), np.full_like(zero, loss_star)
    second = np.zeros_like(w) if scaled else zero
    return State(*map(jax.device_put, (w, noise, v, step, loss, second + 1, second, rounds, zero, zero, zero)))


@partial(jax.jit, static_argnames=("auto", "batch", "control", "preconditioner", "draws", "thin"))
def advance(
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
    """Advance all chains by so many ``draws`` of ``thin`` steps each; see ``llc.samplers.rounds.collect``.

    Parameters
    ----------
    auto
        Whether the step is chosen here and the scheme is BAOAB; else it is plain SGLD.
    batch
        Rows of a gradient; None: all.
    control
        Whether control variates are used.
    """
    grad_star = posterior.gradient(posterior.w_star) if control else None
    first = anew = state.rounds[0] == 0  # in coordinates that are new
    if preconditioner != "none":
        scaled = state.rounds[0] == 1
        state = _with_scale(state, diagonal.root(gather_chains(state.second)), scaled)
        anew = anew | scaled
    step_times_curvature = jnp.where(momentum > 0, steps.WITH_MOMENTUM, steps.STEP_TIMES_CURVATURE)
    amplified = (1 + momentum) / (1 - momentum)  # what momentum makes of ε, for heat and slow directions
    dim, dtype = posterior.w_star.size, posterior.w_star.dtype
    # All of a draw's normals at once: of few parameters a step is a chain of short operations, here an eighth fewer.
    ahead = dim < FEW
    streams = 1 if ahead else thin  # of normals, for each draw

    def gradient(w: Params, rows: Rows | None) -> Params:
        found = posterior.gradient(w, rows)
        return found if grad_star is None else found - posterior.gradient(posterior.w_star, rows) + grad_star

    def look(key: Key[Array, ""], state: State) -> State:
        """Let the step fall to what the largest curvature allows."""
        q, v = steps.curvature(
            key, posterior, state.w, state.scale, state.steepest, batch, step_times_curvature, state.step_size, anew
        )
        ceiling = jnp.where(anew, jnp.inf, state.step_size)
        falling = jnp.minimum(ceiling, jnp.where(q > 0, step_times_curvature / q, jnp.inf))
        falling = jnp.where(jnp.isfinite(falling), falling, state.step_size)
        return state._replace(steepest=v, step_size=falling)

    def step(state: State, carry: Any, of_step: tuple[Params | Key[Array, ""], Rows | None]) -> Any:
        w, before, second, _, virial, epsilon = carry
        noise, rows = of_step
        zeta = noise = noise if ahead else normal(noise, dim, dtype)
        g = gradient(w, rows)
        virial = virial + jnp.sum((w - posterior.w_star) * g)  # the rows know nothing of w: no bias
        second = diagonal.average(second, g, preconditioner, first)
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
        (w, noise, second, squared, virial, _), _ = jax.lax.scan(partial(step, state), carry, of_steps)
        loss = posterior.loss(w).astype(dtype)  # a user's may have one of its own
        new = state._replace(w=w, noise=noise, second=second, loss=loss)
        exploded = jnp.asarray(False)
        if auto:
            exploded = _exploded(posterior, new, loss_star)
            # At rest: what carried it up would do so again, with ever smaller steps.
            back = state._replace(noise=jnp.zeros_like(noise), step_size=SHRINK * state.step_size)
            new = jax.tree.map(partial(jnp.where, exploded), back, new)
            squared = jnp.zeros_like(squared)
            if rows is not None:
                squared = amplified * steps.heat(gradient, new.w, state.scale, rows[thin:], epsilon)
                squared = jnp.where(exploded, 0.0, squared)  # there is none of this step's in w
        new = new._replace(
            heat=state.heat + jnp.where(jnp.isfinite(squared), squared, 0.0),
            llc=state.llc + jnp.where(exploded, 0.0, posterior.nbeta * (new.loss - loss_star)),
            n=state.n + ~exploded,
        )
        return new, {
            "loss": new.loss,
            "distance2": jnp.sum((new.w - posterior.w_star) ** 2),
            "virial": jnp.where(exploded, dim, virial / thin),
            "step_size": epsilon,
            "excess": epsilon * squared / 8,
            "diverging": exploded,
            **posterior.elsewhere(new.w),
        }

    def chain(of_chain: Key[Array, "draws_and_1 streams_and_1"], state: State) -> Any:
        state = look(of_chain[0, 0], state) if auto else state
        return jax.lax.scan(draw, state._replace(rounds=state.rounds + 1), of_chain[1:])

    # All keys at once, and all rows of a draw: each place that draws takes a quarter of a second to compile.
    chains = len(state.step_size)
    of_all = over_chains(posterior, chain, chains, n_rows(posterior.full) if batch is None else batch)
    state, stats = of_all(chain_keys(key, chains, draws + 1, streams + 1), state)
    work = steps.draw_work(posterior, batch, thin, auto=auto, control=control)
    work += steps.look_work(posterior, batch, anew) / draws if auto else 0.0
    return state, {**stats, "work": jnp.full(stats["loss"].shape, work)}


def _exploded(posterior: Posterior, state: State, loss_star: Scalar) -> Bool[Array, ""]:
    """Return whether U has risen far above what it is at equilibrium; NaN counts."""
    away = 0.5 * posterior.gamma * jnp.sum((state.w - posterior.w_star) ** 2)
    rise = posterior.nbeta * (state.loss - loss_star) + away
    return ~(rise < EXPLODED[0] * state.w.size + EXPLODED[1])


def _with_scale(state: State, scale: Params, anew: Bool[Array, ""]) -> State:
    """Return the state in the coordinates of √G, if they are new; what was measured in others is forgotten."""
    changed = {"scale": jnp.broadcast_to(scale, state.scale.shape)}
    changed |= {name: jnp.zeros_like(state.n) for name in ("heat", "llc", "n")}
    return state._replace(**{name: jnp.where(anew, new, getattr(state, name)) for name, new in changed.items()})
