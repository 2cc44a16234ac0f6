"""SGLD that goes on with all rows: when, from where, and what it has spent."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from llc import seeds
from llc.config import SgldConfig
from llc.estimates.diagnostics import diagnose
from llc.estimates.trace import Trace
from llc.jobs import sgld_defaults
from llc.loss.likelihood import Batch
from llc.posterior import Posterior
from llc.samplers.full_batch import widened
from llc.samplers.sgld import sgld
from llc.samplers.stopping import ROUND

H, A, GAMMA = np.array([1.0, 0.01]), 100.0, 0.1  # curvatures of L_n: the second way is filled a hundred times slower
THIN = 40  # steps of a draw of all rows
AFTER = ROUND * THIN
EXACT = float(np.sum(A * H / (A * H + GAMMA)) / 2)


def noisy(n: int, scale: float = 1.0) -> Posterior:
    """Return a quadratic whose minibatches are noisy along its steep direction, by the ``scale`` of its data."""
    x = scale * np.random.default_rng(0).normal(size=(n, 2))
    rows = Batch(jnp.asarray(x - x.mean(0), jnp.float32), jnp.zeros((n, 1)), jnp.float32(1))
    return Posterior(_loss, rows, rows, jnp.zeros(2), jnp.float32(A), jnp.float32(GAMMA))


def _loss(w: Any, rows: Batch) -> Any:
    return 0.5 * jnp.mean(jnp.sum(jnp.asarray(H, w.dtype) * (rows.x - w) ** 2, axis=1))


def draw(posterior: Posterior, **settings: Any) -> Trace:
    return sgld(seeds.key(0, "sgld"), posterior, **{**vars(SgldConfig()), **settings})


@pytest.fixture
def of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take as few rows as are quick for many."""
    monkeypatch.setattr(sgld_defaults, "FEW", 128)


def batches(trace: Trace) -> set[int]:
    return set(trace.tuned["batch_size"].tolist())


@pytest.mark.usefixtures("of_many")
def test_where_the_noise_of_batches_is_what_holds_chains_up_all_rows_take_over() -> None:
    posterior = noisy(300)
    trace = draw(posterior)
    assert batches(trace) == {300}
    assert trace.ended == "converged"
    assert trace.n_grad_evals > 4 * 50 * (50 + trace.loss.shape[1] + trace.dropped)  # and what was spent before
    assert trace.excess is not None
    assert not trace.excess.any()
    found = diagnose(A * (trace.loss.astype(np.float64) - float(posterior.loss(posterior.w_star))))
    assert found.mcse is not None
    assert abs(found.mean - EXACT) < 4 * found.mcse
    assert draw(posterior, batch_size=64, budget=1.5 * trace.n_grad_evals / 4).ended == "budget"


@pytest.mark.parametrize(
    ("scale", "settings"),
    [
        (1.0, {"batch_size": 64, "budget": 5000.0}),  # as somebody said
        (1.0, {"draws": 500}),  # 3,200 gradients
        (1.0, {"budget": 3000.0}),  # half of it is spent before
        (1.0, {"thin": 400, "budget": 20_000.0}),  # a round of all rows takes it all
        (1.0, {"preconditioner": "rmsprop"}),  # both ways are equally fast
        (0.3, {"budget": 5000.0}),  # a batch is worth its price
    ],
)
@pytest.mark.usefixtures("of_many")
def test_else_batches_stay(scale: float, settings: dict[str, Any]) -> None:
    assert batches(draw(noisy(1000, scale), **settings)) == {64}


def test_a_small_budget_has_rounds_of_all_rows_in_it() -> None:
    trace = draw(noisy(300), budget=1_000.0)
    assert trace.ended == "budget"
    assert 500 < trace.n_grad_evals / 4 <= 1_000


