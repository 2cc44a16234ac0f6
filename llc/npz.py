"""A user's own arrays in an npz file: read, checked and described. Without JAX."""

from __future__ import annotations

import hashlib
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from llc.config import ConfigError


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


def load(path: Path) -> Arrays:
    """Read the arrays ``x`` and ``y`` of an npz file; nothing in it is executed.

    Raises
    ------
    ConfigError
        If the file cannot be read or its arrays have the wrong names, shapes or values.
    """

    def refuse(problem: str) -> ConfigError:
        return ConfigError(f"data.path={str(path)!r}: {problem}")

    try:
        with np.load(path, allow_pickle=False) as file:
            missing = {"x", "y"} - set(file.files)
            if missing:
                raise refuse(
                    f"has no array {sorted(missing)}, only {file.files}; save it with np.savez(path, x=…, y=…)"
                )
            x, y = file["x"], file["y"]
    except FileNotFoundError:
        raise refuse("no such file; a relative path starts where the command is started") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, ConfigError):
            raise
        raise refuse(f"not a readable npz file of plain arrays ({error})") from None
    if x.ndim != 2 or len(x) < 2 or x.dtype.kind not in "fiu":
        raise refuse(f"x must be numbers of shape (n ≥ 2, d), got {x.dtype} {x.shape}")
    if len(y) != len(x) or y.ndim not in (1, 2) or y.dtype.kind not in "fiu":
        raise refuse(f"y must be (n,) classes or (n, m) targets with n={len(x)}, got {y.dtype} {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise refuse("x and y must be finite; it holds NaN or infinity")
    x = x.astype(np.float64)
    if y.dtype.kind == "f":
        return Arrays(x, y.astype(np.float64).reshape(len(y), -1))
    if y.ndim != 1 or y.min() < 0:
        raise refuse("y of integers are classes: shape (n,), values 0, 1, …; save real targets as floats")
    return Arrays(x, y.astype(np.int32))


def describe(path: Path) -> Description:
    """Return the file's digest and dimensions; the same file is read once a process."""
    try:
        stat = path.stat()
    except OSError:
        load(path)  # raises with the reason
        raise
    return _describe(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _describe(path: Path, _mtime_ns: int, _size: int) -> Description:
    x, y = load(path)
    d_out = int(y.max()) + 1 if y.ndim == 1 else y.shape[1]
    return Description(hashlib.sha256(path.read_bytes()).hexdigest(), len(x), x.shape[1], d_out)
