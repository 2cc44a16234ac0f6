"""What is left to gain at w*, against closed forms and another minimiser."""

import dataclasses
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from composing import job
from scipy.optimize import minimize

from llc.exact import expected
from llc.loss.likelihood import Batch, batch, sufficient_rows
from llc.posterior import Posterior, inverse_temperature
from llc.targets import target
from llc.targets.polish import FINER, LEFT, _beside, deficit, polish, tolerance

X = np.random.default_rng(0).normal(size=(500, 6)) * np.array([3.0, 1.0, 0.3, 0.1, 0.03, 0.0])
NBETA = 500 / np.log(500)


def quadratic(w: jax.Array, data: object) -> jax.Array:
    return 0.5 * jnp.mean((X @ w) ** 2)  # its minimum is 0, at 0


def around(w_star: np.ndarray, gamma: float) -> Posterior:
    rows = batch(X, X[:, :1], 1.0, "float32")
    return Posterior(quadratic, rows, rows, jnp.asarray(w_star, jnp.float32), jnp.float32(NBETA), jnp.float32(gamma))


@pytest.mark.parametrize("gamma", [1.0, 30.0])
@pytest.mark.parametrize("distance", [0.0, 0.01, 1.0])
def test_the_deficit_is_what_a_quadratic_lacks_off_its_minimum(gamma: float, distance: float) -> None:
    h, basis = np.linalg.eigh(X.T @ X / len(X))
    delta = distance * np.ones(6)
    exact = expected.quadratic(h, NBETA, gamma) - expected.quadratic(h, NBETA, gamma, delta)
    w_star = basis @ delta
    hessian = X.T @ X / len(X)
    gradient = hessian @ w_star
    found = deficit(around(w_star, gamma), float(np.linalg.norm(gradient)))
    assert found == pytest.approx(exact, rel=2e-3, abs=LEFT)
    assert (exact > 100 * LEFT) == (distance == 1.0)  # so that the tolerance is none


def test_without_a_pull_the_deficit_is_the_whole_height_above_the_minimum() -> None:
    w_star = np.ones(6)
    loss = float(np.mean((X @ w_star) ** 2)) / 2
    assert deficit(around(w_star, 0.0), 1.0) == pytest.approx(NBETA * loss, rel=1e-3)


def test_a_step_to_where_it_is_higher_is_not_taken() -> None:
    def ledge(w: jax.Array, data: object) -> jax.Array:
        return jnp.sum(w) + jax.lax.stop_gradient(jnp.where(jnp.sum(w) < 6 - 1e-5, 10.0, 0.0))

    start = jnp.ones(6, jnp.float32)
    end = polish(start, start, dataclasses.replace(around(np.ones(6), 1.0), loss_fn=ledge), 1e-3, 1e-3, 100)
    assert not end.falling
    assert end.steps < 100
    assert ledge(end.w, None) < 6


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_a_saddle_has_no_slope_and_is_found_out(gamma: float) -> None:
    # ½‖AB − T‖² at rank 5 of 6: L lies ½ 0.3² above the minimum.
    def product(w: jax.Array, data: object) -> jax.Array:
        return 0.5 * jnp.sum((w[:36].reshape(6, 6) @ w[36:].reshape(6, 6) - jnp.diag(scales)) ** 2)

    scales = jnp.array([2.0, 2.0, 2.0, 2.0, 2.0, 0.3])
    minimum = jnp.sqrt(scales)
    for diagonal, height in (minimum, 0.0), (minimum.at[5].set(0.0), 0.3**2 / 2):
        w_star = jnp.tile(jnp.diag(diagonal).ravel(), 2)
        posterior = dataclasses.replace(around(np.asarray(w_star), gamma), loss_fn=product)
        # γ keeps the weights 1 % from the minimum's.
        assert deficit(posterior, 0.0) == pytest.approx(NBETA * height, rel=0.05, abs=LEFT)


