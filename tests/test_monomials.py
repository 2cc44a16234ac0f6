"""Samplers on f = w1^a w2^b, the smallest singular models, against exact values at n = 1000."""

from itertools import combinations_with_replacement

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from llc import expected, samplers, seeds
from llc.config import SamplerConfig, SgldConfig
from llc.diagnostics import diagnose
from llc.likelihood import Batch
from llc.limits import DIVERGENT_MAX, MCSE_TARGET
from llc.posterior import Posterior
from llc.samplers.sgld import sgld

A, GAMMA = 1000 / np.log(1000), 1.0
STIFF = A * 100 / 6  # as in conf/sweep/crossing.yaml: x ~ U[−10, 10]


def monomial(w: jax.Array, data: Batch) -> jax.Array:
    """w1^2a w2^2b, a and b as rows of x that pick a power: one program for all of them."""
    return jnp.prod(jnp.sum(data.x * w[:, None] ** jnp.array([2, 4, 6]), axis=1))


def posterior(exponents: tuple[int, int], a: float = A) -> Posterior:
    powers = np.eye(3)[np.subtract(exponents, 1)]
    rows = Batch(jnp.asarray(powers, jnp.float32), jnp.zeros((2, 1)), jnp.float32(1))
    return Posterior(monomial, rows, rows, jnp.zeros(2), jnp.float32(a), jnp.float32(GAMMA))


@pytest.mark.parametrize("exponents", list(combinations_with_replacement([1, 2, 3], 2)))
def test_sgld_that_chooses_its_step_gives_the_exact_value(exponents: tuple[int, int]) -> None:
    """At w* the curvature is γ alone, 300 times smaller than along the lines that cross there."""
    settings = {**vars(SgldConfig()), "draws": 25_000, "thin": 50}
    trace = sgld(seeds.key(0, "sgld"), posterior(exponents), **settings)
    found, exact = diagnose(A * trace.loss.astype(np.float64)), expected.monomial(exponents, A, GAMMA)
    assert found.mcse is not None
    assert found.mcse < 0.02 * exact
    assert abs(found.mean - exact) < 4 * found.mcse
    exploded = trace.stats["diverging"]
    assert exploded.mean() < 1e-3
    assert (trace.stats["virial"][exploded] == 2).all()  # neither too hot nor too cold
    assert np.isfinite(trace.stats["virial"]).all()


@pytest.mark.parametrize(("name", "exponents"), [("hmc", (1, 3)), ("nuts", (3, 2)), ("mclmc", (1, 3))])
def test_an_adjusted_sampler_takes_smaller_steps_where_its_draws_diverge(name: str, exponents: tuple[int, int]) -> None:
    """With the step that its acceptance asks for, NUTS is 9 % low on w1 w2³, and its chains agree."""
    settings = {**vars(getattr(SamplerConfig(), name)), "budget": 2e6}
    trace = samplers.load(name)(seeds.key(0, name), posterior(exponents, STIFF), **settings)
    found, exact = diagnose(STIFF * trace.loss.astype(np.float64)), expected.monomial(exponents, STIFF, GAMMA)
    assert trace.ended == "converged"
    assert trace.stats["diverging"].mean() <= DIVERGENT_MAX
    assert found.mcse is not None
    assert found.mcse < 1.1 * MCSE_TARGET * exact
    assert abs(found.mean - exact) < 3 * found.mcse  # so 6.6 % at most, and less than it would be low
