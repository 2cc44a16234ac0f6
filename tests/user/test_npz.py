"""A user's arrays: what is accepted, and what is refused and how."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llc.config import ConfigError
from llc.user import npz

X = np.arange(10.0).reshape(5, 2)
CLASSES = np.array([0, 1, 2, 1, 0])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my.npz"


def test_integers_are_classes(file: Path) -> None:
    np.savez(file, x=X, y=CLASSES)
    y = npz.load(file).y
    assert y.dtype == np.int32
    assert y.tolist() == CLASSES.tolist()


def test_floats_are_targets_with_a_column_each(file: Path) -> None:
    np.savez(file, x=X, y=CLASSES.astype(np.float32))
    y = npz.load(file).y
    assert y.dtype == np.float64
    assert y.tolist() == [[0], [1], [2], [1], [0]]


def test_inputs_become_float64(file: Path) -> None:
    np.savez(file, x=X.astype(np.uint8), y=CLASSES)
    x = npz.load(file).x
    assert x.dtype == np.float64
    assert (x == X).all()


def test_classes_are_described_by_their_number(file: Path) -> None:
    np.savez(file, x=X, y=CLASSES)
    assert npz.describe(file)[1:] == (5, 2, 3, True)


def test_targets_are_described_by_their_columns(file: Path) -> None:
    np.savez(file, x=X, y=np.ones((5, 4)))
    assert npz.describe(file)[1:] == (5, 2, 4, False)


def test_compressed_files_are_read(file: Path) -> None:
    np.savez_compressed(file, x=X, y=CLASSES)
    assert (npz.load(file).x == X).all()


def test_a_file_that_is_not_the_one_described_is_refused(file: Path) -> None:
    np.savez(file, x=X, y=CLASSES)
    before = npz.describe(file).sha256
    assert (npz.load(file, sha256=before).x == X).all()
    np.savez(file, x=X + 1, y=CLASSES)
    with pytest.raises(ConfigError, match=r"evaluate.a=.*my.npz'\)?: it changed since the job was planned; plan again"):
        npz.load(file, "evaluate.a", before)


def test_a_file_that_is_written_again_is_described_anew(file: Path) -> None:
    np.savez(file, x=X, y=CLASSES)
    before = npz.describe(file)
    np.savez(file, x=X[:4], y=CLASSES[:4])
    after = npz.describe(file)
    assert (before.n, after.n) == (5, 4)
    assert before.sha256 != after.sha256


@pytest.mark.parametrize("read", [npz.load, npz.describe])
def test_a_missing_file_is_refused(file: Path, read: Callable[[Path], tuple]) -> None:
    with pytest.raises(ConfigError, match=r"my\.npz': no such file"):
        read(file)


def test_a_file_of_text_is_refused(file: Path) -> None:
    file.write_text("x,y\n1,2\n")
    with pytest.raises(ConfigError, match=r"my\.npz': not a readable npz") as refused:
        npz.load(file)
    assert "np.savez makes one" in str(refused.value)
    assert "pickle" not in str(refused.value)  # which is no fix


def test_a_file_with_a_changed_byte_is_refused(file: Path) -> None:
    np.savez(file, x=X, y=CLASSES)
    content = file.read_bytes()
    file.write_bytes(content.replace(X.tobytes(), (X + 1).tobytes()))
    with pytest.raises(ConfigError, match=r"my\.npz': not a readable npz"):
        npz.load(file)


class Bomb:
    def __reduce__(self) -> tuple:
        return pytest.fail, ("the pickle was executed",)


def test_a_pickled_array_is_refused_and_not_executed(file: Path) -> None:
    np.savez(file, x=np.array([[Bomb()], [Bomb()]], dtype=object), y=CLASSES[:2])
    with pytest.raises(ConfigError, match=r"my\.npz': not a readable npz file of plain arrays"):
        npz.load(file)


@pytest.mark.parametrize(("given", "missing"), [({"x": X}, "y"), ({"y": X}, "x"), ({"a": X}, "x', 'y")])
def test_a_missing_array_is_named(file: Path, given: dict, missing: str) -> None:
    np.savez(file, **given)
    with pytest.raises(ConfigError, match=rf"has no array \['{missing}'\], only \['{next(iter(given))}'\]"):
        npz.load(file)


@pytest.mark.parametrize(
    ("x", "y", "problem"),
    [
        (X[:, 0], CLASSES, r"x must be .* \(5,\)"),
        (X[:, :, None], CLASSES, r"x must be .* \(5, 2, 1\)"),
        (np.float64(3), CLASSES, r"x must be .* \(\)"),
        (X[:1], CLASSES[:1], r"x must be .* \(1, 2\)"),
        (X.astype(complex), CLASSES, "x must be numbers .* complex128"),
        (X.astype(str), CLASSES, "x must be numbers"),
        (X, CLASSES[:4], r"y must be .* n=5, got int64 \(4,\)"),
        (X, np.ones((5, 1, 1)), r"y must be .* \(5, 1, 1\)"),
        (X, CLASSES.astype(str), "y must be"),
        (X, CLASSES > 0, "y must be .* bool"),
        (np.where(X == 3, np.nan, X), CLASSES, "x and y must be finite"),
        (np.where(X == 3, -np.inf, X), CLASSES, "x and y must be finite"),
        (X, np.array([0, 1, 2, 3, np.nan]), "x and y must be finite"),
        (X, CLASSES - 1, "y of integers are classes"),
        (X, CLASSES[:, None], "y of integers are classes"),
    ],
)
def test_arrays_that_are_no_data_are_refused(file: Path, x: np.ndarray, y: np.ndarray, problem: str) -> None:
    np.savez(file, x=x, y=y)
    with pytest.raises(ConfigError, match=rf"my\.npz': {problem}"):
        npz.load(file)


def test_a_file_that_was_cut_short_is_refused(file: Path) -> None:
    np.savez(file, x=X, y=CLASSES)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigError, match="not a readable npz"):
        npz.load(file)


def test_an_empty_file_and_a_plain_array_are_refused(file: Path) -> None:
    file.write_bytes(b"")
    with pytest.raises(ConfigError, match="not a readable npz"):
        npz.load(file)
    with file.open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(ConfigError, match="not a readable npz"):
        npz.load(file)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X, np.array(1)),
        (X[:, :0], CLASSES),
        (X, np.ones((5, 0))),
        (X, np.array([0, 1, 2, 1, 2**32])),
        (X, np.array([0, 1, 2, 1, 1e400], dtype=np.longdouble) * np.longdouble("1e400")),
    ],
)
def test_arrays_without_a_meaning_are_refused(x: np.ndarray, y: np.ndarray, file: Path) -> None:
    np.savez(file, x=x, y=y)
    with pytest.raises(ConfigError, match=r"x must|y must|y of integers|finite"):
        npz.load(file)
