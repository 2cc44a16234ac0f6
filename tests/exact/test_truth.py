"""Closed forms against tables, and against formulas that were derived in another way."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llc.exact.truth import (
    deep_linear,
    linear_regression,
    monomial,
    norm_power,
    reduced_rank_regression,
    regular,
)

NETWORKS = st.lists(st.integers(1, 40), min_size=2, max_size=7).flatmap(
    lambda widths: st.tuples(st.just(widths), st.integers(0, min(widths)))
)


@pytest.mark.parametrize(
    ("widths", "rank", "value", "multiplicity"),
    [
        ([2, 2, 2, 2], 0, 3 / 2, 3),
        ([5, 5, 5], 2, 23 / 2, 2),
        ([100] * 5, 50, 9063 / 2, 5),
        ([50, 60, 40, 70, 55], 20, 1121, 3),
        ([5, 3, 5], 0, 13 / 2, 2),
    ],
)
def test_published_coefficients_and_multiplicities(
    widths: list[int], rank: int, value: float, multiplicity: int
) -> None:
    assert deep_linear(widths, rank) == (value, multiplicity)


@pytest.mark.parametrize(
    ("widths", "rank", "value"),
    [
        ([10, 20, 20, 10], 5, 50),
        ([22, 20, 32, 46, 42], 5, 272),
        ([5, 4, 5], 0, 8),
        ([4, 3, 8], 0, 6),
        ([8, 3, 4], 0, 6),
        ([3, 8, 4], 0, 6),
        ([6, 4, 6], 2, 27 / 2),
    ],
)
def test_published_coefficients(widths: list[int], rank: int, value: float) -> None:
    assert deep_linear(widths, rank).value == value


@pytest.mark.parametrize("m", range(1, 7))
def test_two_layers_are_reduced_rank_regression(m: int) -> None:
    for h, n in itertools.product(range(1, 7), repeat=2):
        for r in range(min(m, h, n) + 1):
            assert deep_linear([m, h, n], r) == reduced_rank_regression(m, h, n, r), (m, h, n, r)


@given(st.integers(1, 50), st.integers(1, 50), st.data())
def test_one_layer_is_a_regular_model(inputs: int, outputs: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, min(inputs, outputs)))
    assert deep_linear([inputs, outputs], rank) == (inputs * outputs / 2, 1)


@given(NETWORKS)
def test_a_coefficient_is_at_most_half_the_number_of_parameters(network: tuple[list[int], int]) -> None:
    widths, rank = network
    assert deep_linear(widths, rank).value <= sum(a * b for a, b in itertools.pairwise(widths)) / 2


@given(NETWORKS)
def test_a_network_and_its_transpose_have_one_coefficient(network: tuple[list[int], int]) -> None:
    widths, rank = network
    assert deep_linear(widths, rank) == deep_linear(widths[::-1], rank)


@given(NETWORKS, st.randoms(use_true_random=False))
def test_the_order_of_hidden_layers_does_not_matter(network: tuple[list[int], int], random: Random) -> None:
    widths, rank = network
    hidden = widths[1:-1]
    random.shuffle(hidden)
    assert deep_linear([widths[0], *hidden, widths[-1]], rank) == deep_linear(widths, rank)


@given(NETWORKS, st.integers(0, 5))
def test_a_wide_hidden_layer_adds_nothing(network: tuple[list[int], int], extra: int) -> None:
    widths, rank = network
    assert deep_linear([widths[0], sum(widths) + extra, *widths[1:]], rank) == deep_linear(widths, rank)


@pytest.mark.parametrize(("widths", "rank"), [([3], 1), ([], 0), ([3, 2, 3], 3), ([3, 3], -1)])
def test_a_network_that_cannot_be_is_refused(widths: list[int], rank: int) -> None:
    with pytest.raises(ValueError, match=f"got {rank}"):
        deep_linear(widths, rank)


@given(NETWORKS)
def test_a_coefficient_is_a_multiple_of_a_half_to_the_last_digit(network: tuple[list[int], int]) -> None:
    widths, rank = network
    assert (2 * deep_linear(widths, rank).value).is_integer()


# ---------------------------------------------------------------------------- reduced rank regression


@pytest.mark.parametrize(
    ("shape", "value", "multiplicity"),
    [
        ((5, 3, 5, 0), 13 / 2, 2),
        ((5, 4, 5, 0), 8, 1),
        ((4, 3, 8, 0), 6, 1),
        ((8, 3, 4, 0), 6, 1),
        ((3, 8, 4, 0), 6, 1),
        ((6, 4, 6, 2), 27 / 2, 1),
    ],
)
def test_published_coefficients_of_reduced_rank_regression(
    shape: tuple[int, int, int, int], value: float, multiplicity: int
) -> None:
    assert reduced_rank_regression(*shape) == (value, multiplicity)


def test_a_rank_that_no_product_has_is_refused() -> None:
    with pytest.raises(ValueError, match="got 4"):
        reduced_rank_regression(5, 3, 5, 4)


# -------------------------------------------------------------------------- regular and monomial


def test_a_regular_model_has_half_its_dimension() -> None:
    assert regular(7) == (3.5, 1)
    assert linear_regression(3, 2, bias=True) == linear_regression(4, 2, bias=False) == (4, 1)


@pytest.mark.parametrize(
    ("k", "h", "value", "multiplicity"),
    [
        ([1, 1], None, 1 / 2, 2),
        ([1, 2], None, 1 / 4, 1),
        ([2, 2], None, 1 / 4, 2),
        ([1, 3], None, 1 / 6, 1),
        ([1, 0], None, 1 / 2, 1),
        ([1, 2], [0, 1], 1 / 2, 2),
        ([3, 2, 6], [2, 1, 5], 1 / 2, 3),
    ],
)
def test_a_monomial_has_its_nearest_pole(k: list[int], h: list[int] | None, value: float, multiplicity: int) -> None:
    assert monomial(k, h) == (value, multiplicity)


def test_a_power_of_the_norm_is_one_pole_in_polar_coordinates() -> None:
    # (w1 − 1)² (w1² + w2²)⁴ is |w|⁸ at the origin, and (w1 − 1)² alone at (1, 0.3).
    assert norm_power(2, 4) == (1 / 4, 1)
    assert monomial([1, 0]).value == 1 / 2
    assert norm_power(10, 1) == regular(10)


@pytest.mark.parametrize(("k", "h"), [([], None), ([0, 0], None), ([1, -1], None), ([1], [-1]), ([1, 1], [0])])
def test_what_is_no_monomial_is_refused(k: list[int], h: list[int] | None) -> None:
    with pytest.raises(ValueError, match="k and h must be"):
        monomial(k, h)
