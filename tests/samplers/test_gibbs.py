"""The Gibbs sampler against exact answers on linear networks of one layer and more."""

from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats
from problems import STRETCHED, aligned, posterior_of
from scipy import special

from llc import samplers, seeds
from llc.estimates.trace import Trace
from llc.exact import truth
from llc.posterior import Posterior
from llc.samplers import gibbs

SETTINGS = {"warmup": 100, "draws": 1000, "chains": 4, "budget": 1e5}


def draw(posterior: Posterior, name: str = "gibbs", **settings: Any) -> Trace:
    return samplers.load(name)(seeds.key(0, name), posterior, **{**SETTINGS, **settings})


def llc_and_mcse(posterior: Posterior, trace: Trace, loss_star: float) -> tuple[float, float]:
    llc = float(posterior.nbeta) * (trace.loss - loss_star)
    return float(llc.mean()), float(array_stats.mcse(llc, method="mean"))


# -------------------------------------------------------------------------------- exact answers


@pytest.mark.parametrize("delta", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [1.0, 10.0, 100.0])
def test_one_layer_is_linear_regression(gamma: float, delta: float) -> None:
    """λ̂ = Σ a h/(2q) + (a/2) Σ h δ² [(γ/q)² − 1], q = a h + γ: moments of a normal."""
    rng = np.random.default_rng(1)
    n, p, q, sigma, a = 200, 6, 3, 0.5, 40.0
    x, y = rng.normal(size=(n, p)) * np.geomspace(0.2, 3.0, p), rng.normal(size=(n, q))
    shift = delta * rng.normal(size=(p, q))
    w_star = np.linalg.lstsq(x, y)[0] + shift
    h, axes = np.linalg.eigh(x.T @ x / (n * sigma**2))
    precision = a * h + gamma
    off = a / 2 * h * ((gamma / precision) ** 2 - 1) @ (axes.T @ shift) ** 2
    exact = q * np.sum(a * h / (2 * precision)) + np.sum(off)

    posterior = posterior_of([p, q], x, y, w_star.ravel(), a=a, gamma=gamma, sigma=sigma, dtype="float32")
    loss_star = np.sum((y - x @ w_star) ** 2) / (2 * n * sigma**2)
    mean, mcse = llc_and_mcse(posterior, draw(posterior, draws=4000), loss_star)
    assert mcse < 0.02 * abs(exact)
    assert abs(mean - exact) < 4 * mcse


def at_the_origin(widths: list[int], *, square: float, sigma: float, a: float, gamma: float) -> Posterior:
    """Return the posterior around w* = 0 with y = 0 and X'X/n = ``square`` I."""
    x = np.sqrt(square * widths[0]) * np.eye(widths[0])
    dim = sum(d_in * d_out for d_in, d_out in pairwise(widths))
    y = np.zeros((len(x), widths[-1]))
    return posterior_of(widths, x, y, np.zeros(dim), a=a, gamma=gamma, sigma=sigma, dtype="float32")


def test_two_layers_of_width_one_are_bessels() -> None:
    """K = c w1² w2²: λ̂ = ½ + z − z K1(z)/K0(z), z = γ²/(8 a c)."""
    square, sigma, a, gamma = 3.0, 0.7, 1e2, 1.0
    z = gamma**2 / (8 * a * square / (2 * sigma**2))
    exact = 0.5 + z - z * special.kv(1, z) / special.kv(0, z)
    posterior = at_the_origin([1, 1, 1], square=square, sigma=sigma, a=a, gamma=gamma)
    mean, mcse = llc_and_mcse(posterior, draw(posterior, draws=20_000), 0.0)
    assert mcse < 0.02 * exact
    assert abs(mean - exact) < 4 * mcse


@pytest.mark.parametrize(("p", "q", "a"), [(2, 2, 1e4), (5, 3, 1e2), (3, 5, 1e4)])
def test_two_layers_through_one_unit_are_tricomis(p: int, q: int, a: float) -> None:
    """K = c |u|² |v|²: λ̂ = p/2 − z (p/2) U(p/2+1, (p−q)/2+2, z)/U(p/2, (p−q)/2+1, z), z = γ²/(4 a c)."""
    square, sigma, gamma = 3.0, 0.7, 2.0
    z = gamma**2 / (4 * a * square / (2 * sigma**2))
    large, small = max(p, q), min(p, q)
    half, gap = large / 2, (large - small) / 2
    exact = half - z * half * special.hyperu(half + 1, gap + 2, z) / special.hyperu(half, gap + 1, z)
    posterior = at_the_origin([p, 1, q], square=square, sigma=sigma, a=a, gamma=gamma)
    mean, mcse = llc_and_mcse(posterior, draw(posterior, draws=8000), 0.0)
    assert mcse < 0.02 * exact
    assert abs(mean - exact) < 4 * mcse


