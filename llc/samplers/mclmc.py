"""Microcanonical Langevin Monte Carlo: BlackJAX's kernel and tuning."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.adaptation.mclmc_adaptation import MCLMCAdaptationState
from blackjax.mcmc.mclmc import build_kernel
from jaxtyping import Array, Float, Int, Key

from llc.posterior import Number, Params, Posterior
from llc.samplers.rounds import Clock, collect
from llc.samplers.trace import Trace

GRADIENTS_PER_STEP = 2  # of the isokinetic McLachlan integrator
POWER_ITERATIONS = 20  # each a Hessian-vector product, done once and not per chain
GRADIENTS_PER_PRODUCT = 2


def mclmc(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    energy_error: float,
    warmup: int,
    draws: int | None,
    thin: int,
    chains: int,
    budget: float,
) -> Trace:
    """Draw chains of unadjusted MCLMC; step size, L and diagonal mass are tuned per chain.

    Parameters
    ----------
    energy_error
        Variance of the energy error of one step, per dimension. There is no acceptance step,
        so it sets the bias: the usual 5e-4 is a few per cent hot, 1e-6 is not visibly so.
    warmup
        Tuning steps: a quarter find the step size, the others the mass.
    thin
        Steps per draw.

    References
    ----------
    Robnik, De Luca, Silverstein and Seljak (2023), JMLR 24, arXiv 2212.08549; Cabezas et al.
    (2024), BlackJAX, arXiv 2402.10797.
    """
    clock = Clock()
    key_start, key_draws = jax.random.split(key)
    start = clock.compile(_start, key_start, posterior, energy_error, warmup=warmup, chains=chains)
    tuning = GRADIENTS_PER_STEP * _tuning_steps(warmup) + GRADIENTS_PER_PRODUCT * POWER_ITERATIONS / chains
    (_, tuned), trace = collect(
        key_draws, posterior, start(key_start, posterior, energy_error), _advance, (), clock,
        tuning=0, draws=draws, budget=budget, start_work=tuning, thin=thin,
    )  # fmt: skip
    return replace(
        trace,
        tuned={"step_size": np.asarray(tuned.step_size), "momentum_decoherence_length": np.asarray(tuned.L)},
    )


# Fractions of the warm-up. The second phase runs a third longer to adapt the step to the mass.
FRAC_STEP, FRAC_MASS = 0.25, 0.5625


def _tuning_steps(warmup: int) -> int:
    mass = round(warmup * FRAC_MASS)
    return round(warmup * FRAC_STEP) + mass + round(mass / 3)


def _narrowest_scale(key: Key[Array, ""], posterior: Posterior) -> Float[Array, ""]:
    """Return 1/√q, q the largest curvature of U at w*, by power iteration.

    BlackJAX starts its tuning as if every direction had width 1. Where one is much narrower
    the first steps throw the chain far out, and it does not come back.
    """
    gradient = jax.grad(posterior.potential)

    def multiply(_: Int[Array, ""] | int, v: Params) -> Params:
        v = jax.jvp(gradient, (posterior.w_star,), (v,))[1]
        return v / jnp.linalg.norm(v)

    v = jax.random.normal(key, posterior.w_star.shape, posterior.w_star.dtype)
    v = jax.lax.fori_loop(0, POWER_ITERATIONS - 1, multiply, v / jnp.linalg.norm(v))
    return jax.lax.rsqrt(jnp.linalg.norm(jax.jvp(gradient, (posterior.w_star,), (v,))[1]))


@partial(jax.jit, static_argnames=("warmup", "chains"))
def _start(key: Key[Array, ""], posterior: Posterior, energy_error: Number, *, warmup: int, chains: int) -> Any:
    """Return the state and the tuned parameters of each chain."""

    def logdensity(w: Array) -> Array:
        return -posterior.potential(w)

    key_scale, key_chains = jax.random.split(key)
    width = _narrowest_scale(key_scale, posterior) * jnp.sqrt(posterior.w_star.size)
    start = MCLMCAdaptationState(width, 0.25 * width, jnp.ones_like(posterior.w_star))

    def chain(key: Key[Array, ""]) -> Any:
        key_init, key_tune = jax.random.split(key)
        state = blackjax.mclmc.init(posterior.w_star, logdensity, key_init)
        # The third phase of the tuning stores every position, draws × parameters: left out.
        state, tuned, _ = blackjax.mclmc_find_L_and_step_size(
            mclmc_kernel=build_kernel(),
            num_steps=warmup,
            state=state,
            rng_key=key_tune,
            logdensity_fn=logdensity,
            frac_tune1=FRAC_STEP,
            frac_tune2=FRAC_MASS,
            frac_tune3=0.0,
            desired_energy_var=energy_error,
            diagonal_preconditioning=True,
            params=start,
        )
        return state, tuned

    return jax.vmap(chain)(jax.random.split(key_chains, chains))


@partial(jax.jit, static_argnames=("draws", "thin"))
def _advance(
    key: Key[Array, ""], posterior: Posterior, state: Any, *, draws: int, thin: int
) -> tuple[Any, dict[str, Array]]:
    kernel = build_kernel()

    def logdensity(w: Array) -> Array:
        return -posterior.potential(w)

    def chain(key: Key[Array, ""], state: Any) -> Any:
        state, tuned = state

        def step(state: Any, key: Key[Array, ""]) -> Any:
            state, info = kernel(key, state, logdensity, tuned.inverse_mass_matrix, tuned.L, tuned.step_size)
            return state, info.energy_change

        def draw(state: Any, key: Key[Array, ""]) -> Any:
            state, change = jax.lax.scan(step, state, jax.random.split(key, thin))
            return state, {
                "loss": posterior.loss_of_potential(-state.logdensity, state.position),
                "distance2": jnp.sum((state.position - posterior.w_star) ** 2),
                "energy_change": change[-1],
                "work": jnp.asarray(GRADIENTS_PER_STEP * thin),
            }

        state, stats = jax.lax.scan(draw, state, jax.random.split(key, draws))
        return (state, tuned), stats

    return jax.vmap(chain)(jax.random.split(key, len(state[1].L)), state)
