"""Hamiltonian Monte Carlo: NumPyro's kernels, without keeping the weights; NUTS shares them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key
from numpyro.infer.hmc import hmc as numpyro_hmc

from llc.posterior import Posterior
from llc.rows import Number
from llc.samplers.rounds import Clock, carefully, collect
from llc.samplers.trace import Trace

MAX_STEPS = 1000  # of a trajectory
TUNING_DEPTH = 7  # of a tree while the step is adapted, which goes far below what is right
TUNING_STEPS = 2**TUNING_DEPTH - 1


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
    """Draw chains with HMC, step size and diagonal mass adapted per chain.

    Each trajectory's length is drawn anew from U(0, 2 × ``trajectory_length``): one fixed
    length resonates with some direction of a quadratic, and that direction does not mix. None
    has more than ``MAX_STEPS`` steps, nor than ``TUNING_STEPS`` in warm-up.

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
    static: dict[str, Any] = {"max_tree_depth": max_tree_depth, "warmup": warmup}
    start = clock.compile(_start, key_start, posterior, target_accept, trajectory_length, chains=chains, **static)

    def run(target_accept: float, **more: Any) -> tuple[Any, Trace]:
        hyper = (target_accept, trajectory_length)
        return collect(
            key_draws, posterior, start(key_start, posterior, *hyper), _advance, hyper, clock,
            tuning=warmup, draws=draws, budget=budget, **static, **more,
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


def longest(adapting: Array) -> Array:
    """Return how many steps a trajectory may have."""
    return jnp.where(adapting, TUNING_STEPS, MAX_STEPS)


@partial(jax.jit, static_argnames=("max_tree_depth", "warmup", "chains"))
def _start(
    key: Key[Array, ""],
    posterior: Posterior,
    target_accept: Number,
    trajectory_length: Number | None,
    *,
    max_tree_depth: int | None,
    warmup: int,
    chains: int,
) -> Any:
    def chain(key: Key[Array, ""]) -> Any:
        return _kernel(key, posterior, target_accept, trajectory_length, max_tree_depth, warmup)[1]

    return jax.vmap(chain)(jax.random.split(key, chains))


@partial(jax.jit, static_argnames=("max_tree_depth", "warmup", "draws"))
def _advance(
    key: Key[Array, ""],
    posterior: Posterior,
    state: Any,
    target_accept: Number,
    trajectory_length: Number | None,
    *,
    max_tree_depth: int | None,
    warmup: int,
    draws: int,
) -> tuple[Any, dict[str, Array]]:
    key_chains, key_jitter = jax.random.split(key)
    # One for all chains: they wait for the longest.
    jitter = jax.random.uniform(key_jitter, (draws,), posterior.w_star.dtype, 0.0, 2.0)

    def chain(key: Key[Array, ""], state: Any) -> Any:
        kernel, _ = _kernel(key, posterior, target_accept, trajectory_length, max_tree_depth, warmup)

        # The kernel adapts as long as its state says that it is warming up: one program for both.
        def draw(state: Any, factor: Array) -> Any:
            if trajectory_length is not None:
                limit = longest(state.i < warmup) * state.adapt_state.step_size
                state = state._replace(trajectory_length=jnp.minimum(trajectory_length * factor, limit))
            state = kernel(state)
            return state, {
                "loss": posterior.loss_of_potential(state.potential_energy, state.z),
                "distance2": jnp.sum((state.z - posterior.w_star) ** 2),
                "virial": jnp.sum((state.z - posterior.w_star) * state.z_grad),
                "acceptance_rate": state.accept_prob,
                "diverging": state.diverging,
                "n_steps": state.num_steps,
                "work": state.num_steps,
                **posterior.elsewhere(state.z),
            }

        return jax.lax.scan(draw, state, jitter)

    return jax.vmap(chain)(jax.random.split(key_chains, len(state.i)), state)
