"""Sampling in rounds: how long, what is dropped, and that a rule decides as it says."""

from itertools import pairwise

import numpy as np
import pytest
from problems import ISOTROPIC, OFF_MINIMUM, STRETCHED, TIGHT, Quadratic, by_rule, run_drifting

from llc.estimates.diagnostics import diagnose, virial
from llc.estimates.limits import MCSE_TARGET, RHAT_MAX
from llc.samplers import stopping
from llc.samplers.stopping import ROUND


@pytest.mark.parametrize("problem", [ISOTROPIC, TIGHT, STRETCHED, OFF_MINIMUM])
@pytest.mark.parametrize("name", ["sgld", "hmc", "nuts", "mclmc", "gibbs"])
def test_the_defaults_give_the_closed_form_as_precisely_as_they_promise_and_a_virial_of_0(
    name: str, problem: Quadratic
) -> None:
    trace = by_rule(name, problem)
    llc = problem.a * (trace.loss.astype(np.float64) - problem.loss_star())
    found = diagnose(llc)
    assert trace.ended == "converged"
    assert found.rhat < RHAT_MAX
    # Dropping after the last look may cost a little of the precision that it found.
    assert found.mcse < 1.1 * MCSE_TARGET * abs(found.mean)
    assert abs(found.mean - problem.llc()) < 4 * found.mcse
    balance = virial(trace.stats.get("virial"), trace.excess, len(problem.h))
    assert (balance is None) == (name == "gibbs")
    if balance is not None:
        assert balance.mcse is not None
        assert balance.mcse < 0.01 * len(problem.h)
        assert abs(balance.mean) < 4 * balance.mcse


def test_a_budget_ends_it() -> None:
    trace = by_rule("sgld", ISOTROPIC, budget=6_000.0)
    assert trace.ended == "budget"
    assert 6_000 - 51 * ROUND <= trace.n_grad_evals / 4 <= 6_000


def test_a_budget_that_ends_in_warmup_is_told() -> None:
    assert by_rule("nuts", ISOTROPIC, warmup=1000, budget=100.0).ended == "warmup"


def test_a_chain_that_drifts_goes_on_and_its_drift_is_dropped() -> None:
    trace = run_drifting()
    assert trace.ended == "converged"
    assert trace.dropped >= 380
    assert trace.loss.mean() == pytest.approx(1.0, abs=0.005)
    np.testing.assert_allclose(trace.stats["loss_elsewhere"], trace.loss + 1, rtol=1e-6)  # the same draws


@pytest.mark.parametrize(("until", "ended"), [(1_500, "converged"), (1e6, "metastable")])
def test_it_goes_on_while_the_chains_move_away_from_w_star(until: float, ended: str) -> None:
    """As long as there is a budget; that λ̂ had converged is told then."""
    trace = run_drifting(until=until, budget=20_000.0)
    assert trace.ended == ended
    assert trace.loss.shape[1] + trace.dropped > 1_500


@pytest.mark.parametrize(
    ("filled", "off", "ended"),
    [(1_500, -100, "converged"), (1e6, -100, "metastable"), (1_500, 100, "converged"), (1e6, 100, "budget")],
)
def test_it_goes_on_while_the_virial_is_off(filled: float, off: float, ended: str) -> None:
    """Too low where directions have not filled, as of chains that a barrier holds; too high by the step, or chance."""
    trace = run_drifting(filled=filled, off=off, budget=20_000.0)
    assert trace.ended == ended
    assert trace.loss.shape[1] + trace.dropped > 1_500


def test_at_gamma_0_the_virial_is_not_asked() -> None:
    assert run_drifting(filled=1e6, gamma=0.0).ended == "converged"


def test_draws_that_are_asked_for_are_given_as_they_are() -> None:
    trace = run_drifting(draws=130, tuning=20)
    assert (trace.ended, trace.dropped, trace.loss.shape) == ("draws", 0, (4, 130))
    assert trace.n_grad_evals == 4 * 150
    assert trace.loss[:, 0].mean() == pytest.approx(20 / 400, abs=0.05)


def test_one_lucky_look_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([True, False, True, True])
    seen: list[int] = []

    def look(llc: np.ndarray, dim: int, **stats: np.ndarray) -> stopping.Look:
        assert {values.shape for values in stats.values()} == {llc.shape}
        assert (dim, set(stats)) == (10, {"distance2", "virial"})
        seen.append(llc.shape[1])
        return stopping.Look(converged := next(looks), at_rest=converged)

    monkeypatch.setattr(stopping, "look", look)
    run_drifting()
    assert len(seen) == 4
    assert all(later >= 1.2 * earlier for earlier, later in pairwise(seen))


@pytest.mark.parametrize(("rests", "ended"), [((False, False), "metastable"), ((False, True), "budget")])
def test_the_last_look_says_whether_what_the_budget_ended_had_settled(
    rests: tuple[bool, bool], ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(rests)
    monkeypatch.setattr(stopping, "look", lambda *_, **stats: stopping.Look(True, next(looks)))
    assert run_drifting(budget=150.0).ended == ended
    assert not list(looks)


def test_a_budget_bounds_hmc_on_a_stiff_posterior_too() -> None:
    """Its step starts far too small: a trajectory took 100,000 steps while it adapted."""
    stiff = Quadratic(np.geomspace(1.0, 1e6, 20), a=1000.0, gamma=1.0)
    trace = by_rule("hmc", stiff, chains=2, warmup=100, budget=1000.0)
    assert trace.ended == "warmup"
    assert trace.n_grad_evals / 2 <= 1000 * ROUND


def test_a_chain_that_leaves_the_finite_numbers_ends_it_at_once() -> None:
    trace = by_rule("sgld", ISOTROPIC, step_size=1.0)
    assert trace.ended == "diverged"
    assert trace.n_grad_evals <= 4 * 100 * 2 * ROUND
