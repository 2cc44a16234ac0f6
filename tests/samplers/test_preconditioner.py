"""SGLD with a diagonal preconditioner and with momentum, against exact answers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import (
    GAMMA,
    ISOTROPIC,
    OFF_MINIMUM,
    STRETCHED,
    TIGHT,
    A,
    Quadratic,
    monomial_posterior,
    regression_loss,
)

from llc import samplers, seeds
from llc.config import SgldConfig
from llc.estimates.diagnostics import diagnose
from llc.estimates.trace import Trace
from llc.exact import expected
from llc.loss.likelihood import batch
from llc.posterior import Posterior
from llc.samplers import langevin, preconditioner, sgld
from llc.samplers.stopping import ROUND

FAR_OFF = OFF_MINIMUM._replace(delta=0.2)  # at 0.1 the excess of a step can make λ̂ nothing
MOMENTUM, RMSPROP, ADAM = ("none", 0.9), ("rmsprop", 0.0), ("adam", 0.9)


def draw(posterior: Posterior, scheme: tuple[str, float], **settings: Any) -> Trace:
    name, momentum = scheme
    settings = {**vars(SgldConfig()), "preconditioner": name, "momentum": momentum, **settings}
    return sgld.sgld(seeds.key(0, "sgld"), posterior, **settings)


def assert_agrees(llc: np.ndarray, exact: float) -> None:
    found = diagnose(llc)
    assert found.mcse is not None
    assert found.mcse < 0.02 * abs(exact)
    assert abs(found.mean - exact) < 4 * found.mcse


def llc_on(problem: Quadratic, trace: Trace) -> np.ndarray:
    return problem.a * (trace.loss.astype(np.float64) - problem.loss_star())


@pytest.fixture
def last_state(monkeypatch: pytest.MonkeyPatch) -> list[langevin.State]:
    """Return a list that ends with the last state of the chains that were drawn last."""
    states: list[langevin.State] = []

    def collect(*args: Any, **settings: Any) -> Any:
        state, trace = samplers.rounds.collect(*args, **settings)
        states.append(state)
        return state, trace

    monkeypatch.setattr(sgld, "collect", collect)
    return states


# -------------------------------------------------------------------------------- quadratics


@pytest.mark.parametrize(("problem", "eps_q"), [*((STRETCHED, eps_q) for eps_q in (0.2, 0.6, 1.5)), (FAR_OFF, 0.6)])
def test_a_numeric_step_returns_the_closed_form_of_its_coordinates(
    problem: Quadratic, eps_q: float, last_state: list[langevin.State]
) -> None:
    """The variance of Euler's scheme in direction i is 1/(q (1 − ε G_i q/4))."""
    ah, q = problem.a * problem.h, problem.a * problem.h + problem.gamma
    step_size = float(eps_q / q.max())
    trace = draw(problem.posterior(), RMSPROP, step_size=step_size, warmup=2000, draws=2000, thin=20)
    g = np.asarray(last_state[-1].scale, np.float64) ** 2
    assert (g == g[0]).all()  # of all chains together
    excess = np.sum(ah / (2 * q * (1 - step_size * g[0] * q / 4)) - ah / (2 * q))
    assert_agrees(llc_on(problem, trace), problem.llc() + excess)
    assert trace.excess is not None
    assert trace.excess.mean() == pytest.approx(
        np.sum(step_size * g[0] * q / 8 / (1 - step_size * g[0] * q / 4)), rel=0.05
    )


@pytest.mark.parametrize(
    ("scheme", "problem"), [(RMSPROP, STRETCHED), *((ADAM, p) for p in (ISOTROPIC, TIGHT, STRETCHED, OFF_MINIMUM))]
)
def test_auto_gives_the_closed_form(scheme: tuple[str, float], problem: Quadratic) -> None:
    trace = draw(problem.posterior(), scheme, draws=4000, thin=10, warmup=1000)
    assert_agrees(llc_on(problem, trace), problem.llc())


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_the_preconditioner_is_the_inverse_root_of_the_curvature(name: str, last_state: list[langevin.State]) -> None:
    """E g_i² = q_i on a quadratic: G is √(q_max/q_i), damped, and long steps in flat directions mix better."""
    # Of four chains, whose slow directions move little in a round, log G has a standard deviation of 0.3 there.
    settings: dict[str, Any] = {"draws": 1000, "thin": 10, "warmup": 1000, "chains": 32}
    plain, better = (draw(STRETCHED.posterior(), (p, 0.0), **settings) for p in ("none", name))
    g = np.asarray(last_state[-1].scale[0], np.float64) ** 2
    root = np.sqrt(STRETCHED.a * STRETCHED.h + STRETCHED.gamma)
    damping = preconditioner.DAMPING * np.sqrt(np.mean(root**2))
    np.testing.assert_allclose(np.log(g), np.log((root.max() + damping) / (root + damping)), atol=0.7)
    assert g.min() == 1
    # What was measured before, in other coordinates, is forgotten: of these are the draws after the first round.
    assert (np.asarray(last_state[-1].n) == ROUND * (np.asarray(last_state[-1].rounds) - 1)).all()
    one, other = (diagnose(llc_on(STRETCHED, trace)).mcse for trace in (plain, better))
    assert one is not None
    assert other is not None
    assert other < 0.7 * one


