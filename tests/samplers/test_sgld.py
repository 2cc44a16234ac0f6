"""SGLD's bias: predicted for a given step size, and taken away where it chooses its own."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import ISOTROPIC, STRETCHED, TIGHT, Quadratic, aligned, noisy_mean_loss, regression_loss

from llc import samplers, seeds
from llc.config import SgldConfig
from llc.estimates.diagnostics import diagnose, virial
from llc.estimates.trace import Trace
from llc.exact import expected
from llc.loss.likelihood import Batch, batch
from llc.posterior import Posterior
from llc.samplers import steps
from llc.samplers.sgld import sgld

N, A, GAMMA = 64, 10.0, 5.0
X = np.random.default_rng(0).normal(size=(N, 1))
X -= X.mean()
EXACT = A / (2 * (A + GAMMA))  # of the noisy mean


def noisy_mean() -> Posterior:
    """Return a quadratic whose minibatch gradients have label noise of variance mean(X²)/B everywhere."""
    rows = Batch(jnp.asarray(X, jnp.float32), jnp.zeros((N, 1)), jnp.float32(1))
    return Posterior(noisy_mean_loss, rows, rows, jnp.zeros(1), jnp.float32(A), jnp.float32(GAMMA))


def draw(posterior: Posterior, **settings: Any) -> Trace:
    return sgld(seeds.key(0, "sgld"), posterior, **{**vars(SgldConfig()), **settings})


def llc_of(trace: Trace) -> np.ndarray:
    return A * (trace.loss.astype(np.float64) - 0.5 * np.mean(X**2))


@pytest.mark.parametrize("step_size", [1e-3, 1e-2])
@pytest.mark.parametrize("problem", [ISOTROPIC, TIGHT])
def test_the_bias_of_a_step_is_predicted(problem: Quadratic, step_size: float) -> None:
    trace = draw(problem.posterior(), step_size=step_size, batch_size=2, warmup=2000, draws=2000, thin=20)
    ah, q = problem.a * problem.h, problem.a * problem.h + problem.gamma
    # E‖∇U‖² = Σ q/(1 − εq/4): the bias itself has ah in the place of q.
    assert trace.excess is not None
    assert trace.excess.mean() == pytest.approx(np.sum(step_size * q / 8 / (1 - step_size * q / 4)), rel=0.05)
    bias = problem.sgld_llc(step_size) - problem.llc()
    assert trace.excess.mean() * np.sum(ah) / np.sum(q) == pytest.approx(bias, rel=0.05)
    assert not trace.correct


@pytest.mark.parametrize("batch_size", [4, 16])
def test_auto_predicts_the_heat_of_minibatches_and_keeps_it_small(batch_size: int) -> None:
    trace = draw(noisy_mean(), batch_size=batch_size, draws=5000, thin=40, warmup=4000)
    found = diagnose(llc_of(trace))
    assert trace.correct
    assert trace.excess is not None
    heat = float(trace.excess.mean())
    assert 0.005 < heat / EXACT < 0.015
    assert found.mcse is not None
    assert found.mcse < 0.02 * EXACT
    assert abs(found.mean - heat - EXACT) < 4 * found.mcse


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 16},
        {"batch_size": 16, "control_variates": True},
        {"batch_size": 16, "momentum": 0.9},
        {"batch_size": 16, "momentum": 0.0},
        {"batch_size": 16, "preconditioner": "rmsprop"},
        {"batch_size": 500},
    ],
    ids=str,
)
def test_the_virial_is_0_but_for_the_heat_that_is_predicted(settings: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    n, d = 500, 5
    x = rng.normal(size=(n, d)) * np.linspace(1, 3, d)
    y = rng.normal(size=(n, 1))
    rows = batch(x, y, 1.0, "float32")
    w_star = jnp.asarray(np.linalg.lstsq(x, y, rcond=None)[0].ravel(), jnp.float32)
    posterior = Posterior(regression_loss, rows, rows, w_star, jnp.float32(n / np.log(n)), jnp.float32(20))
    trace = draw(posterior, draws=4000, thin=20, warmup=2000, **settings)
    found = virial(trace.stats["virial"], trace.excess, d)
    assert found is not None
    assert found.mcse < 0.03 * d
    assert abs(found.mean) < 4 * found.mcse


def test_auto_has_no_bias_where_label_noise_limits_its_step() -> None:
    """A step that follows the loss for ever stays where the loss is low: 5 to 8 % low here."""
    rng = np.random.default_rng(1)
    n, d = 2000, 10
    x = rng.normal(size=(n, d))
    y = x @ rng.normal(size=(d, 1)) + rng.normal(size=(n, 1))
    w_star = np.linalg.lstsq(x, y, rcond=None)[0].ravel()
    rows, a = batch(x, y, 1.0, "float32"), n / np.log(n)
    posterior = Posterior(regression_loss, rows, rows, jnp.asarray(w_star, jnp.float32), jnp.float32(a), jnp.float32(1))
    settings = {**vars(SgldConfig()), "batch_size": 8, "warmup": 20_000, "draws": 5000, "thin": 160}
    trace = sgld(seeds.key(0, "sgld"), posterior, **settings)
    found = diagnose(a * (trace.loss.astype(np.float64) - np.mean((y[:, 0] - x @ w_star) ** 2) / 2))
    assert trace.excess is not None
    assert found.mcse is not None
    exact = expected.quadratic(np.linalg.eigvalsh(x.T @ x / n), a, 1.0)
    assert found.mcse < 0.0125 * exact
    assert abs(found.mean - trace.excess.mean() - exact) < 4 * found.mcse


def test_the_first_draw_whose_heat_is_not_known_is_as_without_momentum() -> None:
    steps_of = draw(noisy_mean(), batch_size=4, draws=50, thin=40).stats["step_size"]
    np.testing.assert_allclose(steps_of[:, 0] * (1 + 0.97) / (1 - 0.97), 0.25 / (A + GAMMA), rtol=0.02)


def test_a_draw_that_is_set_back_has_no_heat_of_the_step_that_was_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llc.samplers.langevin.EXPLODED", (0.0, 1.0))  # a sixth of the draws
    trace = draw(noisy_mean(), batch_size=4, draws=200, chains=7)  # a number of its own, so that it is compiled anew
    set_back = trace.stats["diverging"]
    assert trace.excess is not None
    assert 0.02 < set_back.mean() < 0.5
    assert (trace.excess[set_back] == 0).all()
    assert (trace.excess[~set_back] > 0).all()


def test_so_many_draws_as_are_asked_for_do_not_depend_on_the_budget() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(20_000, 1)), jnp.float32)
    rows = Batch(x, jnp.zeros_like(x), jnp.float32(1))
    posterior = Posterior(noisy_mean_loss, rows, rows, jnp.zeros(1), jnp.float32(A), jnp.float32(GAMMA))
    one, other = (draw(posterior, draws=8, chains=2, budget=budget) for budget in (10.0, 1e5))
    np.testing.assert_array_equal(one.loss, other.loss)


def test_half_of_the_data_is_a_batch_of_all_unless_the_step_is_given() -> None:
    def losses(batch_size: int, step_size: float | str) -> np.ndarray:
        return draw(noisy_mean(), batch_size=batch_size, step_size=step_size, draws=8, chains=2).loss

    np.testing.assert_array_equal(losses(N // 2, "auto"), losses(N, "auto"))
    assert (losses(N // 2 - 1, "auto") != losses(N, "auto")).any()
    assert (losses(N // 2, 1e-2) != losses(N, 1e-2)).any()


def test_control_variates_take_the_labels_noise_away() -> None:
    settings = {"step_size": 0.02, "batch_size": 2, "draws": 4000, "thin": 50, "warmup": 1000}
    plain, controlled = (diagnose(llc_of(draw(noisy_mean(), control_variates=c, **settings))) for c in (False, True))
    q, noise = A + GAMMA, float(np.mean(X**2)) / 2
    without = A / (2 * q * (1 - 0.02 * q / 4))
    heat = 1 + 0.02 * A**2 * noise / 4
    assert plain.mcse is not None
    assert controlled.mcse is not None
    assert heat > 1.2
    assert abs(plain.mean - without * heat) < 4 * plain.mcse
    assert abs(controlled.mean - without) < 4 * controlled.mcse


@pytest.mark.parametrize("problem", [ISOTROPIC, TIGHT, STRETCHED])
@pytest.mark.parametrize(("momentum", "times"), [(None, 0.25), (0.5, 0.25), (0.0, 1.0)])
def test_the_step_of_auto_is_the_inverse_of_the_largest_curvature_or_a_quarter_of_it(
    problem: Quadratic, momentum: float | None, times: float
) -> None:
    trace = draw(problem.posterior(), **{**vars(SgldConfig(momentum=momentum)), "draws": 50})
    largest = problem.a * problem.h.max() + problem.gamma
    np.testing.assert_allclose(trace.tuned["step_size"], times / largest, rtol=0.02)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("factor", "chains"), [(0.3, 3), (2.0, 6)])
def test_auto_has_no_bias_on_a_quadratic_at_any_stable_step(
    factor: float, chains: int, momentum: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paired noise is exact there; plain SGLD would be 8 and 100 % hot."""
    monkeypatch.setattr("llc.samplers.steps.STEP_TIMES_CURVATURE", factor)
    monkeypatch.setattr("llc.samplers.steps.WITH_MOMENTUM", factor)
    problem = ISOTROPIC
    # A number of chains of its own: a program that is compiled already would have the factor of another test.
    settings = {"batch_size": 2, "draws": 4000, "thin": 10, "warmup": 2000}
    trace = draw(problem.posterior(), momentum=momentum, chains=chains, **settings)
    np.testing.assert_allclose(trace.tuned["step_size"], factor / (problem.a + problem.gamma), rtol=1e-3)
    found = diagnose(problem.a * trace.loss.astype(np.float64))
    assert found.mcse is not None
    assert found.mcse < 0.02 * problem.llc()
    assert abs(found.mean - problem.llc()) < 4 * found.mcse