def test_a_descent_that_leaves_a_saddle_goes_on_to_the_minimum() -> None:
    """Its memory of the saddle's curvature ends a fifth of these after two or three steps."""

    def loss(w: jax.Array, data: Batch) -> jax.Array:
        down, up = data.y[0, 0], data.y[1, 0]
        return 0.5 * jnp.sum(w[:-1] ** 2) - 0.5 * down * w[-1] ** 2 + 0.25 * up * w[-1] ** 4

    rng, nbeta, gamma = np.random.default_rng(0), 145.0, 1.0
    pull, ended = gamma / nbeta, []
    with jax.enable_x64(True):
        for k in rng.uniform(3.0, 50.0, 60):
            y = np.array([[k * gamma / nbeta], [((k - 1) * gamma) ** 2 / (20 * nbeta)]])  # 5 nats below the saddle
            rows, star = batch(np.zeros((2, 1)), y, 1.0, "float64"), jnp.zeros(4)
            posterior = Posterior(loss, rows, rows, star, jnp.float64(nbeta), jnp.float64(gamma))
            start, grad_tol = jnp.asarray(1e-3 * rng.normal(size=4)), tolerance(nbeta, pull) / FINER
            ended.append(float(polish(start, star, posterior, pull, grad_tol, 500).grad_norm) / grad_tol)
    assert max(ended) <= 1


@pytest.mark.parametrize("size", [1, 2, 50])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_beside_is_as_far_as_it_says_of_however_few_parameters(size: int, dtype: Any) -> None:
    with jax.enable_x64(True):
        step = np.asarray(_beside(jnp.ones(size, dtype), 1e-2)) - 1
    assert step.dtype == dtype
    assert np.linalg.norm(step) == pytest.approx(1e-2 * np.sqrt(size), rel=1e-4)


@cache
def network(*overrides: str) -> tuple[Posterior, target.Target]:
    """Return the posterior of a small network and its w*."""
    of = job("model=small", *overrides)
    problem = target.problem(of)
    found = target.make(of, problem)
    n = len(problem.data.x)
    rows = batch(problem.data.x, problem.data.y, problem.data.sigma, "float32")
    nbeta = jnp.float32(n * inverse_temperature(of.posterior, n))
    return Posterior(problem.loss_fn, rows, rows, jnp.asarray(found.w_star), nbeta, jnp.float32(1.0)), found


def lowest(posterior: Posterior) -> float:
    """Return nβ (L_n(w*) − L_n(w)) with w the minimum of U that SciPy finds from w*, in float64."""
    with jax.enable_x64(True):
        posterior = jax.tree.map(lambda x: x.astype("float64"), posterior)
        potential = jax.jit(jax.value_and_grad(Posterior.potential, argnums=1))
        start = posterior.w_star
        end = minimize(lambda w: [np.asarray(v) for v in potential(posterior, w)], start, jac=True, method="BFGS")
        return float(posterior.nbeta * (posterior.loss(start) - posterior.loss(jnp.asarray(end.x))))


def test_an_undertrained_network_lacks_what_another_minimiser_finds() -> None:
    posterior, w_star = network("training=early")
    found = deficit(posterior, w_star.grad_norm)
    assert found > 1.0
    assert found == pytest.approx(lowest(posterior), rel=0.02)


def test_a_polished_network_lacks_next_to_nothing() -> None:
    posterior, w_star = network("training=fast")
    assert w_star.polish_steps > 100
    # 0.98 without polishing; λ̂ is about 17.
    assert deficit(posterior, w_star.grad_norm) < 0.17


def test_the_teachers_weights_lack_the_share_of_the_labels_noise() -> None:
    # λ / log n on average over data, λ half the parameters of a regular model.
    of = job("model=quadratic", "model.d_in=200", "training=truth", "data.n_data=2000")
    problem = target.problem(of)
    found = target.make(of, problem)
    full = batch(*sufficient_rows(problem.data.x, problem.data.y), problem.data.sigma, "float32")
    nbeta = 2000 / np.log(2000)
    posterior = Posterior(problem.loss_fn, full, full, jnp.asarray(found.w_star), jnp.float32(nbeta), jnp.float32(1.0))
    lacking = deficit(posterior, found.grad_norm)
    # ½ χ²_d of variance d/2, the noise being estimated from the data that it is of.
    assert lacking * np.log(2000) == pytest.approx(100.0, abs=4 * 10)
