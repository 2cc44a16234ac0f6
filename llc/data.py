"""Datasets by name: the arrays of a job, made or read in float64 whatever its precision."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from llc import npz, seeds
from llc.config import DigitsData, NpzData, TeacherData
from llc.models import Model

Inputs = Float[np.ndarray, "n d_in"]
Labels = Float[np.ndarray, "n d_out"] | Int[np.ndarray, " n"]


class Dataset(NamedTuple):
    """What a job trains on and samples with, and what it is tested on."""

    x: Inputs
    y: Labels  # integers are classes, floats real targets
    x_test: Inputs
    y_test: Labels
    sigma: float  # sd of the Gaussian likelihood; nothing reads it for classes
    w_true: Float[np.ndarray, " dim"] | None = None  # the teacher's weights

    def sha256(self) -> str:
        """Return the digest of the arrays that a target was trained on."""
        digest = hashlib.sha256()
        for array in (self.x, self.y):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def load(config: TeacherData | DigitsData | NpzData, seed: int, model: Model) -> Dataset:
    """Return the dataset that a parsed configuration describes."""
    if isinstance(config, TeacherData):
        return _teacher(config, seed, model)
    if isinstance(config, NpzData):
        x, y = npz.load(Path(config.path))
        assert config.n_data is not None  # parsed: filled in
        return _split(x, y, config.n_data, seed, config.sigma)
    x, y = _read_digits()
    data = _split(x, y, config.n_data, seed, sigma=1.0)
    # Standardised with the training rows' moments; pixels that are always blank stay 0.
    mean, scale = data.x.mean(axis=0), data.x.std(axis=0)
    scale[scale == 0] = 1.0
    return data._replace(x=(data.x - mean) / scale, x_test=(data.x_test - mean) / scale)


def _teacher(config: TeacherData, seed: int, model: Model) -> Dataset:
    inputs, noise = seeds.rng(seed, "data"), seeds.rng(seed, "noise")
    shape = (config.n_data, model.widths[0])
    unit = inputs.standard_normal(shape) if config.x_dist == "normal" else inputs.uniform(-1.0, 1.0, shape)
    x = config.x_scale * unit
    w_true = model.teach(seeds.rng(seed, "teacher"))
    with jax.enable_x64(True):
        y = np.asarray(jax.jit(model.apply)(jnp.asarray(w_true), jnp.asarray(x)))
    if config.noise == "normal":
        y = y + config.noise_scale * noise.standard_normal(y.shape)
    elif config.noise == "student_t":
        y = y + config.noise_scale * noise.standard_t(3, y.shape)
    assert config.sigma is not None  # parsed: filled in
    return Dataset(x, y, x[:0], y[:0], config.sigma, w_true)


def _read_digits() -> npz.Arrays:
    """Read the file that scikit-learn ships, without the 2 CPU seconds of importing it."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("data.kind=digits needs the package scikit-learn")
    rows = np.loadtxt(Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    return npz.Arrays(rows[:, :-1], rows[:, -1].astype(np.int32))


def _split(x: Inputs, y: Labels, n_data: int, seed: int, sigma: float) -> Dataset:
    """Draw ``n_data`` training rows by seed; the other rows are the test set."""
    order = seeds.rng(seed, "split").permutation(len(x))
    train, test = order[:n_data], order[n_data:]
    return Dataset(x[train], y[train], x[test], y[test], sigma)
