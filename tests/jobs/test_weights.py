"""A user's own weights: read by name and shape, refused where they are another model's."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from composing import job
from safetensors.numpy import save_file

from llc.config import ConfigError, MlpModel
from llc.jobs import weights
from llc.targets import models, target

MODEL = models.build(MlpModel(widths=[4], d_in=3))
BF16 = b'{"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
ARRAYS = {name: np.random.default_rng(0).normal(size=shape) for name, shape in MODEL.layout}


def save(folder: Path, arrays: dict[str, np.ndarray], suffix: str = ".npz") -> Path:
    path = folder / f"mine{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file({name.replace("/", "."): array for name, array in arrays.items()}, path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_weights_are_put_in_the_order_of_the_model_by_their_names(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, dict(reversed(ARRAYS.items())), suffix)
    w = weights.load(path, MODEL.layout)
    np.testing.assert_array_equal(w, np.concatenate([ARRAYS[name].ravel() for name, _ in MODEL.layout]))
    x = np.random.default_rng(1).normal(size=(5, 3))
    hidden = np.tanh(x @ ARRAYS["layers/0/kernel"] + ARRAYS["layers/0/bias"])
    outputs = MODEL.apply(jnp.asarray(w, jnp.float32), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(outputs, hidden @ ARRAYS["layers/1/kernel"] + ARRAYS["layers/1/bias"], rtol=1e-4)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_weights_that_are_not_those_described_are_refused(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, ARRAYS, suffix)
    before = weights.describe(path).sha256
    np.testing.assert_array_equal(weights.load(path, MODEL.layout, before), weights.load(path, MODEL.layout))
    save(tmp_path, {name: array + 1 for name, array in ARRAYS.items()}, suffix)
    with pytest.raises(ConfigError, match=r"training.path=.*mine.*: it changed since the job was planned; plan again"):
        weights.load(path, MODEL.layout, before)


def test_a_flat_vector_is_taken_as_it_is(tmp_path: Path) -> None:
    w = np.arange(21.0)
    np.testing.assert_array_equal(weights.load(save(tmp_path, {"w_star": w}), MODEL.layout), w)
    with pytest.raises(ConfigError, match=r"w_star must be of shape \(21,\)"):
        weights.load(save(tmp_path, {"w_star": w[1:]}), MODEL.layout)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers/1/bias": None}, "has no layers/1/bias, which the model has; it has layers/0/kernel, layers/0/bias"),
        (
            {"layers/1/bias": None, "layers/1/bia": np.zeros(1)},
            r"has no layers/1/bias, .*\(did you mean layers/1/bia\?\)",
        ),
        ({"layers/2/kernel": np.zeros(3)}, "has layers/2/kernel, which the model has not; it has layers/0/kernel"),
        ({"layers/0/kernel": np.zeros((4, 3))}, r"layers/0/kernel must be of shape \(3, 4\), got \(4, 3\)"),
        ({"layers/0/kernel": np.zeros((3, 4), int)}, "layers/0/kernel is of int64: weights are floats"),
        ({"layers/0/kernel": np.full((3, 4), np.nan)}, "must be finite"),
    ],
)
def test_the_weights_of_another_model_are_refused_by_name(tmp_path: Path, change: dict, message: str) -> None:
    arrays = {name: array for name, array in (ARRAYS | change).items() if array is not None}
    with pytest.raises(ConfigError, match=message):
        weights.load(save(tmp_path, arrays), MODEL.layout)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.pkl", b"", "must end with .npz or .safetensors; save it so, a pickle could run code"),
        ("w.npz", b"PK\x03\x04", "not a readable .npz file"),
        ("w.npz", b"1 2 3", r"it is no zip file, or not a whole one; np.savez makes one"),
        ("w.safetensors", b"12345678{}", "not a readable .safetensors file"),
        ("w.safetensors", (60).to_bytes(8, "little") + BF16.ljust(60) + b"\0\0", "'BF16' is not NumPy's"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        weights.load(tmp_path / name, MODEL.layout)


def test_a_job_checks_them_before_it_starts_and_samples_around_them(tmp_path: Path) -> None:
    path = save(tmp_path, ARRAYS)
    of = ["model.widths=[4]", "training=file", f"training.path={path.name}"]
    found = target.make(job(*of, cwd=tmp_path), target.problem(job(*of, cwd=tmp_path)))
    np.testing.assert_array_equal(found.w_star, weights.load(path, MODEL.layout).astype(np.float32))
    assert (found.stopped, found.steps) == ("file", 0)
    with pytest.raises(ConfigError, match=r"training\.path=.*layers/0/kernel must be of shape \(3, 5\)"):
        job("model.widths=[5]", *of[1:], cwd=tmp_path)
    with pytest.raises(ConfigError, match=r"training\.sha256='0': must be the digest of"):
        job(*of, "training.sha256='0'", cwd=tmp_path)
    with pytest.raises(ConfigError, match=r"training\.path='nowhere\.npz'|training\.path=.*no such file"):
        job(*of[:2], "training.path=nowhere.npz", cwd=tmp_path)
    with pytest.raises(ConfigError, match=r"training\.path=None: must be of the file"):
        job("training=file")
    with pytest.raises(ConfigError, match=r"training\.path='a\.npz': must be null without training\.w_star=file"):
        job("training.path=a.npz")
