"""Hamiltonian Monte Carlo: NumPyro's kernels, without keeping the weights; NUTS shares them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpyro.infer.hmc import hmc as numpyro_hmc

from llc.estimates.trace import Trace
from llc.loss.rows import Number
from llc.posterior import Posterior
from llc.samplers.careful import carefully
from llc.samplers.chains import by_chain, median_step, over_chains
from llc.samplers.rounds import Clock, collect

MAX_STEPS = 1000  # of a trajectory
LONGEST_JITTER = 2.0  # a trajectory's length is U(0, this) times the mean
TUNING_DEPTH = 7  # of a tree while the step is adapted, which goes far below what is right
TUNING_STEPS = 2**TUNING_DEPTH - 1
# Of a program that runs once: compiled in four tenths of the time. A gradient of wide networks takes up to twice as
# long then.
ONCE = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


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
        key, posterior, target_accept, trajectory_length,
        max_tree_depth=None, warmup=warmup, draws=draws, chains=chains, budget=budget,
    )  # fmt: skip


def sample(
    key: Key[Array, ""],
    posterior: Posterior,
    target_accept: float,
    trajectory_length: float | None,
    *,
    max_tree_depth: int | None,
    warmup: int,
    draws: int | None,
    chains: int,
    budget: float,
) -> Trace:
    """Draw chains with one of NumPyro's kernels: NUTS if ``trajectory_length`` is None, else HMC."""
    clock = Clock()
    key_start, key_draws = jax.random.split(key)
    start = clock.compile(begin, key_start, posterior, chains=chains)

    def run(target_accept: float, smallest: float, **more: Any) -> tuple[Any, Trace]:
        hyper = (target_accept, trajectory_length, smallest)
        return collect(
            key_draws, posterior, start(key_start, posterior), _advance, hyper, clock,
            tuning=warmup, draws=draws, budget=budget, share=_shared,
            max_tree_depth=max_tree_depth, warmup=warmup, **more,
        )  # fmt: skip

    state, trace = carefully(run, target_accept, draws)
    return replace(trace, tuned={"step_size": np.asarray(state.adapt_state.step_size)})


def _kernel(
    key: Key[Array, ""],
    posterior: Posterior,
    target_accept: Number,
    trajectory_length: Number | None,
    max_tree_depth: int | None,
    warmup: int,
) -> tuple[Any, Any]:
    """Return NumPyro's kernel, which must have made a state before it can advance one, and that state."""
    depth = max_tree_depth or TUNING_DEPTH  # HMC has none
    init, kernel = numpyro_hmc(posterior.potential, algo="NUTS" if trajectory_length is None else "HMC")
    state = init(
        posterior.w_star,
        warmup,
        target_accept_prob=target_accept,
        trajectory_length=trajectory_length,
        max_tree_depth=(min(depth, TUNING_DEPTH), depth),
        rng_key=key,
    )
    return kernel, state


def scales(key: Key[Array, ""], smallest: Number, draws: int) -> Float[Array, " draws"]:
    """Return a factor of the step size for each draw, log-uniform between ``smallest`` and 1."""
    return smallest ** jax.random.uniform(key, (draws,))


def longest(adapting: Array) -> Array:
    """Return how many steps a trajectory may have."""
    return jnp.where(adapting, TUNING_STEPS, MAX_STEPS)


@partial(jax.jit, static_argnames="chains", compiler_options=ONCE)
def begin(key: Key[Array, ""], posterior: Posterior, *, chains: int) -> Any:
    """Return NumPyro's state of each chain, at w*, which nothing was adapted to."""

    # As for HMC; NUTS has no use for the length: one program for both. Nothing else depends on what is set here.
    def chain(key: Key[Array, ""]) -> Any:
        return _kernel(key, posterior, target_accept=0.8, trajectory_length=1.0, max_tree_depth=None, warmup=1)[1]

    return jax.vmap(chain)(jax.random.split(key, chains))


@partial(jax.jit, static_argnames=("max_tree_depth", "warmup", "draws"))
def _advance(
    key: Key[Array, ""],
    posterior: Posterior,
    state: Any,
    target_accept: Number,
    trajectory_length: Number | None,
    smallest: Number,
    *,
    max_tree_depth: int | None,
    warmup: int,
    draws: int,
) -> tuple[Any, dict[str, Array]]:
    key_kernel, key_jitter, key_scales = jax.random.split(key, 3)
    # One for all chains: side by side they wait for the longest.
    jitter = jax.random.uniform(key_jitter, (draws,), posterior.w_star.dtype, 0.0, LONGEST_JITTER)
    kernel, _ = _kernel(key_kernel, posterior, target_accept, trajectory_length, max_tree_depth, warmup)

    # The kernel adapts as long as its state says that it is warming up: one program for both.
    def draw(state: Any, inputs: tuple[Array, Array]) -> Any:
        factor, scale = inputs

        def of_chain(state: Any) -> Any:
            adapting, step_size = state.i < warmup, state.adapt_state.step_size
            smaller = jnp.where(adapting, 1.0, scale)
            if trajectory_length is not None:
                limit = longest(adapting) * step_size
                state = state._replace(trajectory_length=smaller * jnp.minimum(trajectory_length * factor, limit))
            state = kernel(_with_step(state, smaller * step_size))
            adapted = state.adapt_state.step_size
            if trajectory_length is not None:  # beyond it changes nothing but itself, and it would grow without end
                adapted = jnp.minimum(adapted, LONGEST_JITTER * trajectory_length)
            return _with_step(state, jnp.where(adapting, adapted, step_size)), {
                "loss": posterior.loss_of_potential(state.potential_energy, state.z),
                "distance2": jnp.sum((state.z - posterior.w_star) ** 2),
                "virial": jnp.sum((state.z - posterior.w_star) * state.z_grad),
                "acceptance_rate": state.accept_prob,
                "diverging": state.diverging,
                "n_steps": state.num_steps,
                "work": jnp.maximum(state.num_steps, 1),  # a length may be 0
                **posterior.elsewhere(state.z),
            }

        return over_chains(posterior, of_chain, len(state.i))(state)

    state, stats = jax.lax.scan(draw, state, (jitter, scales(key_scales, smallest, draws)))
    return state, by_chain(stats)


def _shared(state: Any) -> Any:
    return _with_step(state, median_step(state.adapt_state.step_size))


def _with_step(state: Any, step_size: Array) -> Any:
    return state._replace(adapt_state=state.adapt_state._replace(step_size=step_size))
