"""What is known beside an estimate: λ at w*, and the exact value on the job's own data."""

import math

import numpy as np
import pytest
from composing import job

from llc.config import Job
from llc.exact import expected, local, truth
from llc.posterior import inverse_temperature
from llc.targets import known, target
from llc.targets.known import Known

TEACHER = ["training=truth", "data.noise=none"]


def nbeta_of(of: Job) -> float:
    return of.data.n_data * inverse_temperature(of.posterior, of.data.n_data)


def answers(*overrides: str) -> tuple[Known, Job, target.Problem, target.Target]:
    of = job(*overrides)
    problem = target.problem(of)
    found = target.make(of, problem)
    return known.answers(of, problem, found, nbeta_of(of)), of, problem, found


# ----------------------------------------------------------------------------- linear regression


def gaussian_integral(of: Job, problem: target.Problem, w_star: np.ndarray) -> float:
    """Return λ̂ from the posterior's own mean and covariance, in the coordinates of the weights."""
    x, y, sigma = problem.data.x, problem.data.y[:, 0], problem.data.sigma
    nbeta, gamma = nbeta_of(of), of.posterior.gamma

    def loss(w: np.ndarray) -> float:
        return float(np.mean((y - x @ w) ** 2)) / (2 * sigma**2)

    hessian = x.T @ x / len(x) / sigma**2
    covariance = np.linalg.inv(nbeta * hessian + gamma * np.eye(x.shape[1]))
    mean = covariance @ (nbeta * x.T @ y / len(x) / sigma**2 + gamma * w_star)
    return nbeta * (0.5 * np.trace(hessian @ covariance) + loss(mean) - loss(w_star))


@pytest.mark.parametrize(
    "overrides",
    [
        "training=truth data.noise=none",
        "training=truth data.noise=none model.teacher=zero",
        "training=truth data.noise_scale=0.5",
        "training=fast data.noise_scale=0.5 training.batch_size=null training.grad_tol=1e-6",
        "training=early training.steps=3",
        "training=truth data.noise=student_t posterior.gamma=50 posterior.beta=1 data.sigma=2",
    ],
)
def test_the_exact_value_of_linear_regression_is_its_gaussian_integral(overrides: str) -> None:
    found, of, problem, at = answers("model=quadratic", *overrides.split())
    assert found.llc_exact == pytest.approx(gaussian_integral(of, problem, at.w_star), rel=1e-8)


def test_linear_regression_has_half_its_inputs_where_w_star_is_the_minimum() -> None:
    trained = ["training.batch_size=null", "training.grad_tol=1e-6", "data.noise_scale=0.5"]
    assert answers("model=quadratic", *TEACHER)[0].llc_true == 5.0
    assert answers("model=quadratic", "model.d_in=3", "training=fast", *trained)[0].llc_true == 1.5


@pytest.mark.parametrize("overrides", ["training=truth data.noise_scale=0.5", "training=early training.steps=3"])
def test_no_coefficient_is_called_true_where_w_star_is_not_the_minimum(overrides: str) -> None:
    found = answers("model=quadratic", *overrides.split())[0]
    assert found.llc_true is None
    assert found.llc_exact is not None
    assert found.llc_exact < 5.0


def test_with_fewer_rows_than_inputs_only_the_directions_seen_count() -> None:
    found = answers("model=quadratic", "data.n_data=4", *TEACHER)[0]
    assert found.llc_true == 2.0


def test_one_layer_of_several_outputs_is_linear_regression_of_each() -> None:
    found, of, problem, _ = answers("model=dln", "model.widths=[4,3]", "model.rank=2", *TEACHER)
    assert found.llc_true == truth.linear_regression(4, 3, bias=False).value == 6.0
    h = np.linalg.eigvalsh(problem.data.x.T @ problem.data.x / len(problem.data.x))
    assert found.llc_exact == pytest.approx(3 * expected.quadratic(h, nbeta_of(of), 1.0), rel=1e-9)


# ------------------------------------------------------------------------------------- crossing


def test_a_crossing_has_the_scale_of_its_data() -> None:
    found, of, problem, _ = answers("model=crossing", "data.x_scale=3", "data.sigma=0.5", *TEACHER)
    nbeta = 100 / math.log(100) * np.mean(problem.data.x**2) / (2 * 0.5**2)
    assert found == (0.5, pytest.approx(expected.crossing(nbeta, of.posterior.gamma), rel=1e-9))


def test_exponents_are_those_of_the_network() -> None:
    found, of, problem, _ = answers("model=crossing", "model.exponents=[1,3]", *TEACHER)
    nbeta = nbeta_of(of) * np.mean(problem.data.x**2) / 2
    assert found == (1 / 6, expected.monomial([1, 3], nbeta, 1.0))


@pytest.mark.parametrize("change", ["data.noise=normal", "training.w_star=trained"])
def test_nothing_is_known_of_a_crossing_elsewhere(change: str) -> None:
    assert answers("model=crossing", *TEACHER, "training.steps=10", change)[0] == (None, None)


def test_a_posterior_that_is_not_proper_has_no_exact_value() -> None:
    assert answers("model=crossing", *TEACHER, "posterior.gamma=0")[0] == (0.5, None)


# -------------------------------------------------------------------------- deep linear networks


def test_an_aligned_teacher_has_the_global_coefficient() -> None:
    found = answers("model=dln", "model.widths=[6,9,7,5]", "model.rank=3", *TEACHER)[0]
    assert found == (truth.deep_linear([6, 9, 7, 5], 3).value, None)


def test_reduced_rank_regression_has_its_published_coefficient() -> None:
    assert answers("model=rrr", *TEACHER)[0].llc_true == 6.5


@pytest.mark.parametrize("seed", range(6))
def test_a_reduced_teacher_of_two_layers_has_the_coefficient_of_its_own_weights(seed: int) -> None:
    found, _, problem, _ = answers(
        "model=dln", "model.teacher=reduced", "model.widths=[6,8,7]", f"seed={seed}", *TEACHER
    )
    assert problem.data.w_true is not None
    layers = [problem.data.w_true[:48].reshape(6, 8), problem.data.w_true[48:].reshape(8, 7)]
    assert found.llc_true == local.two_layers(local.product_ranks(layers)).value


def test_a_reduced_teacher_that_is_only_bounded_has_no_known_coefficient() -> None:
    known_of = {
        seed: answers("model=dln_1k", "model.layers=[4,5]", "model.width=[5,12]", f"seed={seed}", *TEACHER)[0].llc_true
        for seed in range(12)
    }
    assert 0 < sum(value is None for value in known_of.values()) < 6


@pytest.mark.parametrize("change", ["data.noise=normal", "training.w_star=trained", "data.n_data=5"])
def test_no_coefficient_of_a_deep_linear_network_is_known_elsewhere(change: str) -> None:
    small = ["model=dln", "model.widths=[6,4,5]", "model.rank=2", "training.steps=10"]
    assert answers(*small, *TEACHER, change)[0] == (None, None)


def test_nothing_is_known_of_a_nonlinear_network() -> None:
    assert answers(*TEACHER)[0] == (None, None)
