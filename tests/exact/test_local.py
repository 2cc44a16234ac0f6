"""λ of deep linear networks at given weights, against independent ways to it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llc.exact import local, strata
from llc.exact.truth import deep_linear

Layers = list[np.ndarray]
WIDTHS = st.lists(st.integers(1, 8), min_size=3, max_size=6)


def random_layers(widths: list[int], seed: int, generic: bool) -> Layers:
    """Return layers of random rank, their images and kernels in general position or along coordinates."""
    rng = np.random.default_rng(seed)
    layers = []
    for d_in, d_out in pairwise(widths):
        rank = rng.integers(0, min(d_in, d_out) + 1)
        if generic:
            layers.append(rng.normal(size=(d_in, rank)) @ rng.normal(size=(rank, d_out)))
        else:
            layer = np.zeros((d_in, d_out))
            layer[rng.permutation(d_in)[:rank], rng.permutation(d_out)[:rank]] = rng.uniform(1, 2, rank)
            layers.append(layer)
    return layers


def at_zero(widths: list[int], rank: int) -> np.ndarray:
    """Return R of aligned layers, the most singular ones with a product of this rank."""
    ranks = np.triu(np.full((len(widths), len(widths)), rank))
    ranks[np.diag_indices(len(widths))] = widths
    return ranks


LAYERS = st.builds(random_layers, WIDTHS, st.integers(0, 10**6), st.booleans())
TWO_LAYERS = st.builds(
    random_layers, st.lists(st.integers(1, 8), min_size=3, max_size=3), st.integers(0, 10**6), st.booleans()
)


# --------------------------------------------------------------------------------------- ranks


@given(LAYERS)
def test_ranks_are_those_of_the_products(layers: Layers) -> None:
    ranks = local.product_ranks(layers)
    for i in range(len(layers)):
        assert ranks[i, i] == len(layers[i])
        product = np.eye(len(layers[i]))
        for j in range(i, len(layers)):
            product = product @ layers[j]
            assert ranks[i, j + 1] == np.linalg.matrix_rank(product, tol=1e-8)


def test_the_rank_of_a_long_product_is_not_lost_in_its_spread() -> None:
    layers = [np.diag([1.0, 1e-3])] * 9  # singular values 1 and 1e-27
    assert local.product_ranks(layers)[0, -1] == 2


@given(LAYERS)
def test_the_jacobian_has_the_rank_that_differentiation_finds(layers: Layers) -> None:
    columns = []
    for k, layer in enumerate(layers):
        before = np.linalg.multi_dot([np.eye(len(layers[0]))] * 2 + layers[:k])
        after = np.linalg.multi_dot([*layers[k + 1 :]] + [np.eye(layers[-1].shape[1])] * 2)
        for i, j in np.ndindex(layer.shape):
            columns.append(np.outer(before[:, i], after[j]).ravel())
    values = np.linalg.svd(np.array(columns), compute_uv=False)
    assert local.jacobian_rank(local.product_ranks(layers)) == np.sum(values > 1e-10 * max(values[0], 1e-300))


# ---------------------------------------------------------------------------------- two layers


@given(st.tuples(*[st.integers(1, 9)] * 3), st.data())
def test_aligned_layers_have_the_global_coefficient(widths: tuple[int, int, int], data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, min(widths)))
    assert local.two_layers(at_zero(list(widths), rank)) == deep_linear(widths, rank)


@given(TWO_LAYERS)
def test_two_layers_have_half_the_codimension_of_the_zeros_next_to_them(layers: Layers) -> None:
    # Found by a search over strata, and known of the most singular weights: Pepin Lehalleur and Rimányi (2024).
    ranks = local.product_ranks(layers)
    assert local.two_layers(ranks).value == strata.codimension(ranks) / 2


@given(TWO_LAYERS)
def test_where_the_zeros_are_a_manifold_it_is_half_the_rank_of_the_jacobian(layers: Layers) -> None:
    ranks = local.product_ranks(layers)
    (m, h, n), (a, b, r) = np.diag(ranks), (ranks[0, 1], ranks[1, 2], ranks[0, 2])
    if min(m - a, h - a - b + r, n - b) == 0:
        assert local.two_layers(ranks).value == local.jacobian_rank(ranks) / 2
    else:
        assert local.two_layers(ranks).value > local.jacobian_rank(ranks) / 2


@pytest.mark.parametrize(
    ("w1", "w2", "value", "multiplicity"),
    [(0.0, 0.0, 1 / 2, 2), (0.0, 3.0, 1 / 2, 1), (2.0, 0.0, 1 / 2, 1), (2.0, 3.0, 1 / 2, 1)],
)
def test_one_number_times_another(w1: float, w2: float, value: float, multiplicity: int) -> None:
    ranks = local.product_ranks([np.array([[w1]]), np.array([[w2]])])
    assert local.two_layers(ranks) == (value, multiplicity)


def gibbs(layers: Layers, nbeta: float, gamma: float, chains: int, sweeps: int, warmup: int) -> tuple[float, float]:
    """Return λ̂ of ‖AB − A*B*‖² and its standard error: each layer given the other is Gaussian, and drawn exactly."""
    rng = np.random.default_rng(0)
    a_star, b_star = layers
    product, identity = a_star @ b_star, np.eye(len(b_star))
    a, b = (np.repeat(layer[None], chains, axis=0) for layer in layers)

    def draw(precision: np.ndarray, linear: np.ndarray) -> np.ndarray:
        noise = np.linalg.solve(np.linalg.cholesky(precision).swapaxes(1, 2), rng.normal(size=linear.shape))
        return np.linalg.solve(precision, linear) + noise

    excess = []
    for sweep in range(sweeps):
        a_t = a.swapaxes(1, 2)
        b = draw(2 * nbeta * a_t @ a + gamma * identity, 2 * nbeta * a_t @ product + gamma * b_star)
        precision = 2 * nbeta * b @ b.swapaxes(1, 2) + gamma * identity
        a = draw(precision, 2 * nbeta * b @ product.T + gamma * a_star.T).swapaxes(1, 2)
        if sweep >= warmup:
            excess.append(nbeta * np.sum((a @ b - product) ** 2, axis=(1, 2)))
    means = np.mean(excess, axis=0)
    return float(means.mean()), float(means.std() / np.sqrt(chains))


def test_an_exact_sampler_returns_the_local_coefficient_and_not_the_global_one() -> None:
    first, second = np.zeros((4, 4)), np.zeros((4, 4))
    first[range(3), range(3)] = 3.0
    second[3, 0] = 3.0  # its kernel is the image of the first: the product is 0
    ranks = local.product_ranks([first, second])
    assert deep_linear([4, 4, 4], 0).value == 6.0
    assert local.two_layers(ranks).value == 6.5
    mean, se = gibbs([first, second], nbeta=1e4, gamma=10.0, chains=100, sweeps=400, warmup=100)
    assert se < 0.02
    assert mean == pytest.approx(6.5, abs=4 * se + 0.01)


# --------------------------------------------------------------------------- any number of layers


@settings(max_examples=50, deadline=None)
@given(LAYERS)
def test_the_lower_bound_is_below_the_upper_one_and_below_all_parameters(layers: Layers) -> None:
    ranks = local.product_ranks(layers)
    lower, upper = local.bounds(ranks)
    assert lower <= upper <= sum(layer.size for layer in layers) / 2
    if len(layers) == 2:
        assert lower <= local.two_layers(ranks).value <= upper
    better = local.at_weights(layers)
    assert lower <= better.lower <= better.upper <= upper


@settings(max_examples=50, deadline=None)
@given(WIDTHS, st.data())
def test_at_aligned_weights_the_bounds_meet_at_the_global_coefficient(widths: list[int], data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, min(widths)))
    exact = deep_linear(widths, rank).value
    assert local.bounds(at_zero(widths, rank)) == (exact, exact)


@given(WIDTHS, st.integers(0, 10**6))
def test_with_layers_of_full_rank_the_network_is_smooth_or_a_bottleneck(widths: list[int], seed: int) -> None:
    # A smooth point: the products of rank r are a manifold of this dimension, and the map onto it is a submersion.
    rng = np.random.default_rng(seed)
    layers = [rng.normal(size=shape) for shape in pairwise(widths)]
    r, ends = min(widths), widths[0] + widths[-1]
    assert local.at_weights(layers) == (r * (ends - r) / 2,) * 2


def test_merging_a_layer_of_full_rank_changes_no_coefficient() -> None:
    # R^2 → R^2 → R^3: the first layer is invertible, so near these weights its product with the next is any matrix.
    rng = np.random.default_rng(0)
    invertible, other, last = rng.normal(size=(2, 2)), np.zeros((2, 3)), np.zeros((3, 2))
    ranks = local.merged(local.product_ranks([invertible, other, last]))
    np.testing.assert_array_equal(ranks, local.product_ranks([other, last]))


def test_the_published_example_of_a_local_coefficient_above_the_global_one() -> None:
    # An exact sampler returns 273 with γ = 1, and 410 to 422 with γ = 1e4 to 1e5.
    widths, ranks = [22, 20, 32, 46, 42], [20, 20, 5, 42]
    rng = np.random.default_rng(0)
    layers = [
        rng.normal(size=(a, r)) @ rng.normal(size=(r, b)) for (a, b), r in zip(pairwise(widths), ranks, strict=True)
    ]
    assert deep_linear(widths, rank=5).value == 272
    assert local.at_weights(layers) == (425, 425)
