"""Hamiltonian Monte Carlo: NumPyro's kernels, without keeping the weights; NUTS shares them."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key
from numpyro.infer.hmc import hmc as numpyro_hmc

from llc.posterior import Number, Posterior
from llc.samplers.trace import Trace, timed


def hmc(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    target_accept: float,
    trajectory_length: float,
    warmup: int,
    draws: int,
    chains: int,
) -> Trace:
    """Draw chains with HMC, step size and diagonal mass adapted per chain.

    Each trajectory's length is drawn anew from U(0, 2 × ``trajectory_length``): one fixed
    length resonates with some direction of a quadratic, and that direction does not mix.

    References
    ----------
    Neal (2011), Handbook of Markov Chain Monte Carlo, ch. 5, arXiv 1206.1901.
    """
    return sample(
        key, posterior, target_accept, trajectory_length, max_tree_depth=None, warmup=warmup, draws=draws, chains=chains
    )


def sample(
    key: Key[Array, ""],
    posterior: Posterior,
    target_accept: float,
    trajectory_length: float | None,
    *,
    max_tree_depth: int | None,
    warmup: int,
    draws: int,
    chains: int,
) -> Trace:
    """Draw chains with one of NumPyro's kernels: NUTS if ``trajectory_length`` is None, else HMC."""
    (stats, n_steps, step_size), compile_s, sample_s = timed(
        _run,
        key,
        posterior,
        target_accept,
        trajectory_length,
        max_tree_depth=max_tree_depth,
        warmup=warmup,
        draws=draws,
        chains=chains,
    )
    stats = {name: np.asarray(values) for name, values in stats.items()}
    return Trace(
        loss=stats.pop("loss"),
        n_grad_evals=float(np.asarray(n_steps, dtype=np.float64).sum()),
        stats=stats,
        tuned={"step_size": np.asarray(step_size)},
        time_compile_s=compile_s,
        time_sample_s=sample_s,
    )


@partial(jax.jit, static_argnames=("max_tree_depth", "warmup", "draws", "chains"))
def _run(
    key: Key[Array, ""],
    posterior: Posterior,
    target_accept: Number,
    trajectory_length: Number | None,
    *,
    max_tree_depth: int | None,
    warmup: int,
    draws: int,
    chains: int,
) -> tuple[dict[str, Array], Array, Float[Array, " chains"]]:
    def chain(key: Key[Array, ""]) -> Any:
        init, kernel = numpyro_hmc(posterior.potential, algo="NUTS" if trajectory_length is None else "HMC")
        key_init, key_length = jax.random.split(key)
        state = init(
            posterior.w_star,
            warmup,
            target_accept_prob=target_accept,
            trajectory_length=trajectory_length,
            max_tree_depth=max_tree_depth or 10,
            rng_key=key_init,
        )
        jitter = jax.random.uniform(key_length, (warmup + draws,), state.z.dtype, 0.0, 2.0)

        # Warm-up and draws are one scan, so that the kernel is compiled once and not twice.
        def draw(state: Any, factor: Array) -> Any:
            if trajectory_length is not None:
                state = state._replace(trajectory_length=trajectory_length * factor)
            state = kernel(state)
            return state, {
                "loss": posterior.loss_of_potential(state.potential_energy, state.z),
                "acceptance_rate": state.accept_prob,
                "diverging": state.diverging,
                "n_steps": state.num_steps,
            }

        state, stats = jax.lax.scan(draw, state, jitter)
        kept = {name: values[warmup:] for name, values in stats.items()}
        return kept, stats["n_steps"], state.adapt_state.step_size

    return jax.vmap(chain)(jax.random.split(key, chains))
