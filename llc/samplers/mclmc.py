"""Metropolis-adjusted microcanonical Monte Carlo: BlackJAX's kernel, tuned as NumPyro tunes HMC."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc.adjusted_mclmc import adjusted_mclmc_proposal
from blackjax.mcmc.hmc import HMCInfo, HMCState
from blackjax.mcmc.integrators import IntegratorState as At
from blackjax.mcmc.integrators import isokinetic_mclachlan
from blackjax.util import generate_unit_vector
from jaxtyping import Array, Float, Int, Key
from numpyro.infer.hmc_util import IntegratorState, warmup_adapter

from llc.estimates.trace import Trace
from llc.loss.rows import Number, Params, Scalar
from llc.posterior import Posterior
from llc.samplers.careful import carefully
from llc.samplers.chains import by_chain, chain_keys, median_step, over_chains
from llc.samplers.hmc import LONGEST_JITTER, begin, longest, scales
from llc.samplers.rounds import Clock, collect

DIVERGENT = 10.0  # energy error of a trajectory; at a constant speed it stays far below HMC's 1000
GRADIENTS_PER_STEP = 2  # of the isokinetic McLachlan integrator


def mclmc(
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
    """Draw chains of adjusted microcanonical dynamics, diagonal mass adapted per chain, one step size for all.

    The speed is constant and the direction is drawn anew at each trajectory, whose end is accepted
    or rejected: no step size makes a bias. Without that step it is a few per cent hot at the usual
    energy error, and did not mix on deep linear networks at an error where it is not.

    Parameters
    ----------
    target_accept
        Mean acceptance that the step size is adapted to.
    trajectory_length
        Mean, in units of the adapted metric, as HMC's: at speed √dim a time of π/2 crosses a
        standard normal. Each is U(0, 2) times it, and bounded as HMC's are.
    warmup
        Adaptation draws, dropped.

    Raises
    ------
    ValueError
        If one parameter moves: at a constant speed it has no direction to draw.

    References
    ----------
    Robnik, De Luca, Silverstein and Seljak (2023), JMLR 24, arXiv 2212.08549; Robnik, Cohn-Gordon
    and Seljak (2025), arXiv 2503.01707, for the acceptance step; Cabezas et al. (2024), BlackJAX,
    arXiv 2402.10797.
    """
    if posterior.w_star.size < 2:
        raise ValueError("mclmc: needs two parameters that move, or more, here it is one; take nuts or hmc")
    clock = Clock()
    key_start, key_draws = jax.random.split(key)
    start = clock.compile(begin, key_start, posterior, chains=chains)

    def run(target_accept: float, smallest: float, **more: Any) -> tuple[Any, Trace]:
        hyper = (target_accept, trajectory_length, smallest)
        return collect(
            key_draws, posterior, _state(start(key_start, posterior)), _advance, hyper, clock,
            tuning=warmup, draws=draws, budget=budget, share=_shared, warmup=warmup, **more,
        )  # fmt: skip

    state, trace = carefully(run, target_accept, draws)
    return replace(trace, tuned={"step_size": np.asarray(state.adapted.step_size)})


class State(NamedTuple):
    """State of one chain."""

    at: IntegratorState  # position, potential and its gradient, as NumPyro has them; no momentum
    adapted: Any  # NumPyro's: step size, mass and what they are adapted with
    n: Int[Array, ""]  # draws so far


def _state(of_hmc: Any) -> State:
    """Return what HMC begins with as what this sampler begins with: one program for both."""
    at = IntegratorState(of_hmc.z, None, of_hmc.potential_energy, of_hmc.z_grad)
    return State(at, of_hmc.adapt_state, of_hmc.i)


def _shared(state: State) -> State:
    return state._replace(adapted=state.adapted._replace(step_size=median_step(state.adapted.step_size)))


def _transition(
    key: Key[Array, ""],
    at: HMCState,
    log_density: Any,
    step_size: Scalar,
    steps: Int[Array, ""],
    inverse_mass: Params,
) -> tuple[HMCState, HMCInfo]:
    """Return what BlackJAX's ``adjusted_mclmc.build_kernel(divergence_threshold=DIVERGENT)`` does.

    That makes two normals of each parameter at each step, for a noise that is then not added: on 51 parameters and 100
    rows that was four tenths of the time.
    """
    key_direction, key_trajectory = jax.random.split(key)
    integrate = isokinetic_mclachlan(log_density, inverse_mass)
    begin = At(at.position, generate_unit_vector(key_direction, at.position), at.logdensity, at.logdensity_grad)
    propose = adjusted_mclmc_proposal(
        lambda state, step_size, length, key: integrate(state, step_size), step_size, jnp.inf, steps, DIVERGENT
    )
    end, info, _ = propose(key_trajectory, begin)
    return HMCState(end.position, end.logdensity, end.logdensity_grad), info


@partial(jax.jit, static_argnames=("warmup", "draws"))
def _advance(
    key: Key[Array, ""],
    posterior: Posterior,
    state: State,
    target_accept: Number,
    trajectory_length: Number,
    smallest: Number,
    *,
    warmup: int,
    draws: int,
) -> tuple[State, dict[str, Float[Array, "chains draws"]]]:
    _, adapt = warmup_adapter(warmup, target_accept_prob=target_accept)
    key_chains, key_jitter, key_scales = jax.random.split(key, 3)
    speed = jnp.sqrt(posterior.w_star.size)
    # One for all chains: side by side they wait for the longest.
    jitter = jax.random.uniform(key_jitter, (draws,), posterior.w_star.dtype, 0.0, LONGEST_JITTER)
    by_draw = jax.vmap(lambda key: jax.random.split(key, draws))(chain_keys(key_chains, len(state.n))).swapaxes(0, 1)

    def draw(state: State, inputs: Any) -> Any:
        of_draw, factor, scale = inputs

        def of_chain(key: Key[Array, ""], state: State) -> Any:
            at, adapted, n = state
            step = speed * adapted.step_size * jnp.where(n < warmup, 1.0, scale)
            steps = trajectory_length * factor / adapted.step_size
            steps = jnp.ceil(jnp.clip(steps, 1, longest(n < warmup))).astype(int)
            of_blackjax = HMCState(at.z, -at.potential_energy, -at.z_grad)
            end, info = _transition(
                key, of_blackjax, lambda w: -posterior.potential(w), step, steps, adapted.inverse_mass_matrix
            )
            at = IntegratorState(end.position, None, -end.logdensity, -end.logdensity_grad)
            tuned = adapt(n, info.acceptance_rate, at, adapted)
            adapted = jax.tree.map(partial(jnp.where, n < warmup), tuned, adapted)
            return State(at, adapted, n + 1), {
                "loss": posterior.loss_of_potential(at.potential_energy, at.z),
                "distance2": jnp.sum((at.z - posterior.w_star) ** 2),
                "virial": jnp.sum((at.z - posterior.w_star) * at.z_grad),
                "acceptance_rate": info.acceptance_rate,
                "diverging": info.is_divergent,
                "n_steps": steps,
                "work": GRADIENTS_PER_STEP * steps,
                **posterior.elsewhere(at.z),
            }

        return over_chains(posterior, of_chain, len(state.n))(of_draw, state)

    state, stats = jax.lax.scan(draw, state, (by_draw, jitter, scales(key_scales, smallest, draws)))
    return state, by_chain(stats)
