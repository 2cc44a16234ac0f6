"""From traces to estimates: values, standard errors, what is counted."""

from dataclasses import replace

import numpy as np
import pytest
from arviz_stats.base import array_stats
from tracing import autoregressive, estimate_of, trace_of, verdict_on

from llc.estimates.diagnostics import diagnose
from llc.estimates.limits import ESS_MIN, RHAT_MAX
from llc.samplers import Trace


def test_the_estimate_is_the_tempered_mean_excess_loss() -> None:
    llc = np.random.default_rng(0).gamma(3.0, size=(4, 1000))
    found = estimate_of(llc)
    assert found.llc_mean == pytest.approx(llc.mean(), rel=1e-9)
    assert found.llc_std == pytest.approx(llc.std(ddof=1), rel=1e-9)
    assert found.llc_mcse == pytest.approx(llc.std() / np.sqrt(found.ess), rel=0.02)
    assert found.llc_ci_high - found.llc_ci_low == pytest.approx(2 * 1.96 * found.llc_mcse)
    assert (found.n_chains, found.n_draws, found.status) == (4, 1000, "ok")


def test_the_standard_error_is_calibrated_for_correlated_draws() -> None:
    rng = np.random.default_rng(1)
    found = [estimate_of(autoregressive(rng, 0.8, (4, 1000))) for _ in range(200)]
    z = np.array([(e.llc_mean - 5.0) / e.llc_mcse for e in found])
    # The sd of 200 standard normals is 1 ± 0.05; the MCSE is itself estimated, to about 5 %.
    assert z.std() == pytest.approx(1.0, abs=0.25)
    assert abs(z.mean()) < 4 / np.sqrt(200)
    # AR(1): ESS = N (1 − ρ)/(1 + ρ)
    assert np.mean([e.ess for e in found]) == pytest.approx(4000 * 0.2 / 1.8, rel=0.05)


def test_float32_losses_are_summed_in_float64() -> None:
    llc = np.random.default_rng(0).normal(5.0, size=(4, 50_000))
    trace = trace_of(llc)
    single = Trace(loss=trace.loss.astype(np.float32), n_grad_evals=1.0)
    found = verdict_on(single)
    assert found.llc_mean == pytest.approx(llc.mean(), rel=1e-6)


def test_chains_that_disagree_have_not_converged() -> None:
    llc = np.random.default_rng(0).normal(5.0, size=(4, 2000))
    found = estimate_of(llc + np.array([[0.0], [0.0], [0.0], [2.0]]))
    assert found.rhat > RHAT_MAX
    assert found.status == "not_converged"


def test_too_few_effective_draws_have_not_converged() -> None:
    found = estimate_of(np.random.default_rng(0).normal(5.0, size=(4, 80)))
    assert found.ess < ESS_MIN
    assert found.status == "not_converged"


def test_the_tail_ess_is_the_least_of_the_outer_quantiles() -> None:
    draws = np.random.default_rng(0).normal(size=(4, 500))
    draws[0, :60] += 4.0  # a visit to the upper tail
    outer = [float(array_stats.ess(draws, method="quantile", prob=p)) for p in (0.05, 0.95)]
    found = diagnose(draws)
    assert found.ess_tail == pytest.approx(min(outer))
    assert found.ess is not None
    assert min(outer) < 0.5 * found.ess


def test_a_chain_that_never_moved_has_not_converged_and_has_no_error() -> None:
    llc = np.random.default_rng(0).normal(5.0, size=(4, 500))
    llc[2] = 5.0
    found = estimate_of(llc)
    assert (found.llc_mcse, found.rhat, found.ess, found.status) == (None, None, None, "not_converged")


def test_an_estimate_surely_below_zero_is_negative() -> None:
    rng = np.random.default_rng(0)
    assert estimate_of(rng.normal(-2.0, size=(4, 1000))).status == "negative"
    assert estimate_of(rng.normal(0.0, size=(4, 1000))).status == "not_minimum"


def test_chains_that_agree_below_zero_are_negative_also_where_the_budget_ended_first() -> None:
    rng = np.random.default_rng(0)
    ended = replace(trace_of(rng.normal(-0.5, size=(4, 1000))), ended="budget")
    assert verdict_on(ended).status == "negative"
    unsure = replace(trace_of(rng.normal(-0.01, size=(4, 1000))), ended="budget")
    apart = replace(trace_of(np.array([-9.0, -9.0, -8.0, -8.0])[:, None] + rng.normal(size=(4, 1000))), ended="budget")
    assert {verdict_on(trace).status for trace in (unsure, apart)} == {"not_converged"}


def test_below_zero_without_convergence_is_not_taken_for_a_bad_minimum() -> None:
    llc = np.random.default_rng(0).normal(0.0, 0.1, size=(4, 1000)) - np.array([[6.0], [5.0], [4.0], [7.0]])
    assert estimate_of(llc).status == "not_converged"


@pytest.mark.parametrize(("divergent", "status"), [(20, "ok"), (21, "not_converged")])
def test_more_than_one_divergent_draw_in_a_hundred_is_not_converged(divergent: int, status: str) -> None:
    llc = np.random.default_rng(0).normal(5.0, size=(4, 500))
    diverging = np.arange(2000).reshape(4, 500) < divergent
    found = estimate_of(llc, diverging=diverging)
    assert (found.n_divergent, found.status) == (divergent, status)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_draw_that_is_not_finite_empties_the_estimate(bad: float) -> None:
    llc = np.random.default_rng(0).normal(5.0, size=(4, 1000))
    llc[1, 7] = bad
    found = estimate_of(llc)
    assert found.status == "diverged"
    estimates = (found.llc_mean, found.llc_std, found.llc_mcse, found.llc_ci_low, found.llc_ci_high)
    assert (*estimates, found.ess, found.ess_tail, found.rhat, found.rhat_distance, found.ess_distance) == (None,) * 10


def test_sampler_statistics_are_averaged_and_counted() -> None:
    llc = np.random.default_rng(0).normal(5.0, size=(2, 500))
    diverging = np.zeros((2, 500), bool)
    diverging[0, :3] = True
    found = estimate_of(llc, acceptance_rate=np.full((2, 500), 0.75), diverging=diverging)
    assert (found.accept_rate, found.n_divergent) == (0.75, 3)
    assert estimate_of(llc).accept_rate is None


def test_one_chain_is_enough_for_an_estimate() -> None:
    assert estimate_of(np.random.default_rng(0).normal(5.0, size=(1, 2000))).status == "ok"
