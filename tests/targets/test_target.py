"""Training to w*, and keeping it."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from llc.config import DigitsData, DlnModel, Job, MlpModel, OwnData, TeacherData, TrainingConfig
from llc.loss import rows
from llc.loss.likelihood import batch
from llc.targets import target
from llc.targets.data import Dataset


def regression(**training: object) -> tuple[Job, target.Problem]:
    """Return a linear regression: one layer, five inputs, noisy labels; not polished unless asked for."""
    job = Job(
        data=TeacherData(n_data=200, sigma=1.0),
        model=DlnModel(widths=[5, 1], rank=1),
        training=TrainingConfig(**{"polish_steps": 0, **training}),  # type: ignore[arg-type]
    )
    return job, target.problem(job)


def test_the_loss_of_many_rows_is_that_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _, problem = regression()
    w = np.random.default_rng(0).normal(size=5).astype("float32")
    with jax.enable_x64(True):
        data = batch(problem.data.x, problem.data.y, problem.data.sigma, "float64")
        exact = jax.jit(jax.value_and_grad(problem.loss_fn))(jnp.asarray(w, "float64"), data)
        exact = float(exact[0]), float(jnp.linalg.norm(exact[1]))
    assert target.full_loss(w, problem) == exact
    monkeypatch.setattr(rows, "PART", 70)
    assert target.full_loss(w, problem) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_training_finds_the_least_squares_solution(optimizer: str) -> None:
    job, problem = regression(optimizer=optimizer, learning_rate=0.05, weight_decay=0.0, grad_tol=1e-6)
    found = target.make(job, problem)
    exact, residual, *_ = np.linalg.lstsq(problem.data.x, problem.data.y)
    np.testing.assert_allclose(found.w_star, exact[:, 0], atol=1e-5)
    assert found.loss == pytest.approx(residual[0] / 200 / 2, rel=1e-6)
    assert found.grad_norm < 3e-6


def test_weight_decay_pulls_w_star_towards_zero() -> None:
    norms = [
        np.linalg.norm(target.make(*regression(optimizer="adamw", weight_decay=decay, grad_tol=0.0)).w_star)
        for decay in (0.0, 10.0)
    ]
    assert norms[1] < 0.5 * norms[0]


def test_training_says_why_it_ended() -> None:
    early = target.make(*regression(grad_tol=1e-2, learning_rate=0.05))
    assert early.stopped == "grad_tol"
    assert early.steps < 10_000
    assert early.grad_norm <= 1e-2
    cut = target.make(*regression(grad_tol=0.0, steps=130))
    assert (cut.stopped, cut.steps, cut.polish_steps) == ("step_limit", 130, 0)


def test_polishing_finds_the_minimum_that_one_unit_of_pull_per_likelihood_allows() -> None:
    start = target.make(*regression(steps=20))
    job, problem = regression(steps=20, polish_steps=1000)
    found = target.make(job, problem)
    x, y = problem.data.x, problem.data.y
    # n L_n(w) + ½‖w − start‖², σ = 1
    exact = np.linalg.solve(x.T @ x + np.eye(5), x.T @ y[:, 0] + start.w_star)
    least_squares = np.linalg.lstsq(x, y[:, 0])[0]
    assert np.linalg.norm(exact - least_squares) > 1e-3
    np.testing.assert_allclose(found.w_star, exact, atol=1e-4)
    assert found.grad_norm == pytest.approx(np.linalg.norm(exact - start.w_star) / 200, rel=0.05)
    assert found.grad_norm < 0.02 * start.grad_norm
    assert (found.steps, found.stopped) == (20, "polished")
    assert 0 < found.polish_steps < 30


def test_polishing_ends_at_its_limit() -> None:
    found = target.make(*regression(steps=20, polish_steps=1))
    assert (found.stopped, found.steps, found.polish_steps) == ("step_limit", 20, 1)


def test_polishing_keeps_a_network_that_has_no_minimum_where_it_is() -> None:
    # Classes that can be told apart without error: L_n falls to 0 as the weights grow without end.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    data = Dataset(x, (x[:, 0] > 0).astype(np.int32), x[:0], np.zeros(0, np.int32), sigma=1.0)
    model = MlpModel(widths=[4], d_in=3, d_out=2)
    starts, ends = [
        target.make(
            job := Job(data=DigitsData(), model=model, training=TrainingConfig(steps=500, polish_steps=steps)),
            target.problem(Job(data=TeacherData(sigma=1.0, n_data=60), model=model))._replace(data=data),
        )
        for steps in (0, 2000)
    ]
    assert job.training.polish_steps == 2000
    moved = np.linalg.norm(ends.w_star - starts.w_star)
    assert 1e-3 < moved < 0.2 * np.linalg.norm(starts.w_star)
    assert ends.stopped == "polished"
    # What n L_n and the pull had to gain is gained.
    assert 60 * ends.loss + moved**2 / 2 < 60 * starts.loss
    assert ends.grad_norm == pytest.approx(moved / 60, abs=1e-3)


def test_minibatches_of_all_rows_or_more_are_the_full_gradient() -> None:
    full, capped = (target.make(*regression(batch_size=size, steps=100)) for size in (None, 200))
    np.testing.assert_array_equal(full.w_star, capped.w_star)
    small = target.make(*regression(batch_size=20, steps=100))
    assert not np.array_equal(full.w_star, small.w_star)


def test_training_that_diverges_is_an_error_that_names_the_fix() -> None:
    with pytest.raises(FloatingPointError, match=r"training.learning_rate=1e\+30.*lower it"):
        target.make(*regression(optimizer="sgd", learning_rate=1e30))


def test_the_teachers_weights_are_the_exact_minimum_without_noise() -> None:
    job = Job(
        data=TeacherData(sigma=1.0, n_data=100, noise="none"),
        model=MlpModel(widths=[8], d_in=3),
        training=TrainingConfig(w_star="teacher"),
    )
    found = target.make(job, target.problem(job))
    # w* is rounded to float32, so the loss is of the order of the square of that rounding.
    assert found.loss < 1e-12
    assert found.grad_norm < 1e-6
    assert (found.stopped, found.steps) == ("teacher", 0)


def test_a_saved_target_is_read_back_whole(tmp_path: Path) -> None:
    job, problem = regression(steps=50)
    found = target.make(job, problem)
    target.save(found, job, tmp_path)
    again = target.load(tmp_path, job, problem)
    np.testing.assert_array_equal(again.w_star, found.w_star)
    assert again._asdict() | {"w_star": 0} == found._asdict() | {"w_star": 0}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["target.json", "target.npz"]


def test_the_target_of_another_job_or_of_other_data_is_refused(tmp_path: Path) -> None:
    job, problem = regression(steps=50)
    target.save(target.make(job, problem), job, tmp_path)
    with pytest.raises(ValueError, match="this job needs"):
        target.load(tmp_path, *regression(steps=51))
    moved = problem.data._replace(x=problem.data.x + 1)
    with pytest.raises(ValueError, match="trained on other data"):
        target.load(tmp_path, job, problem._replace(data=moved))


def test_data_of_a_function_that_are_others_each_time_are_told_so(tmp_path: Path) -> None:
    job, problem = regression(steps=50)
    job = replace(job, data=OwnData(_target_="mine.data"))
    target.save(target.make(job, problem), job, tmp_path)
    moved = problem.data._replace(x=problem.data.x + 1)
    with pytest.raises(ValueError, match=r"data\._target_='mine.data': it must return the same data each time"):
        target.load(tmp_path, job, problem._replace(data=moved))


def test_data_that_another_machine_rounds_otherwise_are_the_same_data(tmp_path: Path) -> None:
    job, problem = regression(steps=50)
    found = target.make(job, problem)
    target.save(found, job, tmp_path)
    rounded = problem.data._replace(y=np.nextafter(problem.data.y, np.inf))
    np.testing.assert_array_equal(target.load(tmp_path, job, problem._replace(data=rounded)).w_star, found.w_star)


@pytest.mark.parametrize("name", ["target.json", "target.npz"])
@pytest.mark.parametrize("damage", ["gone", "empty", "half", "other"])
def test_a_damaged_target_is_refused_and_says_what_to_do(tmp_path: Path, name: str, damage: str) -> None:
    job, problem = regression(steps=50)
    target.save(target.make(job, problem), job, tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "other" and name == "target.npz":
        np.savez(path, w_star=np.zeros(5, np.float32))
    else:
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "other": b"[1]"}[damage])
    with pytest.raises(ValueError, match="delete the folder and it is trained again"):
        target.load(tmp_path, job, problem)


def test_a_target_that_is_not_there_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere'\)?: there is no such folder; target=null trains w\* here"):
        target.load(tmp_path / "nowhere", *regression(steps=50))
