"""The density that is sampled: loss conventions, temperature, localisation."""

import math
import tracemalloc
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from llc.config import DlnModel, PosteriorConfig
from llc.loss import rows
from llc.loss.likelihood import batch, negative_log_likelihood, sufficient_rows
from llc.loss.rows import take
from llc.posterior import Posterior, inverse_temperature, tempered
from llc.targets.models import build

RNG = np.random.default_rng(0)


def linear(w: jax.Array, x: jax.Array) -> jax.Array:
    return x @ w.reshape(x.shape[1], -1)


@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_real_targets_have_the_gaussian_negative_log_likelihood_up_to_its_constant(sigma: float) -> None:
    x, y, w = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 2)), RNG.normal(size=6)
    loss = negative_log_likelihood(linear, jnp.asarray(w, jnp.float32), batch(x, y, sigma, "float32"))
    exact = -stats.norm(x @ w.reshape(3, 2), sigma).logpdf(y).sum(axis=1).mean()
    constant = 2 * math.log(sigma * math.sqrt(2 * math.pi))
    assert float(loss) == pytest.approx(exact - constant, rel=1e-5)


def test_classes_have_the_cross_entropy_in_nats() -> None:
    x, y, w = RNG.normal(size=(50, 4)), RNG.integers(0, 3, size=50).astype(np.int32), RNG.normal(size=12)
    logits = x @ w.reshape(4, 3)
    exact = -(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))[np.arange(50), y].mean()
    loss = negative_log_likelihood(linear, jnp.asarray(w, jnp.float32), batch(x, y, 1.0, "float32"))
    assert float(loss) == pytest.approx(exact, rel=1e-5)


def test_beta_is_of_the_number_of_data() -> None:
    assert 20_000 * inverse_temperature(PosteriorConfig(), 20_000) == pytest.approx(2019.5, abs=0.1)
    assert inverse_temperature(PosteriorConfig(beta0=2.0), 100) == 2 / math.log(100)
    assert inverse_temperature(PosteriorConfig(beta0=2.0, beta=0.7), 100) == 0.7


def posterior_of(nbeta: float = 12.0, gamma: float = 3.0) -> Posterior:
    data = batch(RNG.normal(size=(40, 3)), RNG.normal(size=(40, 1)), 0.5, "float32")
    w_star = jnp.asarray(RNG.normal(size=3), jnp.float32)
    return Posterior(
        partial(negative_log_likelihood, linear), data, data, w_star, jnp.float32(nbeta), jnp.float32(gamma)
    )


def test_a_posterior_passes_through_a_compiled_function_whole() -> None:
    posterior = replace(posterior_of(), linear_widths=(3, 1))
    back = jax.jit(lambda p: p)(posterior)
    assert jax.tree.structure(back) == jax.tree.structure(posterior)
    assert (back.loss_fn, back.linear_widths) == (posterior.loss_fn, (3, 1))
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(posterior), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (float(back.nbeta), float(back.gamma)) == (12.0, 3.0)


def restricted() -> tuple[Posterior, Posterior]:
    """Return a posterior of two of three parameters, and that of all."""
    whole = posterior_of()
    config, moving = PosteriorConfig(gamma=3.0, beta=0.3), np.array([0, 2])
    others = {"few": take(whole.data, jnp.arange(5))}
    part = tempered(
        whole.loss_fn, whole.data, whole.w_star, config, "float32",
        linear_widths=(3, 1), moving=moving, others=others,
    )  # fmt: skip
    return part, whole


def test_of_a_restricted_posterior_the_other_parameters_stay_at_w_star() -> None:
    part, whole = restricted()
    assert part.linear_widths is None  # gibbs, which draws all layers, refuses it
    v = jnp.asarray([0.3, 2.0])
    w = whole.w_star.at[jnp.array([0, 2])].set(v)
    assert float(part.loss(v)) == float(whole.loss(w))
    assert float(part.nbeta) == pytest.approx(40 * 0.3)
    exact = (whole.gradient(w) - 3.0 * (w - whole.w_star))[jnp.array([0, 2])] + 3.0 * (v - part.w_star)
    np.testing.assert_allclose(part.gradient(v), exact, rtol=1e-4)
    assert float(part.potential(v)) == pytest.approx(float(whole.potential(w)), rel=1e-5)
    few = whole.loss_fn(w, take(whole.data, jnp.arange(5)))
    assert {name: float(loss) for name, loss in part.elsewhere(v).items()} == {"loss_few": float(few)}


def test_a_restricted_posterior_passes_through_a_compiled_function_whole() -> None:
    part, _ = restricted()
    back = jax.jit(lambda p: p)(part)
    assert jax.tree.structure(back) == jax.tree.structure(part)
    np.testing.assert_array_equal(back.moving, [0, 2])
    assert float(back.loss(back.w_star)) == float(part.loss(part.w_star))


def test_gradient_is_that_of_the_potential() -> None:
    posterior, w = posterior_of(), jnp.asarray([0.3, -1.0, 2.0])
    np.testing.assert_allclose(posterior.gradient(w), jax.grad(posterior.potential)(w), rtol=1e-5)
    np.testing.assert_allclose(posterior.gradient(w, jnp.arange(40)), posterior.gradient(w), rtol=1e-5)


def test_potential_is_tempered_and_localised() -> None:
    posterior, w = posterior_of(nbeta=12.0, gamma=3.0), jnp.asarray([0.3, -1.0, 2.0])
    exact = 12.0 * posterior.loss(w) + 1.5 * np.sum((w - posterior.w_star) ** 2)
    assert float(posterior.potential(w)) == pytest.approx(float(exact), rel=1e-6)
    assert float(posterior.loss_of_potential(posterior.potential(w), w)) == pytest.approx(
        float(posterior.loss(w)), rel=1e-5
    )


def test_sufficient_rows_have_the_loss_of_all_rows_at_any_weights() -> None:
    model = build(DlnModel(widths=[4, 3, 2], rank=1))
    x, y = RNG.normal(size=(500, 4)), RNG.normal(size=(500, 2))
    few = sufficient_rows(x, y)
    assert len(few[0]) == 6
    with jax.enable_x64(True):
        for _ in range(5):
            w = jnp.asarray(RNG.normal(size=model.n_params))
            of_all, of_few = (
                float(negative_log_likelihood(model.apply, w, batch(*some, 0.7, "float64"))) for some in ((x, y), few)
            )
            assert of_few == pytest.approx(of_all, rel=1e-12)


@pytest.mark.parametrize("part", [2, 100, 130, 499])
def test_sufficient_rows_of_many_are_those_of_all_at_once(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    both = x, y = RNG.normal(size=(500, 4)), RNG.normal(size=(500, 2))
    whole = np.concatenate(sufficient_rows(*both), axis=1)
    np.testing.assert_array_equal(whole, np.linalg.qr(np.concatenate(both, axis=1), mode="r") * np.sqrt(6 / 500))
    monkeypatch.setattr(rows, "PART", part)
    found = np.concatenate(sufficient_rows(x, y), axis=1)
    np.testing.assert_allclose(np.abs(found), np.abs(whole), rtol=1e-10)  # a row may have the other sign
    np.testing.assert_allclose(found.T @ found, whole.T @ whole, rtol=1e-10)


def test_sufficient_rows_are_found_in_memory_that_does_not_grow_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART", 1000)
    x, y = RNG.normal(size=(50_000, 4)), RNG.normal(size=(50_000, 2))
    tracemalloc.start()
    sufficient_rows(x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * (x.nbytes + y.nbytes)
