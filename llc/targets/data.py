"""Datasets by name: the arrays of a job, made or read in float64 whatever its precision."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Shaped

from llc import seeds
from llc.compiled.programs import compiled
from llc.config import DigitsData, NpzData, OwnData, TeacherData, require
from llc.loss.rows import holds, parts
from llc.targets.models import Model
from llc.user import npz, own

Inputs = Float[np.ndarray, "n ..."] | Int[np.ndarray, "n ..."]  # (n, d_in), but of a user's own
Labels = Float[np.ndarray, "n ..."] | Int[np.ndarray, "n ..."]  # (n, d_out) or (n,), but with a user's own loss


class Dataset(NamedTuple):
    """What a job trains on and samples with, and what it is tested on."""

    x: Inputs
    y: Labels  # integers are classes, floats real targets
    x_test: Inputs
    y_test: Labels
    sigma: float  # sd of the Gaussian likelihood; nothing reads it for classes
    w_true: Float[np.ndarray, " dim"] | None = None  # the teacher's weights

    @property
    def nbytes(self) -> int:
        """Size of the arrays that a job samples with."""
        return self.x.nbytes + self.y.nbytes

    def sha256(self) -> str:
        """Return the digest of the arrays that a target was trained on."""
        digest = hashlib.sha256()
        for array in (self.x, self.y):
            digest.update(array.ravel().data)
        return digest.hexdigest()


def load(config: TeacherData | DigitsData | NpzData, seed: int, model: Model | None) -> Dataset:
    """Return the dataset that a parsed configuration describes; ``model`` is what a teacher labels with."""
    if isinstance(config, TeacherData):
        assert model is not None  # parsed: llc's own models, which are built before their data
        return _teacher(config, seed, model)
    if isinstance(config, NpzData):
        x, y = npz.load(Path(config.path), sha256=config.sha256)
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
    x = inputs.standard_normal(shape) if config.x_dist == "normal" else inputs.uniform(-1.0, 1.0, shape)
    x *= config.x_scale
    assert model.teach is not None  # parsed: llc's own models have teachers
    w_true = model.teach(seeds.rng(seed, "teacher"))
    with jax.enable_x64(True):
        y = np.empty((len(x), model.widths[-1]))
        for part in parts(len(x)):
            y[part] = compiled(model.apply, w_true, x[part])
    if config.noise == "normal":
        y += config.noise_scale * noise.standard_normal(y.shape)
    elif config.noise == "student_t":
        y += config.noise_scale * noise.standard_t(3, y.shape)
    assert config.sigma is not None  # parsed: filled in
    return Dataset(x, y, x[:0], y[:0], config.sigma, w_true)


def load_own(config: OwnData, seed: int, folder: Path) -> Dataset:
    """Return the dataset that a user's function makes.

    Raises
    ------
    ConfigError
        If there are fewer rows than ``data.n_data``, or the test rows are not like the others.
    """
    x, y, *test = call_own("data._target_", config._target_, config.args, seed, folder)
    n_data = len(x) if config.n_data is None else config.n_data
    must = f"between 2 and the {len(x)} rows that {config._target_} returns"
    require(2 <= n_data <= len(x), "data.n_data", n_data, must)
    found = _split(x, y, n_data, seed, config.sigma)
    if not test:
        return found
    x_test, y_test = test
    require_alike("data._target_: test rows", x_test, y_test, found)
    return found._replace(x_test=x_test, y_test=y_test)


def require_alike(key: str, x: Inputs, y: Labels, data: Dataset) -> None:
    """Raise ConfigError unless other rows are of the kind and shape of those of ``data``."""
    of, wanted = ((a.dtype.kind, a.shape[1:], b.dtype.kind, b.shape[1:]) for a, b in ((x, y), (data.x, data.y)))
    must = f"as the rows trained on: {data.x.dtype} {data.x.shape}, labels {data.y.dtype} {data.y.shape}"
    require(of == wanted, key, f"{x.dtype} {x.shape}, labels {y.dtype} {y.shape}", must)


def call_own(key: str, path: str, args: dict[str, Any], seed: int, folder: Path) -> list[Shaped[np.ndarray, "_ ..."]]:
    """Return the arrays that a user's function makes: x and y, and maybe x_test and y_test.

    Raises
    ------
    TypeError, ValueError
        If it is not arrays of finite numbers with as many rows.
    """
    returned = own.call(key, path, folder, args, seed=seed)
    what = f"{key}={path!r}: must return x, y or x, y, x_test, y_test, arrays of finite numbers"
    if not isinstance(returned, tuple | list) or len(returned) not in (2, 4):
        raise TypeError(f"{what}; it returned {type(returned).__name__}")
    arrays = [np.asarray(part) for part in returned]
    for x, y in (arrays[:2], arrays[2:])[: len(arrays) // 2]:
        kinds = x.dtype.kind in "fiu" and y.dtype.kind in "fiu"
        if (
            not kinds
            or min(x.ndim, y.ndim) < 1
            or len(x) != len(y)
            or not (np.isfinite(x).all() and np.isfinite(y).all())
        ):
            raise ValueError(f"{what}, n rows each; got {x.dtype} {x.shape} and {y.dtype} {y.shape}")
        if not all(holds(np.dtype(np.int32), a) for a in (x, y) if a.dtype.kind != "f"):
            raise ValueError(f"{what}; integers of 32 bits at most, got larger ones: make them smaller, or floats")
    return [a.astype(np.float64 if a.dtype.kind == "f" else np.int32) for a in arrays]


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