def test_few_rows_are_all_taken_from_the_first() -> None:
    trace = draw(noisy(sgld_defaults.FEW), budget=6_000.0)
    assert batches(trace) == {sgld_defaults.FEW}
    assert trace.stats["step_size"].min() > 0.1 / (A + GAMMA)


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({}, 1000),
        ({"draws": 100}, 1000),
        ({"batch_size": 64, "draws": 100}, 64),
        ({"step_size": 0.1, "draws": 100}, 64),
    ],
)
def test_where_few_rows_are_sufficient_all_are_taken_from_the_first(settings: dict[str, Any], rows: int) -> None:
    posterior = noisy(1000)
    mean, sd = posterior.full.x.mean(0), posterior.full.x.std(0)
    posterior = replace(posterior, full=Batch(jnp.stack([mean - sd, mean + sd]), jnp.zeros((2, 1)), jnp.float32(1)))
    trace = draw(posterior, **settings)
    assert batches(trace) == {rows}
    if not settings:
        assert trace.ended == "converged"
        assert trace.stats["step_size"].min() > 0.1 / (A + GAMMA)  # of curvature, and of no batch before


@pytest.mark.parametrize(
    ("spent", "budget", "step_size", "mixing", "slow"),
    [
        (AFTER, 20 * AFTER, [0.4, 0.4, 0.4, 2.0], 0.99, True),
        (AFTER - 1, 20 * AFTER, [0.4, 0.4, 0.4, 2.0], 0.99, False),
        (AFTER, 20 * AFTER, [0.6, 0.4, 0.6, 0.6], 0.99, False),
        (
            AFTER,
            20 * AFTER,
            [0.4, 0.4, 0.4, 2.0],
            0.0,
            False,
        ),  # 10 gradients an independent draw: no step is worth more
        (10 * AFTER, 20 * AFTER, [0.4, 0.4, 0.4, 0.4], 0.99, True),
        (10 * AFTER + 1, 20 * AFTER, [0.4, 0.4, 0.4, 0.4], 0.99, False),  # less is left than was spent
        (2 * AFTER, 6 * AFTER, [0.4, 0.4, 0.4, 0.4], 0.99, True),
        (2 * AFTER + 1, 6 * AFTER, [0.4, 0.4, 0.4, 0.4], 0.99, False),  # no four rounds of all rows are left
        (AFTER, 20 * AFTER, [0.4, 0.4, 0.4, 0.4], 1.0, True),  # they never move
    ],
)
@pytest.mark.parametrize("of", ["loss", "distance2"])
def test_what_is_asked_of_the_chains(
    of: str, spent: int, budget: int, step_size: list[float], mixing: float, slow: bool
) -> None:
    rng, walk = np.random.default_rng(0), np.zeros((4, 200))
    for i in range(1, 200):
        walk[:, i] = mixing * walk[:, i - 1] + (1 - mixing) * rng.normal(size=4)
    stats = {"loss": rng.normal(size=(4, 200)), "distance2": rng.normal(size=(4, 200)), of: walk}
    stats["step_size"] = np.array([[9.0] * 199 + [step] for step in step_size])
    asked: list[bool] = []
    begun: list[Any] = []

    class State:
        step_size = np.full(4, 10.0)

    def run(state: Any, batch: int | None, **more: Any) -> tuple[Any, Trace]:
        begun.append(state)
        if "slow" in more:
            asked.append(more["slow"](State, [stats], float(spent)))
        ended = "slow" if asked == [True] and "slow" in more else "budget"
        return State, Trace(np.zeros((4, 10)), n_grad_evals=4.0 * spent, ended=ended)

    _, batch = widened(run, "start", 32, 0.1, THIN, 0.97, float(budget))
    assert asked == [slow]
    assert (batch is None) == slow
    assert begun == ["start", State][: 1 + slow]


@pytest.mark.parametrize("allowed", [0.0, 10.0])
def test_chains_whose_steps_have_been_halved_away_are_not_slow_for_it(allowed: float) -> None:
    asked: list[bool] = []

    class State:
        step_size = np.full(4, allowed)

    def run(state: Any, batch: int | None, **more: Any) -> tuple[Any, Trace]:
        if "slow" in more:
            stats = {name: np.ones((4, 200)) for name in ("loss", "distance2")}
            asked.append(more["slow"](State, [{**stats, "step_size": np.zeros((4, 200))}], float(AFTER)))
        return State, Trace(np.zeros((4, 10)), n_grad_evals=4.0 * AFTER, ended="budget")

    widened(run, State, 32, 0.1, THIN, 0.97, 8.0 * AFTER)
    assert asked == [allowed > 0]
