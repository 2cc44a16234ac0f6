"""Samplers that begin anew with smaller steps: when, with which, and that these leave the posterior as it is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import ISOTROPIC, STRETCHED, Quadratic, by_rule

from llc import seeds
from llc.estimates.diagnostics import diagnose
from llc.estimates.limits import DIVERGENT_MAX
from llc.estimates.trace import Trace
from llc.samplers import stopping, trajectories
from llc.samplers.careful import SMALLEST, carefully
from llc.samplers.rounds import Clock, collect
from llc.samplers.trajectories import scales

FIRST, THEN = DIVERGENT_MAX / 2, 1.0


@pytest.mark.parametrize(
    ("target_accept", "draws", "runs"),
    [
        (0.9, None, [(0.9, 1.0, 0.0, FIRST), (0.99, SMALLEST, 100.0, THEN), (0.998, SMALLEST, 200.0, None)]),
        (0.995, None, [(0.995, 1.0, 0.0, FIRST), (0.995, SMALLEST, 100.0, THEN), (0.998, SMALLEST, 200.0, None)]),
        (0.999, None, [(0.999, 1.0, 0.0, FIRST), (0.999, SMALLEST, 100.0, None)]),
        (0.9, 10, [(0.9, 1.0, 0.0, None)]),
    ],
)
def test_what_was_spent_before_it_is_tuned_anew_counts_against_the_budget(
    target_accept: float, draws: int | None, runs: list[Any]
) -> None:
    made = []

    def run(target_accept: float, smallest: float, start_work: float, again: float | None) -> tuple[Any, Trace]:
        made.append((target_accept, smallest, start_work, again))
        ended = "budget" if again is None else "diverging"
        return None, Trace(np.zeros((4, 10)), n_grad_evals=4 * (start_work + 100), ended=ended)

    carefully(run, target_accept, draws)
    assert made == runs


def diverging(key: Any, posterior: Any, state: Any, after: float, off: float = 0.0, *, draws: int) -> Any:
    """Advance a chain that is settled but for a virial that is ``off``; ``after`` so many every 40th draw diverges."""
    time = state[:, None] + jnp.arange(draws)
    ones = jnp.ones(time.shape)
    stats = {
        "loss": posterior.loss(posterior.w_star) + jax.random.normal(key, time.shape) + 1,
        "distance2": ones + jax.random.normal(key, time.shape) / 50,
        "virial": posterior.w_star.size + 2 * off * ones + jax.random.normal(key, time.shape),
        "diverging": (time >= after) & (time % 40 == 0),
        "work": ones,
    }
    return state + draws, stats


@pytest.mark.parametrize(
    ("after", "budget", "again", "ended", "at_most"),
    [
        (0.0, 1e5, FIRST, "diverging", 100),
        (0.0, 1e5, THEN, "diverging", 3_000),  # when it has converged
        (1e3, 1e5, FIRST, "diverging", 3_000),
        (1e9, 1e5, FIRST, "converged", 3_000),
        (1e3, 3e3, FIRST, "converged", 3_000),  # what is left is no longer as much as was spent
        (0.0, 1e5, None, "converged", 3_000),
    ],
)
def test_too_many_draws_that_diverge_end_it_as_long_as_half_of_the_budget_is_left(
    after: float, budget: float, again: float | None, ended: str, at_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "look", lambda llc, dim, **stats: stopping.Look(*2 * [llc.shape[1] > 1_500]))
    advance = jax.jit(diverging, static_argnames="draws")
    _, trace = collect(
        seeds.key(0, "diverging"), ISOTROPIC.posterior(), jnp.zeros(4), advance, (after,), Clock(),
        weights=lambda state: state[:, None], tuning=0, draws=None, budget=budget, again=again,
    )  # fmt: skip
    assert trace.ended == ended
    assert trace.n_grad_evals / 4 <= at_most


@pytest.mark.parametrize(
    ("after", "off", "again", "ended"),
    [
        (0.0, -10.0, THEN, "diverging"),
        (1e9, -10.0, THEN, "metastable"),  # nothing says that it is the step
        (0.0, -10.0, None, "metastable"),
        (1e9, -1.0, THEN, "converged"),  # λ̂ is 145: less than 2 %
    ],
)
def test_chains_that_are_kept_out_of_some_place_are_tuned_anew(
    after: float, off: float, again: float | None, ended: str
) -> None:
    advance = jax.jit(diverging, static_argnames="draws")
    _, trace = collect(
        seeds.key(0, "diverging"), ISOTROPIC.posterior(), jnp.zeros(4), advance, (after, off), Clock(),
        weights=lambda state: state[:, None], tuning=0, draws=None, budget=1e4, again=again,
    )  # fmt: skip
    assert trace.ended == ended


@pytest.mark.parametrize("name", ["hmc", "nuts", "mclmc"])
def test_chains_share_the_step_that_they_were_tuned_to(name: str) -> None:
    """Each by itself has it from its last 50 draws, and the chain with the largest was the one that was wrong."""
    step_size = by_rule(name, STRETCHED, draws=10).tuned["step_size"]
    assert len(step_size) == 4
    assert len(set(step_size.tolist())) == 1


@pytest.mark.parametrize("name", ["hmc", "nuts", "mclmc"])
def test_a_posterior_a_hundred_times_wider_than_a_trajectory_is_sampled(name: str) -> None:
    """HMC's step, which acceptance does not limit there, grew beyond all numbers; draws without a step cost nothing."""
    wide = Quadratic(np.array([1.0, 2.0, 3.0, 4.0]), a=1e-4, gamma=1e-6)
    trace = by_rule(name, wide)
    assert trace.ended == "converged"
    assert (trace.stats["n_steps"] > 0).all()
    assert trace.tuned["step_size"].max() < 10
    found = diagnose(wide.a * trace.loss.astype(np.float64))
    assert found.mcse is not None
    assert abs(found.mean - wide.llc()) < 4 * found.mcse


@pytest.mark.parametrize("name", ["hmc", "nuts", "mclmc"])
def test_steps_of_many_sizes_leave_the_posterior_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(smallest: float) -> Trace:
        monkeypatch.setattr(trajectories, "carefully", lambda run, accept, draws: run(accept, smallest))
        return by_rule(name, STRETCHED, draws=1500)

    usual, trace = draw(1.0), draw(1 / 4)
    rejected, usually = (1 - found.stats["acceptance_rate"].mean() for found in (trace, usual))
    assert rejected < 0.6 * usually
    np.testing.assert_array_equal(trace.tuned["step_size"], usual.tuned["step_size"])
    found = diagnose(STRETCHED.a * trace.loss.astype(np.float64))
    assert found.mcse is not None
    assert found.mcse < 0.02 * STRETCHED.llc()
    assert abs(found.mean - STRETCHED.llc()) < 4 * found.mcse


def test_steps_of_many_sizes_are_so_by_their_logarithm_and_else_all_of_them_are_as_tuned() -> None:
    key = seeds.key(0, "scales")
    assert (scales(key, 1.0, 100) == 1).all()
    found = np.log(scales(key, 1 / 4, 10_000)) / np.log(1 / 4)
    np.testing.assert_allclose(np.quantile(found, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.02)
