"""Parameter counts, and the width that comes nearest to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llc.jobs.widths import count_params, solve_hidden_width


def test_a_layer_without_biases_counts_its_matrix() -> None:
    assert count_params([3, 5, 2], bias=False) == 3 * 5 + 5 * 2


def test_a_layer_with_biases_counts_one_more_per_output() -> None:
    assert count_params([3, 5, 2], bias=True) == 3 * 5 + 5 + 5 * 2 + 2


@given(st.integers(1, 80), st.integers(1, 20), st.integers(1, 6), st.integers(1, 5_000))
def test_the_width_is_the_nearest_of_all(d_in: int, d_out: int, depth: int, target: int) -> None:
    def distance(width: int) -> int:
        return abs(count_params([d_in, *[width] * depth, d_out], bias=True) - target)

    # 5,000 parameters never need more than 1,667 hidden units: each has at least three.
    assert solve_hidden_width(d_in, d_out, depth, target) == min(range(1, 1_700), key=distance)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("width", [1, 2, 7, 30])
def test_the_width_of_an_exact_count_is_found_again(width: int, depth: int) -> None:
    assert solve_hidden_width(9, 4, depth, count_params([9, *[width] * depth, 4], bias=True)) == width


def test_the_width_of_a_huge_network_is_found_at_once() -> None:
    assert solve_hidden_width(1, 1, depth=1, target_params=3 * 10**15 + 1) == 10**15


def test_of_two_equally_near_widths_the_smaller_is_taken() -> None:
    nine, thirteen = (count_params([2, width, 1], bias=True) for width in (2, 3))
    assert (nine, thirteen) == (9, 13)
    assert solve_hidden_width(2, 1, depth=1, target_params=11) == 2