@pytest.mark.parametrize(("depth", "a"), [(3, 1e2), (6, 1e4)])
def test_layers_of_width_one_are_a_mellin_integral_at_any_depth(depth: int, a: float) -> None:
    """K = ∏ w²: with exp(−aK) = ∫ Γ(s) (aK)^−s ds/2πi, Z(a) = ∫ Γ(s) a^−s E[w^−2s]^depth ds/2πi; λ̂ = −a Z'/Z."""
    gamma = 2.0
    s = 0.25 + 1j * np.linspace(-60, 60, 100_001)
    log_moment = s * np.log(gamma / 2) + special.loggamma(0.5 - s) - 0.5 * np.log(np.pi)
    z = np.exp(special.loggamma(s) - s * np.log(a) + depth * log_moment)
    exact = float((np.sum(s * z) / np.sum(z)).real)
    posterior = at_the_origin([1] * (depth + 1), square=1.0, sigma=np.sqrt(0.5), a=a, gamma=gamma)
    mean, mcse = llc_and_mcse(posterior, draw(posterior, draws=20_000), 0.0)
    assert mcse < 0.02 * exact
    assert abs(mean - exact) < 4 * mcse


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_conditional_of_a_layer_is_the_dense_gaussian(index: int) -> None:
    """Mean and covariance by autodiff: the draw is mean + covariance^(1/2) noise, to float64."""
    rng = np.random.default_rng(2)
    widths, a, sigma = [4, 2, 5, 3], 70.0, 0.6
    dim = sum(d_in * d_out for d_in, d_out in pairwise(widths))
    with jax.enable_x64(True):
        data = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
        posterior = posterior_of(widths, *data, rng.normal(size=dim), a=a, gamma=1.5, sigma=sigma, dtype="float64")
        layers = gibbs.split(jnp.asarray(rng.normal(size=dim)), widths)

        def potential(flat: jax.Array) -> jax.Array:
            changed = [flat.reshape(w.shape) if i == index else w for i, w in enumerate(layers)]
            return posterior.potential(jnp.concatenate([w.ravel() for w in changed]))

        here = layers[index].ravel()
        gradient, precision = jax.jit(lambda at: (jax.grad(potential)(at), jax.hessian(potential)(at)))(here)
        mean = here - np.linalg.solve(precision, gradient)
        values, vectors = np.linalg.eigh(precision)
        root = vectors / np.sqrt(values) @ vectors.T
        noise = jnp.asarray(rng.normal(size=layers[index].shape))

        hidden, after = posterior.full.x, jnp.eye(widths[-1])
        for layer in layers[:index]:
            hidden = hidden @ layer
        for layer in reversed(layers[index + 1 :]):
            after = layer @ after
        scale = np.sqrt(a / len(hidden)) / sigma
        centre = gibbs.split(posterior.w_star, widths)[index]
        drawn, steepest = jax.jit(gibbs.draw_layer)(
            noise, scale * hidden, scale * posterior.full.y, after, centre, posterior.gamma
        )
        expected = mean + root @ noise.ravel()
    np.testing.assert_allclose(drawn.ravel(), expected, rtol=1e-10, atol=1e-10)
    assert float(steepest) ** 2 == pytest.approx(values[-1] - 1.5, rel=1e-10)


# ---------------------------------------------------------------------------- real networks


@pytest.mark.parametrize(
    ("widths", "rank"), [([20, 20, 20], 5), ([20, 15, 25, 10, 30, 20], 5)], ids=["two layers", "five layers"]
)
def test_the_estimate_on_an_aligned_network_is_its_learning_coefficient(widths: list[int], rank: int) -> None:
    posterior = aligned(widths, rank, n=100_000)
    trace = draw(posterior, draws=300)
    mean, mcse = llc_and_mcse(posterior, trace, 0.0)
    assert mcse < 0.005 * mean
    assert mean == pytest.approx(truth.deep_linear(widths, rank).value, rel=0.01)
    assert array_stats.ess(trace.loss, method="bulk") > 0.5 * trace.loss.size  # its sweeps are nearly independent