def test_auto_with_minibatches_agrees_with_gibbs_on_a_deep_linear_network() -> None:
    # γ so large that flat directions are filled soon: with 1 it takes 2/(εγ), half a million steps.
    posterior = replace(aligned([6, 5, 4, 6], 2, n=10_000), gamma=jnp.float32(1000.0))
    by_sgld = draw(posterior, batch_size=32, draws=None, budget=3000.0)
    by_gibbs = samplers.load("gibbs")(seeds.key(0, "gibbs"), posterior, warmup=100, draws=4000, chains=4, budget=1e5)
    a = float(posterior.nbeta)
    one, other = diagnose(a * by_sgld.loss.astype(np.float64)), diagnose(a * by_gibbs.loss)
    assert by_sgld.excess is not None
    assert one.mcse is not None
    assert other.mcse is not None
    mean = one.mean - float(by_sgld.excess.mean())
    assert max(one.mcse, other.mcse) < 0.03 * other.mean
    assert abs(mean - other.mean) < 4 * np.hypot(one.mcse, other.mcse)


@pytest.mark.parametrize(
    ("n", "sufficient", "batch_size", "thin"),
    [
        (20_000, None, 64, 938),
        (20_000, None, 256, 235),
        (20_000, None, 8, 1000),
        (20_000, 5, 64, 100),
    ],
)
def test_the_loss_of_a_draw_takes_at_most_a_ninth_of_what_its_steps_do(
    n: int, sufficient: int | None, batch_size: int, thin: int
) -> None:
    posterior = with_rows(n, sufficient)
    assert steps.thinning(posterior, batch_size, None, SgldConfig().budget) == thin
    assert steps.thinning(posterior, batch_size, 500, 2.0) == thin
    assert steps.thinning(posterior, batch_size, None, 2.0) == 100  # so that a small budget has rounds in it
    loss, of_steps = work(posterior, batch_size, thin)
    assert loss <= of_steps / 9 or thin == 1000


