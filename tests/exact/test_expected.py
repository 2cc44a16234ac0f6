"""Exact values at finite nβ and γ: printed values, and integrals done in another way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llc.exact import expected, truth

NBETA = 1000 / math.log(1000)  # 144.765
ONES = np.ones(10)


def digits(n: int) -> float:
    """Return a unit of the last of ``n`` printed digits: some of the values were cut and not rounded."""
    return 10.0**-n


# ----------------------------------------------------------------------------------- quadratic


@pytest.mark.parametrize(("gamma", "value"), [(1.0, 4.965698), (10.0, 4.676929), (100.0, 2.957222)])
def test_a_quadratic_centred_at_its_minimum(gamma: float, value: float) -> None:
    assert expected.quadratic(ONES, NBETA, gamma) == pytest.approx(value, abs=digits(6))


def test_a_quadratic_centred_off_its_minimum_can_be_negative() -> None:
    assert expected.quadratic(ONES, NBETA, 1.0, 0.1) == pytest.approx(-2.272203, abs=digits(6))


@given(st.floats(0.01, 1e4), st.floats(0.01, 100), st.floats(-2, 2))
def test_mean_and_variance_are_those_of_the_gaussian_integral(nbeta: float, gamma: float, offset: float) -> None:
    h = np.array([0.7, 0.0])
    q = nbeta * h[0] + gamma
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)  # exact: the integrand is a polynomial
    w = gamma * offset / q + nodes / math.sqrt(q)
    excess = nbeta * 0.5 * h[0] * (w**2 - offset**2)
    mean = float(weights @ excess / weights.sum())
    variance = float(weights @ (excess - mean) ** 2 / weights.sum())
    scale = float(np.abs(excess).max())
    assert expected.quadratic(h, nbeta, gamma, np.array([offset, 5.0])) == pytest.approx(mean, abs=1e-10 * scale)
    assert expected.quadratic_variance(h, nbeta, gamma, np.array([offset, 5.0])) == pytest.approx(
        variance, abs=1e-10 * scale**2
    )


def test_without_localisation_a_quadratic_has_half_its_rank() -> None:
    assert expected.quadratic(np.array([1e-3, 5.0, 0.0]), 100.0, 0.0) == 1.0


@pytest.mark.parametrize(("step_size", "value"), [(1e-3, 5.153498), (1e-2, 7.812763)])
def test_sgld_on_a_quadratic_is_hotter_than_the_posterior(step_size: float, value: float) -> None:
    assert expected.sgld_on_quadratic(ONES, NBETA, 1.0, step_size) == pytest.approx(value, abs=digits(6))


def test_sgld_on_a_quadratic_is_its_autoregressive_chain() -> None:
    h, gamma, step, noise = 2.0, 3.0, 4e-3, 0.5
    q, v = NBETA * h + gamma, 0.0
    for _ in range(10_000):
        v = (1 - step * q / 2) ** 2 * v + step + (step * NBETA / 2) ** 2 * noise
    assert expected.sgld_on_quadratic(np.array([h]), NBETA, gamma, step, noise) == pytest.approx(NBETA * h * v / 2)


def test_sgld_with_a_vanishing_step_is_the_posterior() -> None:
    assert expected.sgld_on_quadratic(ONES, NBETA, 1.0, 1e-12) == pytest.approx(expected.quadratic(ONES, NBETA, 1.0))


def test_a_step_at_which_sgld_diverges_is_refused() -> None:
    with pytest.raises(ValueError, match="step_size must be below"):
        expected.sgld_on_quadratic(ONES, NBETA, 1.0, 4.01 / (NBETA + 1))


# ------------------------------------------------------------------------------------ monomials


@pytest.mark.parametrize(
    ("k", "values"),
    [(1, (0.497512, 0.499975)), (2, (0.241718, 0.249157)), (3, (0.155617, 0.164221))],
)
def test_a_power_of_one_coordinate(k: int, values: tuple[float, float]) -> None:
    found = [expected.monomial([k], nbeta, 1.0) for nbeta in (1e2, 1e4)]
    assert found == pytest.approx(values, abs=digits(6))
    assert expected.monomial([k], 123.0, 0.0) == truth.monomial([k]).value


def test_a_square_is_a_quadratic() -> None:
    for gamma in (0.1, 1.0, 50.0):
        exact = expected.quadratic(np.array([2.0]), 77.0, gamma)
        assert expected.monomial([1], 77.0, gamma) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize(("nbeta", "value"), [(1e2, 0.354204), (1e4, 0.412337), (1e6, 0.437543)])
def test_the_normal_crossing_of_two_lines(nbeta: float, value: float) -> None:
    assert expected.crossing(nbeta, 1.0) == pytest.approx(value, abs=digits(6))


@pytest.mark.parametrize("gamma", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("nbeta", [1e-2, 1e2, 1e6, 1e12])
def test_quadrature_and_bessel_functions_agree(nbeta: float, gamma: float) -> None:
    assert expected.monomial([1, 1], nbeta, gamma) == pytest.approx(expected.crossing(nbeta, gamma), rel=1e-9)


@pytest.mark.parametrize(
    ("p", "q", "values"),
    [(2, 1, (0.47268, 0.49719)), (2, 2, (0.81835, 0.90022)), (5, 3, (1.48406, 1.49967))],
)
def test_a_product_of_norms(p: int, q: int, values: tuple[float, float]) -> None:
    found = [expected.norm_product(p, q, nbeta, 1.0) for nbeta in (1e2, 1e4)]
    assert found == pytest.approx(values, abs=digits(5))
    # The same in polar coordinates.
    assert found == pytest.approx([expected.monomial([1, 1], a, 1.0, [p - 1, q - 1]) for a in (1e2, 1e4)], rel=1e-9)


def test_a_product_of_two_numbers_is_the_crossing() -> None:
    assert expected.norm_product(1, 1, 500.0, 2.0) == pytest.approx(expected.crossing(500.0, 2.0), rel=1e-9)


@pytest.mark.parametrize("k", [[1, 2], [1, 3]])
def test_a_crossing_of_one_pole_tends_to_its_coefficient(k: list[int]) -> None:
    errors = [truth.monomial(k).value - expected.monomial(k, nbeta, 1.0) for nbeta in (1e4, 1e8, 1e16)]
    assert errors[0] > errors[1] > errors[2] > 0
    assert errors[2] < 0.01 * truth.monomial(k).value


@pytest.mark.parametrize("k", [[1, 2], [2, 2], [3, 1]])
def test_a_crossing_is_its_integral_over_a_plain_grid(k: list[int]) -> None:
    nbeta, gamma = 20.0, 2.0
    w = np.arange(-6, 6, 0.01) + 0.005
    excess = nbeta * np.multiply.outer(w ** (2 * k[0]), w ** (2 * k[1]))
    density = np.exp(-excess - 0.5 * gamma * np.add.outer(w**2, w**2))
    assert expected.monomial(k, nbeta, gamma) == pytest.approx(np.sum(excess * density) / density.sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("k", "gamma", "message"), [([1, 1], 0.0, "not proper"), ([0], 1.0, "must be one or two"), ([1] * 3, 1.0, "two")]
)
def test_what_has_no_such_value_is_refused(k: list[int], gamma: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expected.monomial(k, 100.0, gamma)


def test_norms_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="p must be q or more"):
        expected.norm_product(1, 2, 100.0, 1.0)


def test_a_product_of_norms_beyond_float64_is_an_error_and_no_number() -> None:
    with pytest.raises(OverflowError, match="p=100, q=50"):
        expected.norm_product(100, 50, 1e4, 30.0)
