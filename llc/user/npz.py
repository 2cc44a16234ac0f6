"""A user's own arrays in an npz file: read, checked and described. Without JAX."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from llc.config import CHANGED, ConfigError

MAX_CLASSES = 100_000


class Arrays(NamedTuple):
    """What the file holds. ``y`` of integers are classes, of floats real targets."""

    x: Float[np.ndarray, "n d_in"]
    y: Float[np.ndarray, "n d_out"] | Int[np.ndarray, " n"]


class Description(NamedTuple):
    """What planning needs to know of the file."""

    sha256: str
    n: int
    d_in: int
    d_out: int
    classes: bool


def load(path: Path, key: str = "data.path", sha256: str | None = None) -> Arrays:
    """Read the arrays ``x`` and ``y`` of the npz file that ``key`` names; nothing in it is executed.

    Raises
    ------
    ConfigError
        If the file cannot be read, its arrays have the wrong names, shapes or values, or its digest is not ``sha256``.
    """
    arrays, found = _read(path, key)
    if sha256 not in (None, found):
        raise ConfigError(f"{key}={str(path)!r}: {CHANGED}")
    return arrays


def zipped(stream: BinaryIO) -> BinaryIO:
    """Return a file, or raise ValueError: NumPy takes what is no npz for a pickle, and tells how to load one."""
    if not zipfile.is_zipfile(stream):
        raise ValueError("it is no zip file, or not a whole one; np.savez makes one")
    stream.seek(0)
    return stream


def _read(path: Path, key: str) -> tuple[Arrays, str]:
    """Return what is in a file and the digest of what was read."""

    def refuse(problem: str) -> ConfigError:
        return ConfigError(f"{key}={str(path)!r}: {problem}")

    try:
        with path.open("rb") as stream, np.load(zipped(stream), allow_pickle=False) as file:
            missing = {"x", "y"} - set(file.files)
            if missing:
                raise refuse(
                    f"has no array {sorted(missing)}, only {file.files}; save it with np.savez(path, x=…, y=…)"
                )
            x, y = file["x"], file["y"]
            stream.seek(0)  # after it was read: else it may change in between
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise refuse("no such file; a relative path starts where the command is started") from None
    except ConfigError:
        raise
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise refuse(f"not a readable npz file of plain arrays ({error})") from None
    if x.ndim != 2 or len(x) < 2 or x.size == 0 or x.dtype.kind not in "fiu":
        raise refuse(
            f"x must be numbers of shape (n ≥ 2, d ≥ 1), got {x.dtype} {x.shape}; "
            "rows of another shape are what a function of yours may return: data=own"
        )
    if y.ndim not in (1, 2) or len(y) != len(x) or y.size == 0 or y.dtype.kind not in "fiu":
        raise refuse(f"y must be (n,) classes or (n, m) targets with n={len(x)}, got {y.dtype} {y.shape}")
    with np.errstate(over="ignore"):  # what overflows is refused below
        x, y = (a if a is y and y.dtype.kind != "f" else a.astype(np.float64) for a in (x, y))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise refuse("x and y must be finite; it holds NaN or infinity")
    if y.dtype.kind == "f":
        return Arrays(x, y.reshape(len(y), -1)), sha256
    if y.ndim != 1 or y.min() < 0 or y.max() >= MAX_CLASSES:
        raise refuse(
            f"y of integers are classes: shape (n,), values 0, 1, … below {MAX_CLASSES}; save real targets as floats"
        )
    return Arrays(x, y.astype(np.int32)), sha256


def describe(path: Path, key: str = "data.path") -> Description:
    """Return the file's digest and dimensions; the same file is read once a process."""
    try:
        stat = path.stat()
    except OSError:
        load(path, key)  # raises with the reason
        raise
    return _describe(path, key, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _describe(path: Path, key: str, _mtime_ns: int, _size: int) -> Description:
    (x, y), sha256 = _read(path, key)
    classes = y.ndim == 1
    d_out = int(y.max()) + 1 if classes else y.shape[1]
    return Description(sha256, len(x), x.shape[1], d_out, classes)
