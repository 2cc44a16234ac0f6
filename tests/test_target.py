"""Training to w*, and keeping it."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from llc import data, models, target
from llc.config import DlnModel, Job, MlpModel, TeacherData, TrainingConfig
from llc.posterior import negative_log_likelihood


def regression(**training: object) -> tuple[Job, models.Model, data.Dataset]:
    """Return a linear regression: one layer, five inputs, noisy labels."""
    job = Job(
        data=TeacherData(n_data=200, sigma=1.0),
        model=DlnModel(widths=[5, 1], rank=1),
        training=TrainingConfig(**training),  # type: ignore[arg-type]
    )
    model = models.build(job.model)
    return job, model, data.load(job.data, job.seed, model)


def make(job: Job, model: models.Model, dataset: data.Dataset) -> target.Target:
    return target.make(job, model, dataset, partial(negative_log_likelihood, model.apply))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_training_finds_the_least_squares_solution(optimizer: str) -> None:
    job, model, dataset = regression(optimizer=optimizer, learning_rate=0.05, weight_decay=0.0, grad_tol=1e-6)
    found = make(job, model, dataset)
    exact, residual, *_ = np.linalg.lstsq(dataset.x, dataset.y)
    np.testing.assert_allclose(found.w_star, exact[:, 0], atol=1e-5)
    assert found.loss == pytest.approx(residual[0] / 200 / 2, rel=1e-6)
    assert found.grad_norm < 3e-6


def test_weight_decay_pulls_w_star_towards_zero() -> None:
    norms = [
        np.linalg.norm(make(*regression(optimizer="adamw", weight_decay=decay, grad_tol=0.0)).w_star)
        for decay in (0.0, 10.0)
    ]
    assert norms[1] < 0.5 * norms[0]


def test_training_says_why_it_ended() -> None:
    early = make(*regression(grad_tol=1e-2, learning_rate=0.05))
    assert early.stopped == "grad_tol"
    assert early.steps < 10_000
    assert early.grad_norm <= 1e-2
    cut = make(*regression(grad_tol=0.0, steps=130))
    assert (cut.stopped, cut.steps) == ("step_limit", 130)


def test_minibatches_of_all_rows_or_more_are_the_full_gradient() -> None:
    full, capped = (make(*regression(batch_size=size, steps=100)) for size in (None, 200))
    np.testing.assert_array_equal(full.w_star, capped.w_star)
    small = make(*regression(batch_size=20, steps=100))
    assert not np.array_equal(full.w_star, small.w_star)


def test_training_that_diverges_is_an_error_that_names_the_fix() -> None:
    with pytest.raises(FloatingPointError, match=r"training.learning_rate=1e\+30.*lower it"):
        make(*regression(optimizer="sgd", learning_rate=1e30))


def test_the_teachers_weights_are_the_exact_minimum_without_noise() -> None:
    job = Job(
        data=TeacherData(n_data=100, noise="none"),
        model=MlpModel(widths=[8], d_in=3),
        training=TrainingConfig(w_star="teacher"),
    )
    model = models.build(job.model)
    found = make(job, model, data.load(job.data, job.seed, model))
    # w* is rounded to float32, so the loss is of the order of the square of that rounding.
    assert found.loss < 1e-12
    assert found.grad_norm < 1e-6
    assert (found.stopped, found.steps) == ("teacher", 0)


def test_a_saved_target_is_read_back_whole(tmp_path: Path) -> None:
    job, model, dataset = regression(steps=50)
    found = make(job, model, dataset)
    target.save(found, job, tmp_path)
    again = target.load(tmp_path, job, dataset)
    np.testing.assert_array_equal(again.w_star, found.w_star)
    assert again._asdict() | {"w_star": 0} == found._asdict() | {"w_star": 0}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["target.json", "target.npz"]


def test_the_target_of_another_job_or_of_other_data_is_refused(tmp_path: Path) -> None:
    job, model, dataset = regression(steps=50)
    target.save(make(job, model, dataset), job, tmp_path)
    other, _, _ = regression(steps=51)
    with pytest.raises(ValueError, match="this job needs"):
        target.load(tmp_path, other, dataset)
    with pytest.raises(ValueError, match="other data"):
        target.load(tmp_path, job, dataset._replace(x=dataset.x + 1))
