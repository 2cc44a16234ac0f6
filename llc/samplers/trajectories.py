"""Trajectories, of HMC, NUTS and MCLMC: where chains begin, how long each one is, how they are tuned and recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpyro.infer.hmc import HMCState
from numpyro.infer.hmc import hmc as numpyro_hmc

from llc.estimates.trace import Trace
from llc.loss.rows import Number
from llc.posterior import Posterior
from llc.samplers.careful import carefully
from llc.samplers.chains import median_step
from llc.samplers.rounds import Clock, collect

MAX_STEPS = 1000  # of a trajectory
LONGEST_JITTER = 2.0  # a trajectory's length is U(0, this) times the mean
TUNING_DEPTH = 7  # of a tree while the step is adapted, which goes far below what is right
TUNING_STEPS = 2**TUNING_DEPTH - 1
# Of a program that runs once: compiled in four tenths of the time. A gradient of wide networks takes up to twice as
# long then.
ONCE = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


def sample(
    key: Key[Array, ""],
    posterior: Posterior,
    advance: Callable[..., Any],
    target_accept: float,
    trajectory_length: float | None,
    *,
    warmup: int,
    draws: int | None,
    chains: int,
    budget: float,
    **static: Any,
) -> Trace:
    """Draw chains of trajectories, tuned in ``warmup`` draws and again where too many of those after it diverge.

    Parameters
    ----------
    advance
        ``(key, posterior, state, target_accept, trajectory_length, smallest, *, warmup, draws, **static)``, see
        ``llc.samplers.rounds.collect``; the state is NumPyro's, of all chains, and a draw's step is between
        ``smallest`` times the one that was tuned, and that.
    """
    clock = Clock()
    key_start, key_draws = jax.random.split(key)
    start = clock.compile(begin, key_start, posterior, chains=chains)

    def run(target_accept: float, smallest: float, **more: Any) -> tuple[Any, Trace]:
        hyper = (target_accept, trajectory_length, smallest)
        return collect(
            key_draws, posterior, start(key_start, posterior), advance, hyper, clock,
            weights=attrgetter("z"), tuning=warmup, draws=draws, budget=budget, share=_shared,
            warmup=warmup, **static, **more,
        )  # fmt: skip

    state, trace = carefully(run, target_accept, draws)
    return replace(trace, tuned={"step_size": np.asarray(state.adapt_state.step_size)})


def kernel(
    key: Key[Array, ""],
    posterior: Posterior,
    target_accept: Number,
    trajectory_length: Number | None,
    max_tree_depth: int | None,
    warmup: int,
) -> tuple[Callable[[HMCState], HMCState], HMCState]:
    """Return NumPyro's kernel, which must have made a state before it can advance one, and that state.

    NUTS if ``trajectory_length`` is None, else HMC.
    """
    depth = max_tree_depth or TUNING_DEPTH  # HMC has none
    init, advance = numpyro_hmc(posterior.potential, algo="NUTS" if trajectory_length is None else "HMC")
    state = init(
        posterior.w_star,
        warmup,
        target_accept_prob=target_accept,
        trajectory_length=trajectory_length,
        max_tree_depth=(min(depth, TUNING_DEPTH), depth),
        rng_key=key,
    )
    return advance, state


@partial(jax.jit, static_argnames="chains", compiler_options=ONCE)
def begin(key: Key[Array, ""], posterior: Posterior, *, chains: int) -> HMCState:
    """Return the state of each chain, at w*, which nothing was adapted to."""

    # As for HMC; NUTS and MCLMC have no use for the length: one program for all. Nothing else depends on what is set.
    def chain(key: Key[Array, ""]) -> HMCState:
        return kernel(key, posterior, target_accept=0.8, trajectory_length=1.0, max_tree_depth=None, warmup=1)[1]

    return jax.vmap(chain)(jax.random.split(key, chains))


def jitters(key: Key[Array, ""], draws: int, dtype: jnp.dtype) -> Float[Array, " draws"]:
    """Return a factor of the mean length for each draw, one for all chains: side by side they wait for the longest."""
    return jax.random.uniform(key, (draws,), dtype, 0.0, LONGEST_JITTER)


def scales(key: Key[Array, ""], smallest: Number, draws: int) -> Float[Array, " draws"]:
    """Return a factor of the step size for each draw, log-uniform between ``smallest`` and 1."""
    return smallest ** jax.random.uniform(key, (draws,))


def longest(adapting: Array) -> Array:
    """Return how many steps a trajectory may have."""
    return jnp.where(adapting, TUNING_STEPS, MAX_STEPS)


def recorded(posterior: Posterior, state: HMCState, work: Array) -> dict[str, Array]:
    """Return what a trace has of a draw, which took so many gradients."""
    away = state.z - posterior.w_star
    return {
        "loss": posterior.loss_of_potential(state.potential_energy, state.z),
        "distance2": jnp.sum(away**2),
        "virial": jnp.sum(away * state.z_grad),
        "acceptance_rate": state.accept_prob,
        "diverging": state.diverging,
        "n_steps": state.num_steps,
        "work": work,
        **posterior.elsewhere(state.z),
    }


def with_step(state: HMCState, step_size: Array) -> HMCState:
    """Return the state with another step size."""
    return state._replace(adapt_state=state.adapt_state._replace(step_size=step_size))


def _shared(state: HMCState) -> HMCState:
    return with_step(state, median_step(state.adapt_state.step_size))
