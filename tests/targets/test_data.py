"""Datasets: real digits, teachers, a user's arrays."""

import hashlib
import tracemalloc
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from llc.config import DigitsData, DlnModel, MlpModel, NpzData, TeacherData
from llc.loss import rows
from llc.targets import data, models

MLP = models.build(MlpModel(widths=[5], d_in=3, d_out=2))


def test_digits_are_those_that_scikit_learn_loads() -> None:
    x, y = data._read_digits()
    reference = load_digits()
    np.testing.assert_array_equal(x, reference.data)
    np.testing.assert_array_equal(y, reference.target)


def test_digits_are_standardised_with_the_moments_of_the_training_rows() -> None:
    digits = data.load(DigitsData(n_data=500), seed=0, model=MLP)
    assert (len(digits.x), len(digits.x_test)) == (500, 1297)
    varying = digits.x.std(axis=0) > 0
    np.testing.assert_allclose(digits.x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(digits.x[:, varying].std(axis=0), 1)
    assert 0 < abs(digits.x_test.mean()) < 0.1


def test_the_seed_draws_the_split() -> None:
    first, again, other = (data.load(DigitsData(n_data=500), seed, MLP) for seed in (0, 0, 1))
    assert first.sha256() == again.sha256() != other.sha256()


def test_teacher_labels_are_the_teachers_outputs_plus_the_noise() -> None:
    silent = data.load(TeacherData(sigma=1.0, n_data=4000, noise="none"), 0, MLP)
    noisy = data.load(TeacherData(sigma=1.0, n_data=4000, noise_scale=0.3), 0, MLP)
    assert silent.w_true is not None
    np.testing.assert_array_equal(noisy.x, silent.x)
    np.testing.assert_array_equal(noisy.w_true, silent.w_true)
    with jax.enable_x64(True):
        np.testing.assert_allclose(silent.y, MLP.apply(jnp.asarray(silent.w_true), jnp.asarray(silent.x)))
    residual = noisy.y - silent.y
    assert residual.std() == pytest.approx(0.3, rel=5 / np.sqrt(2 * residual.size))


@pytest.mark.parametrize("noise", ["none", "normal", "student_t"])
def test_labels_of_many_rows_are_those_of_all_at_once(noise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TeacherData(sigma=1.0, n_data=1000, noise=noise)
    whole = data.load(config, 0, MLP)
    monkeypatch.setattr(rows, "PART", 300)
    found = data.load(config, 0, MLP)
    np.testing.assert_array_equal(found.x, whole.x)
    np.testing.assert_allclose(found.y, whole.y, rtol=1e-12, atol=1e-14)


def test_data_are_made_and_digested_in_little_more_memory_than_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART", 1000)
    tracemalloc.start()
    found = data.load(TeacherData(sigma=1.0, n_data=50_000, noise="none"), 0, MLP)
    digest = found.sha256()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * (found.x.nbytes + found.y.nbytes)
    assert digest == hashlib.sha256(found.x.tobytes() + found.y.tobytes()).hexdigest()
    columns = found._replace(x=np.asfortranarray(found.x))
    assert columns.sha256() == digest


def test_student_t_noise_has_heavy_tails() -> None:
    silent, noisy = (
        data.load(TeacherData(sigma=1.0, n_data=4000, noise=noise), 0, MLP) for noise in ("none", "student_t")
    )
    residual = (noisy.y - silent.y) / 0.1
    # P(|t| > 5) is 0.015 with 3 degrees of freedom, and 6e-7 for a normal.
    assert np.mean(np.abs(residual) > 5) == pytest.approx(0.0154, abs=5 * np.sqrt(0.0154 / residual.size))


@pytest.mark.parametrize(("x_dist", "variance"), [("normal", 4.0), ("uniform", 4 / 3)])
def test_inputs_have_the_distribution_and_scale_asked_for(x_dist: str, variance: float) -> None:
    x = data.load(TeacherData(sigma=1.0, n_data=20_000, x_dist=x_dist, x_scale=2.0), 0, MLP).x
    assert x.shape == (20_000, 3)
    assert x.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / x.size))
    assert (np.abs(x).max() <= 2) == (x_dist == "uniform")


def test_a_rank_deficient_teacher_is_fitted_exactly_by_its_own_weights() -> None:
    model = models.build(DlnModel(widths=[6, 4, 5], rank=2))
    linear = data.load(TeacherData(sigma=1.0, n_data=50, noise="none"), 3, model)
    assert linear.w_true is not None
    assert np.linalg.matrix_rank(linear.y, tol=1e-9) == 2


def test_npz_rows_are_split_and_none_is_lost(tmp_path: Path) -> None:
    x = np.arange(40.0).reshape(20, 2)
    np.savez(tmp_path / "mine.npz", x=x, y=np.arange(20.0))
    mine = data.load(NpzData(path=str(tmp_path / "mine.npz"), n_data=15), 0, MLP)
    assert mine.x.shape == (15, 2)
    assert mine.y.shape == (15, 1)
    together = np.concatenate([mine.x, mine.x_test])
    np.testing.assert_array_equal(np.sort(together, axis=0), x)
    np.testing.assert_array_equal(mine.x[:, 0] / 2, mine.y[:, 0])