# ------------------------------------------------------------------- why it has to be frozen


@pytest.mark.parametrize("eps_q", [1.0, 0.1, 0.02])
def test_the_bias_does_not_grow_as_the_step_shrinks(eps_q: float, last_state: list[langevin.State]) -> None:
    """With a G that follows the chain for ever it does: 30, 13, 35 % here, and 65 % at ε q = 0.005."""
    q = ISOTROPIC.a + ISOTROPIC.gamma
    settings = {"draws": 4000, "thin": 20, "warmup": 5000}
    trace = draw(ISOTROPIC.posterior(), RMSPROP, step_size=float(eps_q / q), **settings)
    g = np.asarray(last_state[-1].scale[0], np.float64) ** 2
    assert_agrees(llc_on(ISOTROPIC, trace), ISOTROPIC.llc() * float(np.mean(1 / (1 - eps_q * g / 4))))


# ----------------------------------------------------------------- minibatches, and no quadratic


def test_the_heat_of_minibatches_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Least squares with label noise, inputs on scales from 0.3 to 3, and more heat than is allowed."""
    monkeypatch.setattr("llc.samplers.steps.HEAT_MAX", 0.1)
    rng = np.random.default_rng(1)
    n, d = 2000, 10
    x = rng.normal(size=(n, d)) * np.geomspace(0.3, 3.0, d)
    y = x @ rng.normal(size=(d, 1)) + rng.normal(size=(n, 1))
    w_star = np.linalg.lstsq(x, y, rcond=None)[0].ravel()
    rows, a = batch(x, y, 1.0, "float32"), n / np.log(n)
    posterior = Posterior(regression_loss, rows, rows, jnp.asarray(w_star, jnp.float32), jnp.float32(a), jnp.float32(1))
    trace = draw(posterior, ADAM, batch_size=32, warmup=10_000, draws=4000, thin=20)
    assert trace.excess is not None
    heat, exact = float(trace.excess.mean()), expected.quadratic(np.linalg.eigvalsh(x.T @ x / n), a, 1.0)
    assert 0.08 < heat / exact < 0.12
    assert_agrees(a * (trace.loss.astype(np.float64) - np.mean((y[:, 0] - x @ w_star) ** 2) / 2) - heat, exact)


@pytest.mark.parametrize(("scheme", "exponents"), [(MOMENTUM, (1, 3)), (RMSPROP, (1, 1))])
def test_monomials_give_the_exact_value(scheme: tuple[str, float], exponents: tuple[int, int]) -> None:
    trace = draw(monomial_posterior(exponents), scheme, draws=25_000, thin=50)
    assert_agrees(A * trace.loss.astype(np.float64), expected.monomial(exponents, A, GAMMA))
    assert trace.stats["diverging"].mean() < 1e-3


def test_a_chain_that_is_set_back_is_at_rest_with_half_of_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its momentum carries it up again, with ever smaller steps."""
    monkeypatch.setattr(langevin, "EXPLODED", (0.0, -1.0))  # whatever it does
    posterior, key, loss_star = STRETCHED.posterior(), seeds.key(0, "sgld"), jnp.float32(STRETCHED.loss_star())
    start = langevin.start(key, posterior.w_star, loss_star, 1.0, scaled=False, chains=2)
    state, stats = langevin.advance(
        key, posterior, start, jnp.float32(0.97), loss_star,
        auto=True, batch=None, control=False, preconditioner="none", draws=1, thin=3,
    )  # fmt: skip
    assert stats["diverging"].all()
    np.testing.assert_array_equal(state.w, start.w)
    np.testing.assert_array_equal(state.noise, 0.0)
    np.testing.assert_array_equal(state.step_size, stats["step_size"][:, 0] / 2)


# -------------------------------------------------------------------------------- the contract


def test_only_the_product_of_loss_and_temperature_matters() -> None:
    scaled = STRETCHED._replace(h=8 * STRETCHED.h, a=STRETCHED.a / 8)  # a power of two: not one rounding differs
    one, other = (
        draw(problem.posterior(), ADAM, draws=100, thin=10).loss * problem.a for problem in (STRETCHED, scaled)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_sweep_over_momentum_compiles_once() -> None:
    compiled: list[str] = []

    def count(event: str, _seconds: float, **_: Any) -> None:
        compiled.extend([event] if "backend_compile" in event else [])

    draw(STRETCHED.posterior(), ADAM, draws=100, thin=10)
    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        draw(STRETCHED._replace(a=55.0, gamma=7.0).posterior(), ("adam", 0.5), draws=100, thin=10)
    finally:
        jax.monitoring.unregister_event_duration_listener(count)
    assert not compiled


def test_the_draws_that_find_it_are_dropped_and_count_as_work() -> None:
    plain, found = (draw(STRETCHED.posterior(), (name, 0.0), draws=100, thin=10) for name in ("none", "adam"))
    assert plain.loss.shape == found.loss.shape
    products = 20 + 5  # of one round more, in new coordinates
    assert found.n_grad_evals - plain.n_grad_evals == pytest.approx(4 * (50 * 10 + 50 / 3 + 2 * products))
