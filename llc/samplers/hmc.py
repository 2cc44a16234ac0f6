"""Hamiltonian Monte Carlo: NumPyro's kernels, without keeping the weights; NUTS shares them."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key
from numpyro.infer.hmc import HMCState

from llc.estimates.trace import Trace
from llc.loss.rows import Number
from llc.posterior import Posterior
from llc.samplers.chains import by_chain, over_chains
from llc.samplers.trajectories import (
    LONGEST_JITTER,
    jitters,
    kernel,
    longest,
    recorded,
    sample,
    scales,
    with_step,
)


def hmc(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    target_accept: float,
    trajectory_length: float,
    warmup: int,
    draws: int | None,
    chains: int,
    budget: float,
) -> Trace:
    """Draw chains with HMC, diagonal mass adapted per chain, and a step size that they share.

    Each trajectory's length is drawn anew from U(0, 2 × ``trajectory_length``): one fixed
    length resonates with some direction of a quadratic, and that direction does not mix. None
    has more than ``MAX_STEPS`` steps, nor than ``TUNING_STEPS`` in warm-up, nor is a step longer than the longest.

    References
    ----------
    Neal (2011), Handbook of Markov Chain Monte Carlo, ch. 5, arXiv 1206.1901.
    """
    return sample(
        key, posterior, advance, target_accept, trajectory_length,
        warmup=warmup, draws=draws, chains=chains, budget=budget, max_tree_depth=None,
    )  # fmt: skip


@partial(jax.jit, static_argnames=("max_tree_depth", "warmup", "draws"))
def advance(
    key: Key[Array, ""],
    posterior: Posterior,
    state: HMCState,
    target_accept: Number,
    trajectory_length: Number | None,
    smallest: Number,
    *,
    max_tree_depth: int | None,
    warmup: int,
    draws: int,
) -> tuple[HMCState, dict[str, Array]]:
    """Advance all chains by so many ``draws``, with NUTS if ``trajectory_length`` is None, else HMC."""
    key_kernel, key_jitter, key_scales = jax.random.split(key, 3)
    next_state, _ = kernel(key_kernel, posterior, target_accept, trajectory_length, max_tree_depth, warmup)

    # The kernel adapts as long as its state says that it is warming up: one program for both.
    def draw(state: HMCState, inputs: tuple[Array, Array]) -> tuple[HMCState, dict[str, Array]]:
        factor, scale = inputs

        def of_chain(state: HMCState) -> tuple[HMCState, dict[str, Array]]:
            adapting, step_size = state.i < warmup, state.adapt_state.step_size
            smaller = jnp.where(adapting, 1.0, scale)
            if trajectory_length is not None:
                limit = longest(adapting) * step_size
                state = state._replace(trajectory_length=smaller * jnp.minimum(trajectory_length * factor, limit))
            state = next_state(with_step(state, smaller * step_size))
            adapted = state.adapt_state.step_size
            if trajectory_length is not None:  # beyond it changes nothing but itself, and it would grow without end
                adapted = jnp.minimum(adapted, LONGEST_JITTER * trajectory_length)
            work = jnp.maximum(state.num_steps, 1)  # a length may be 0
            return with_step(state, jnp.where(adapting, adapted, step_size)), recorded(posterior, state, work)

        return over_chains(posterior, of_chain, len(state.i))(state)

    each = (jitters(key_jitter, draws, posterior.w_star.dtype), scales(key_scales, smallest, draws))
    state, stats = jax.lax.scan(draw, state, each)
    return state, by_chain(stats)
