"""Verdicts: what is `ok`, what is not, and the reason that is given."""

from dataclasses import replace

import numpy as np
import pytest
from tracing import BETA, LOSS_STAR, N, autoregressive, estimate_of, independent, trace_of, verdict_on

from llc.estimates.diagnostics import Diagnosis, diagnose, faults, settled
from llc.estimates.estimator import AtStar, estimate
from llc.estimates.limits import RHAT_DISTANCE_MAX, RHAT_MAX
from llc.estimates.metrics import Estimate
from llc.samplers import Trace


@pytest.mark.parametrize(("share", "status"), [(0.019, "ok"), (0.021, "biased")])
def test_a_predicted_bias_that_stays_in_the_estimate_is_told(share: float, status: str) -> None:
    llc = independent()
    found = verdict_on(replace(trace_of(llc), excess=np.full(llc.shape, share * llc.mean())))
    assert found.status == status
    assert found.llc_mean == pytest.approx(llc.mean())
    assert found.llc_bias == pytest.approx(share * llc.mean())
    assert found.llc_mcse == pytest.approx(np.hypot(estimate_of(llc).llc_mcse, found.llc_bias))


@pytest.mark.parametrize(("share", "status"), [(0.035, "ok"), (0.045, "biased")])
def test_a_predicted_bias_is_subtracted_where_the_sampler_says_so(share: float, status: str) -> None:
    llc = independent()
    found = verdict_on(replace(trace_of(llc), excess=np.full(llc.shape, share * llc.mean()), correct=True))
    assert found.status == status
    assert found.llc_mean == pytest.approx((1 - share) * llc.mean())
    plain = estimate_of(llc)
    assert found.llc_mcse == pytest.approx(np.hypot(plain.llc_mcse, 0.5 * share * llc.mean()))


def test_a_predicted_bias_that_is_no_number_is_not_taken_for_none() -> None:
    llc = independent()
    excess = np.full(llc.shape, 1.0)
    excess[0, 5] = np.nan
    assert verdict_on(replace(trace_of(llc), excess=excess, correct=True)).status == "not_converged"


def test_chains_that_still_move_away_from_w_star_are_metastable() -> None:
    llc, rng = independent(), np.random.default_rng(1)
    settled_there = rng.chisquare(50, size=llc.shape) / 10
    found = estimate_of(llc, distance2=settled_there)
    assert found.status == "ok"
    assert found.rhat_distance == pytest.approx(1.0, abs=0.01)
    moving = estimate_of(llc, distance2=settled_there * np.linspace(0.5, 1.0, llc.shape[1]))
    assert moving.rhat == found.rhat
    assert moving.status == "metastable"
    assert f"(of the distance R-hat {moving.rhat_distance:.3f}, ESS of the tails " in moving.reason
    for distances in ({"distance2": settled_there}, {}):  # as the rule saw it, whatever the end of the trace looks like
        assert verdict_on(replace(trace_of(llc, **distances), ended="metastable")).status == "metastable"


