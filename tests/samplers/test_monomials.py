"""Samplers on f = w1^a w2^b, the smallest singular models, against exact values at n = 1000."""

import numpy as np
import pytest
from problems import GAMMA, A, monomial_posterior

from llc import samplers, seeds
from llc.config import SamplerConfig, SgldConfig
from llc.estimates.diagnostics import diagnose
from llc.estimates.limits import DIVERGENT_MAX, MCSE_TARGET
from llc.exact import expected
from llc.samplers.sgld import sgld

STIFF = A * 100 / 6  # as in conf/sweep/crossing.yaml: x ~ U[−10, 10]


@pytest.mark.parametrize("exponents", [(1, 1), (1, 3), (2, 3), (3, 3)])
def test_sgld_that_chooses_its_step_gives_the_exact_value(exponents: tuple[int, int]) -> None:
    """At w* the curvature is γ alone, 300 times smaller than along the lines that cross there."""
    settings = {**vars(SgldConfig()), "draws": 25_000, "thin": 50}
    trace = sgld(seeds.key(0, "sgld"), monomial_posterior(exponents), **settings)
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
    trace = samplers.load(name)(seeds.key(0, name), monomial_posterior(exponents, STIFF), **settings)
    found, exact = diagnose(STIFF * trace.loss.astype(np.float64)), expected.monomial(exponents, STIFF, GAMMA)
    assert trace.ended == "converged"
    assert trace.stats["diverging"].mean() <= DIVERGENT_MAX
    assert found.mcse is not None
    assert found.mcse < 1.1 * MCSE_TARGET * exact
    assert abs(found.mean - exact) < 3 * found.mcse  # so 6.6 % at most, and less than it would be low
