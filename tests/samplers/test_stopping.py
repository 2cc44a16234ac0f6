"""When draws are enough, and what of them is dropped: on draws that are made up."""

import numpy as np
import pytest

from llc.estimates.diagnostics import diagnose, distance, faults, settled
from llc.samplers import stopping


@pytest.mark.parametrize(("fall", "ends"), [(0.0, True), (2.5, False)])
def test_a_slow_descent_that_a_verdict_lets_pass_does_not_end_it(fall: float, ends: bool) -> None:
    rng, n = np.random.default_rng(0), 400
    noise = rng.normal(scale=10.0, size=(4, n))
    noise -= noise.mean()
    error = 10.0 * np.sqrt(2 / (4 * n / 2))  # of the difference of the halves
    llc = 100.0 + noise - np.linspace(-1.0, 1.0, n) * fall * error
    assert faults(diagnose(llc)) == []
    assert stopping.look(llc, 1, distance2=rng.normal(size=(4, n)) ** 2) == (ends, ends, 0.0)


def way_out(draws: int, relaxation: float) -> np.ndarray:
    """Return ‖w − w*‖² of four chains that fill 10,000 directions, with noise of their size that has no memory."""
    noise = np.random.default_rng(0).normal(size=(4, draws))
    return 1e4 * (1 - np.exp(-np.arange(draws) / relaxation)) + np.sqrt(2e4) * noise


def test_the_way_out_is_dropped_as_soon_as_the_rest_of_it_agrees() -> None:
    llc, distance2 = np.random.default_rng(1).normal(10.0, 3.0, size=(4, 900)), way_out(900, relaxation=100)
    front = stopping.front(llc, distance2)
    assert 300 <= front <= 450
    assert distance(distance2[:, front:]).at_rest
    assert not distance(distance2[:, settled(llc) :]).at_rest
    assert stopping.look(llc, 10_000, distance2=distance2) == (True, True, 0.0)


def test_the_way_out_is_kept_where_too_few_draws_for_the_estimate_are_behind_it() -> None:
    """A budget that ends there ends a run whose λ̂ had converged."""
    noise = np.random.default_rng(1).normal(size=(4, 360))
    llc, distance2 = 10.0 + noise, way_out(360, relaxation=45)
    assert distance(distance2[:, settled(distance2) :]).at_rest
    assert stopping.front(llc, distance2) == settled(distance2)
    slow = 10.0 + np.repeat(noise[:, :180], 2, axis=1)  # half as many effective draws
    front = stopping.front(slow, distance2)
    assert front == settled(slow) < settled(distance2)
    assert stopping.look(slow, 10_000, distance2=distance2) == (True, False, 0.0)


def test_chains_of_which_one_has_been_elsewhere_once_go_on() -> None:
    rng = np.random.default_rng(1)
    llc, distance2 = rng.normal(10.0, 3.0, size=(4, 900)), rng.chisquare(50, size=(4, 900))
    assert stopping.look(llc, 50, distance2=distance2) == (True, True, 0.0)
    distance2[0, 500:700] += 100.0
    assert stopping.look(llc, 50, distance2=distance2) == (True, False, 0.0)


def test_where_the_way_out_has_no_end_only_what_is_seen_in_the_estimate_is_dropped() -> None:
    llc, distance2 = np.random.default_rng(1).normal(10.0, 3.0, size=(4, 900)), way_out(900, relaxation=300)
    assert stopping.front(llc, distance2) == settled(llc) < 450
    assert stopping.look(llc, 10_000, distance2=distance2) == (True, False, 0.0)


@pytest.mark.parametrize(
    ("falls", "first", "chains", "dropped"),
    [(120, 5.0, 4, 120), (120, 5.0, 2, 120), (120, 5.0, 1, 0), (120, 3.0, 4, 0), (350, 5.0, 4, 200)],
)
def test_draws_with_steps_that_half_of_the_chains_have_found_far_too_large_are_dropped_up_to_half(
    falls: int, first: float, chains: int, dropped: int
) -> None:
    llc, distance2 = np.random.default_rng(0).normal(10.0, size=(2, 4, 400))
    steps = np.ones((4, 400), np.float32)
    steps[:chains, :falls] = first
    plain = stopping.front(llc, distance2**2)
    assert plain < 100
    assert stopping.front(llc, distance2**2, steps) == max(plain, dropped)


def test_what_is_dropped_does_not_depend_on_the_size_of_the_loss() -> None:
    draws = 1e-3 * np.random.default_rng(0).normal(size=(4, 1000))
    draws[:, :100] += 5e-3
    assert {settled(draws + offset) for offset in (0.0, 1e3, 1e5, 1e6)} == {settled(draws)}


def test_what_is_dropped_leaves_at_least_half() -> None:
    assert settled(np.linspace(0, 1, 300)[None]) <= 150