def test_ten_layers_stay_within_float64() -> None:
    """Curvatures here span more than 1e16: from Gram matrices the layers would leave the finite numbers."""
    widths = [40] * 11
    posterior = aligned(widths, rank=5, n=100_000)
    mean, mcse = llc_and_mcse(posterior, draw(posterior, warmup=30, draws=30), 0.0)
    assert mcse < 0.02 * mean
    assert mean == pytest.approx(truth.deep_linear(widths, 5).value, rel=0.05)


def test_a_layer_is_drawn_where_dividing_and_conquering_finds_no_svd(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    arrays = [jnp.asarray(rng.normal(size=shape)) for shape in [(4, 2), (9, 4), (9, 5), (2, 5), (4, 2)]]
    expected, root = gibbs.draw_layer(*arrays, jnp.asarray(2.0))
    svd, asked = gibbs.svd, []

    def failing(a: Any, *, algorithm: gibbs.SvdAlgorithm, **settings: Any) -> Any:
        asked.append(algorithm)
        found = svd(a, algorithm=algorithm, **settings)
        return found if algorithm == gibbs.SvdAlgorithm.QR else [jnp.full_like(part, jnp.nan) for part in found]

    monkeypatch.setattr(gibbs, "svd", failing)
    found = gibbs.draw_layer(*arrays, jnp.asarray(2.0))
    assert gibbs.SvdAlgorithm.QR in asked
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)
    np.testing.assert_allclose(found[1], root, rtol=1e-4)


def test_a_draw_that_rounding_has_spoilt_is_not_a_number() -> None:
    regression = partial(posterior_of, [3, 3], np.eye(3), np.eye(3), np.eye(3).ravel(), a=1e12, dtype="float32")
    fine, spoilt = (draw(regression(gamma=gamma)).loss for gamma in (1e-16, 1e-22))
    assert np.isfinite(fine).all()  # 2e-16 √(1e12/3) / √γ is 0.01
    assert np.isnan(spoilt).all()  # it is 13


def test_nuts_and_gibbs_agree_on_a_network_of_three_layers() -> None:
    posterior = aligned([4, 3, 2, 4], rank=1, n=1000)
    nuts = draw(posterior, "nuts", target_accept=0.9, max_tree_depth=8, warmup=300, draws=900, chains=3)
    values = [llc_and_mcse(posterior, trace, 0.0) for trace in (nuts, draw(posterior, draws=4000))]
    (by_nuts, mcse_nuts), (by_gibbs, mcse_gibbs) = values
    assert max(mcse_nuts, mcse_gibbs) < 0.02 * by_gibbs
    assert abs(by_nuts - by_gibbs) < 4 * np.hypot(mcse_nuts, mcse_gibbs)


def test_precision_of_the_job_is_not_that_of_the_sampler() -> None:
    settings = {"warmup": 0, "draws": 100, "chains": 2}
    single = draw(aligned([6, 4, 5], 2, n=1000), **settings).loss
    with jax.enable_x64(True):
        double = draw(aligned([6, 4, 5], 2, n=1000, dtype="float64"), **settings).loss
    assert single.dtype == double.dtype == np.float64
    np.testing.assert_allclose(single, double, rtol=1e-3)


# ------------------------------------------------------------------------------ the contract


def test_a_posterior_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="deep linear networks with real targets only"):
        draw(STRETCHED.posterior())


def test_a_sweep_counts_as_a_gradient_per_layer() -> None:
    trace = draw(aligned([6, 4, 5, 3], 2, n=100), warmup=10, draws=40, chains=3)
    assert trace.n_grad_evals == 3 * (10 + 40) * 3


def test_warmup_is_dropped_from_the_front() -> None:
    posterior = aligned([6, 4, 5], 2, n=1000)
    whole, rest = (draw(posterior, warmup=warmup, draws=40 - warmup).loss for warmup in (0, 15))
    np.testing.assert_allclose(rest, whole[:, 15:], rtol=1e-6)


def test_memory_does_not_grow_with_draws_times_parameters() -> None:
    posterior, chains = aligned([30, 30, 30], 5, n=100), 2

    with jax.enable_x64(True):
        state = jnp.zeros((chains, len(posterior.w_star)))
        sizes = gibbs._advance.lower(seeds.key(0, "k"), posterior, state, draws=1100).compile().memory_analysis()
    assert sizes.temp_size_in_bytes + sizes.output_size_in_bytes < 0.1 * 1100 * chains * len(posterior.w_star) * 8