def test_a_place_that_one_chain_has_been_in_once_is_not_taken_for_its_share() -> None:
    llc, rng = independent(), np.random.default_rng(1)
    distance2 = rng.chisquare(50, size=llc.shape) / 10
    n = llc.shape[1]
    distance2[2, n // 2 : n // 2 + n // 5] += 10.0
    found = estimate_of(llc, distance2=distance2)
    assert found.rhat_distance is not None
    assert found.rhat_distance < RHAT_DISTANCE_MAX
    assert (found.status, found.rhat) == ("metastable", estimate_of(llc).rhat)
    assert found.reason.endswith(f"ESS of the tails {found.ess_distance:.0f}): raise γ or the budget")
    often = rng.permutation(distance2.ravel()).reshape(llc.shape)
    assert estimate_of(llc, distance2=often).status == "ok"


def test_a_distance_that_is_not_finite_has_no_rhat_and_is_told() -> None:
    llc = independent()
    distance2 = np.ones(llc.shape)
    distance2[0, 5] = np.inf
    found = estimate_of(llc, distance2=distance2)
    assert (found.rhat_distance, found.status) == (None, "not_converged")
    assert "finite" in found.reason


def with_virial(off: float, noise: float = 1.0, excess: float = 0.0) -> Estimate:
    """Return the estimate of an LLC of 5 from draws whose virial is ``off`` its ten parameters by twice so much."""
    llc, rng = independent(), np.random.default_rng(2)
    trace = trace_of(llc, virial=10 + 2 * (off + rng.normal(scale=noise, size=llc.shape)))
    return verdict_on(replace(trace, excess=np.full(llc.shape, excess), correct=True))


def test_the_virial_and_its_error_are_told() -> None:
    found = with_virial(0.1)
    assert found.virial == pytest.approx(0.1, abs=4 * found.virial_mcse)
    assert found.virial_mcse == pytest.approx(1 / np.sqrt(independent().size), rel=0.15)
    assert found.status == "ok"  # 0.1 is 2 % of it


@pytest.mark.parametrize(("off", "status"), [(1.0, "not_converged"), (-1.0, "ok")])
def test_at_gamma_0_a_virial_counts_only_above_0(off: float, status: str) -> None:
    llc = independent()
    trace = trace_of(llc, virial=10 + 2 * (off + np.random.default_rng(2).normal(size=llc.shape)))
    found = estimate(trace, AtStar(LOSS_STAR, 0.01, 0.0), n=N, beta=BETA, gamma=0.0, n_params=10)
    assert found.status == status
    assert verdict_on(trace).status == {"not_converged": "not_converged", "ok": "metastable"}[status]


@pytest.mark.parametrize(("off", "status"), [(1.0, "biased"), (-1.0, "metastable")])
def test_draws_that_are_not_the_posteriors_are_told_by_the_virial(off: float, status: str) -> None:
    found = with_virial(off)
    assert (found.status, found.rhat < RHAT_MAX) == (status, True)
    assert f"virial {found.virial:.3g} ± {found.virial_mcse:.2g})" in found.reason


def test_a_virial_within_its_error_says_nothing() -> None:
    found = with_virial(1.0, noise=25.0)
    assert 0.1 < found.virial / (3 * found.virial_mcse) < 1
    assert found.virial > 0.5
    assert found.status == "ok"


def test_what_a_sampler_predicts_of_the_virial_is_not_held_against_it() -> None:
    assert with_virial(0.2).status == "biased"
    found = with_virial(0.2, excess=0.18)
    assert found.virial == pytest.approx(0.02, abs=0.07)
    assert found.virial_mcse == pytest.approx(0.18 / 2, rel=0.05)  # of the prediction, by far the most
    assert found.status == "ok"


def test_a_virial_that_chains_do_not_agree_on_says_nothing() -> None:
    llc, rng = independent(), np.random.default_rng(2)
    of_chain = np.array([[-1.3], [-1.1], [-1.0], [-1.2]])
    found = estimate_of(llc, virial=10 + 2 * (of_chain + rng.normal(scale=0.1, size=llc.shape)))
    assert found.virial + 3 * found.virial_mcse < -0.5
    assert found.status == "ok"


def test_a_virial_that_is_not_finite_is_told() -> None:
    llc = independent()
    values = np.full(llc.shape, 10.0)
    values[0, 5] = np.inf
    found = estimate_of(llc, virial=values)
    assert (found.virial, found.status) == (None, "not_converged")
    assert "finite" in found.reason


def ended_by_the_budget(llc: np.ndarray) -> Estimate:
    return verdict_on(replace(trace_of(llc), ended="budget"))


def test_a_budget_that_ends_before_the_error_is_small_enough_is_a_reason() -> None:
    found = ended_by_the_budget(np.random.default_rng(0).gamma(0.5, size=(4, 500)))
    assert (found.status, found.reason[:39]) == ("not_converged", "the budget ended first, standard error ")
    found = ended_by_the_budget(independent(draws=80))
    assert found.reason.startswith("ESS ")
    assert "the budget ended first, standard error 2." in found.reason
    few = np.random.default_rng(0).gamma(500.0, size=(4, 80))
    assert ended_by_the_budget(few).reason.endswith("; the budget ended first")  # at a small error


def test_a_budget_that_ends_while_the_halves_are_apart_is_a_reason() -> None:
    first, second = np.split(independent(), 2, axis=1)
    llc = np.hstack([first - first.mean() + 5.0, second - second.mean() + 5.0 + 2.5 * np.sqrt(2 * 5.0 / first.size)])
    assert 2 < abs(diagnose(llc).drift) < 3
    assert estimate_of(llc).status == "ok"  # of so many draws as were asked for
    found = ended_by_the_budget(llc)
    assert found.status == "not_converged"
    assert found.reason.startswith("the budget ended first, the halves differ by 2.")
    farther = ended_by_the_budget(np.hstack([first, second + 1.0]))
    assert farther.reason.count("the halves differ by") == 1


def test_what_had_converged_when_the_budget_ended_is_as_good_as_so_many_draws() -> None:
    assert ended_by_the_budget(independent()) == estimate_of(independent())


def test_a_chain_that_diverged_in_warmup_is_diverged_though_what_is_kept_is_finite() -> None:
    found = verdict_on(replace(trace_of(independent()), ended="diverged"))
    assert (found.status, found.llc_mean) == ("diverged", None)


def test_rounding_is_not_taken_for_a_loss_below_that_at_w_star() -> None:
    llc = independent()
    single = replace(
        trace_of(np.where(llc < 5, -1e-6, llc)), loss=trace_of(np.where(llc < 5, -1e-6, llc)).loss.astype("float32")
    )
    assert verdict_on(single).below == 0.0
    assert verdict_on(trace_of(np.where(llc < 5, -1e-3, llc))).below > 0.3


def test_draws_that_differ_by_the_rounding_of_a_large_constant_have_not_converged() -> None:
    rng, nbeta = np.random.default_rng(0), N * BETA
    for constant, status in (1e3, "ok"), (1e5, "not_converged"):
        trace = Trace(loss=(constant + rng.gamma(1.5, size=(4, 2000)) / nbeta).astype(np.float32), n_grad_evals=1.0)
        found = estimate(trace, AtStar(constant, 0.0, 0.0), n=N, beta=BETA, gamma=2.0, n_params=3)
        assert found.status == status
        assert ("precision=float64, or take the constant out of the loss" in found.reason) == (status != "ok")


def test_a_budget_that_ends_in_warmup_is_a_reason() -> None:
    found = verdict_on(replace(trace_of(independent()[:, :1]), ended="warmup"))
    assert (found.status, found.llc_mcse) == ("not_converged", None)
    assert found.reason.startswith("the budget ended during warm-up")


def test_halves_that_differ_have_not_converged_though_the_chains_agree() -> None:
    llc = independent(50.0, 4000) + np.linspace(0.0, 1.0, 4000)
    found = estimate_of(llc)
    assert found.rhat < RHAT_MAX
    assert found.drift > 3
    assert found.status == "not_converged"
    assert "the halves differ by" in found.reason


@pytest.mark.parametrize(("stays", "status"), [(0, "ok"), (1, "not_converged")])
def test_a_long_stay_that_the_autocorrelation_does_not_see_has_not_converged(stays: int, status: str) -> None:
    llc = np.random.default_rng(3).normal(5.0, 1.0, size=(4, 20_000))
    llc[3, 2_000 : 2_000 + 2_000 * stays] += 0.5  # one of the 40 parts, and one in 40 of all draws
    found = estimate_of(llc)
    assert found.rhat < RHAT_MAX
    assert found.ess > 20_000
    assert abs(found.drift) < 3
    assert found.status == status
    assert ("parts of the chains differ by" in found.reason) == bool(stays)


@pytest.mark.parametrize(("factor", "status"), [(1.4, "ok"), (1.6, "not_local")])
def test_draws_farther_from_w_star_than_gamma_allows_are_not_local(factor: float, status: str) -> None:
    llc = independent()
    found = estimate_of(llc, distance2=np.full(llc.shape, factor * 10 / 2.0))  # d / γ
    assert found.reach == pytest.approx(factor)
    assert found.status == status


@pytest.mark.parametrize(("below", "status"), [(0.04, "ok"), (0.06, "not_minimum")])
def test_draws_below_the_loss_at_w_star_say_that_it_is_no_minimum(below: float, status: str) -> None:
    llc = independent(20.0)
    llc[:, :: round(1 / below)] = -0.1
    assert estimate_of(llc).status == status


def test_a_better_minimum_is_in_the_reason_of_chains_that_do_not_agree() -> None:
    apart = np.array([-5.0, -5.0, 10.0, 10.0])[:, None] + independent()
    found = estimate_of(apart)
    assert found.status == "not_converged"
    assert found.reason.startswith("R-hat ")
    assert found.reason.endswith("% of the draws have a loss below L_n(w*): w* is not a minimum")
    assert "loss below" not in estimate_of(np.abs(apart)).reason


@pytest.mark.parametrize(("share", "status"), [(0.049, "ok"), (0.051, "not_minimum")])
def test_an_estimate_that_lacks_what_w_star_is_above_the_minimum_is_told(share: float, status: str) -> None:
    llc = independent()
    found = verdict_on(trace_of(llc), llc_deficit=share * llc.mean())
    assert found.status == status
    assert (found.grad_norm, found.llc_deficit) == (0.01, pytest.approx(share * llc.mean()))
    assert found.llc_mean == pytest.approx(llc.mean())
    assert ("too low by about 0.25" in found.reason) == (status != "ok")


def test_chains_that_disagree_say_nothing_of_w_star() -> None:
    llc = independent() + np.array([[0], [0], [0], [9]])
    assert verdict_on(trace_of(llc), llc_deficit=1e3).status == "not_converged"


def test_every_status_but_ok_has_a_reason() -> None:
    llc = independent()
    cases = [llc, -llc, llc + np.array([[0], [0], [0], [9]]), np.where(llc > 9, np.nan, llc), llc[:, :20], 0 * llc]
    found = [estimate_of(case) for case in cases]
    assert [(e.status == "ok") == (e.reason == "") for e in found] == [True] * len(cases)


# -------------------------------------------------------------------------------------- warm-up


@pytest.mark.parametrize("length", [0, 100, 400])
def test_a_drift_from_the_start_is_dropped(length: int) -> None:
    rng = np.random.default_rng(3)
    llc = autoregressive(rng, 0.8, (4, 1000))
    llc[:, :length] -= 5.0 * (1 - np.arange(length) / max(length, 1))
    dropped = settled(llc)
    assert length * 0.8 <= dropped <= length + 100


def test_never_more_than_half_is_dropped() -> None:
    assert settled(np.linspace(0, 1, 1000)[None] + independent(5.0, 1000) * 1e-3) == 500
    assert settled(independent(5.0, 2)) <= 1


def test_what_is_just_beyond_a_limit_reads_as_beyond_it() -> None:
    found = Diagnosis(1.0, 0.01, ess=399.9, ess_tail=500.0, rhat=1.0100001, drift=-3.01, spread=1.4001)
    assert faults(found) == [
        "R-hat 1.011 > 1.01",
        "ESS 399 < 400",
        "the halves differ by 3.1 > 3 standard errors",
        "parts of the chains differ by 1.41 > 1.4 times their standard error",
    ]