def test_a_draw_of_all_rows_has_so_few_steps_that_a_round_is_soon_looked_at() -> None:
    posterior = with_rows(100, None)
    assert steps.thinning(posterior, None, None, SgldConfig().budget) == 50
    assert steps.thinning(posterior, None, 500, SgldConfig().budget) == 100  # as many draws as were asked for


def with_rows(n: int, sufficient: int | None) -> Posterior:
    data, full = (Batch(jnp.zeros((m, 1)), jnp.zeros((m, 1)), jnp.float32(1)) for m in (n, sufficient or n))
    return replace(noisy_mean(), data=data, full=full)


def work(posterior: Posterior, batch_size: int, thin: int) -> tuple[float, float]:
    """Return what the loss and the steps of a draw take, in gradients of all the data."""
    return len(posterior.full.x) / posterior.n / 3, thin * min(1, batch_size / posterior.n)


@pytest.mark.parametrize(
    ("n", "sufficient", "batch_size", "thin", "steps"),
    [(20_000, 5, 64, None, 100), (500, None, 8, None, 188), (500, None, 8, 7, 7)],
)
def test_a_draw_counts_its_steps_and_its_loss(
    n: int, sufficient: int | None, batch_size: int, thin: int | None, steps: int
) -> None:
    posterior = with_rows(n, sufficient)
    trace = draw(posterior, batch_size=batch_size, step_size=1e-3, draws=50, thin=thin)
    assert trace.n_grad_evals == pytest.approx(4 * 50 * sum(work(posterior, batch_size, steps)))


def kinked(kind: str, gamma: float) -> tuple[Posterior, float]:
    """Return a posterior of one parameter whose loss has a kink at each row, and its exact λ̂, by quadrature."""
    rng = np.random.default_rng(3)
    rows, slack = rng.laplace(size=301), {"absolute": np.abs, "hinge": lambda r: np.maximum(r, 0.0)}[kind]
    rows -= np.median(rows)
    w = np.linspace(-3, 3, 20_001)
    loss = np.mean([slack(row - w) + (0.5 * w if kind == "hinge" else 0.0) for row in rows], axis=0)
    nbeta, least = len(rows) / np.log(len(rows)), loss[len(w) // 2]
    density = np.exp(-nbeta * (loss - least) - 0.5 * gamma * w**2)
    exact = nbeta * float(np.sum((loss - least) * density) / np.sum(density))
    data = Batch(jnp.asarray(rows, jnp.float32), jnp.zeros(len(rows)), jnp.float32(1))
    loss_fn = {"absolute": absolute_loss, "hinge": hinge_loss}[kind]
    return Posterior(loss_fn, data, data, jnp.zeros(1), jnp.float32(nbeta), jnp.float32(gamma)), exact


def absolute_loss(w: jax.Array, data: Batch) -> jax.Array:
    return jnp.mean(jnp.abs(data.x - w[0]))


def hinge_loss(w: jax.Array, data: Batch) -> jax.Array:
    return jnp.mean(jax.nn.relu(data.x - w[0])) + 0.5 * w[0]


@pytest.mark.parametrize("gamma", [0.0, 1.0, 20.0])
@pytest.mark.parametrize("kind", ["absolute", "hinge"])
def test_auto_sees_a_curvature_that_is_in_kinks(kind: str, gamma: float) -> None:
    """The Hessian is 0 almost everywhere: by it the step was so large that λ̂ was 5 to 35 % high."""
    posterior, exact = kinked(kind, gamma)
    trace = draw(posterior)
    found = diagnose(float(posterior.nbeta) * (trace.loss.astype(np.float64) - trace.star["loss"]))
    assert trace.ended == "converged"
    assert found.mcse is not None
    assert found.mcse < 0.025 * exact
    assert abs(found.mean - exact) < 3 * found.mcse


def test_work_of_auto_is_counted_to_the_last_look_at_the_curvature() -> None:
    posterior = noisy_mean()
    trace = draw(posterior, batch_size=16, draws=100, thin=10, chains=3)
    steps, looks, products = 100 * 10, 100 * 4, 20 + 5 + 5
    assert trace.n_grad_evals == pytest.approx(3 * ((steps + looks) * 16 / N + products * 2 + 100 / 3))
