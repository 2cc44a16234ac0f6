"""A user's own trained weights, in an npz or safetensors file: parsed, checked and described. Without JAX."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from llc.config import CHANGED, ConfigError, nearest
from llc.jobs.widths import Layout
from llc.user import npz

FLAT = "w_star"  # the one array of a file that holds the flat vector, as target.npz does
SHOWN = 5


class Description(NamedTuple):
    """What planning needs to know of the file."""

    sha256: str
    shapes: Mapping[str, tuple[int, ...]]


def load(path: Path, layout: Layout, sha256: str | None = None) -> Float[np.ndarray, " dim"]:
    """Return the weights of a file as one vector in float64, in the order of ``layout``.

    Raises
    ------
    ConfigError
        If the file cannot be read, its arrays are not the parameters of the model, or its digest is not ``sha256``.
    """
    arrays, found = _read(path)
    if sha256 not in (None, found):
        raise _refuse(path, CHANGED)
    check(path, {name: array.shape for name, array in arrays.items()}, layout)
    parts = [arrays[FLAT]] if set(arrays) == {FLAT} else [arrays[name] for name, _ in layout]
    w = np.concatenate([np.asarray(part, np.float64).ravel() for part in parts])
    if not np.isfinite(w).all():
        raise _refuse(path, "its weights must be finite; it holds NaN or infinity")
    return w


def check(path: Path, shapes: Mapping[str, tuple[int, ...]], layout: Layout) -> None:
    """Raise ConfigError unless a file has the parameters of the model, by name and shape."""
    wanted = dict(layout)
    if set(shapes) == {FLAT} != set(wanted):
        dim = sum(int(np.prod(shape)) for shape in wanted.values())
        if shapes[FLAT] != (dim,):
            raise _refuse(path, f"{FLAT} must be of shape ({dim},), as the model has parameters, got {shapes[FLAT]}")
        return
    missing, more = [n for n in wanted if n not in shapes], [n for n in shapes if n not in wanted]
    if missing:
        hint = nearest(missing[0], more)
        raise _refuse(path, f"has no {_some(missing)}, which the model has{hint}; it has {_some(list(shapes))}")
    if more:
        raise _refuse(path, f"has {_some(more)}, which the model has not; it has {_some(list(wanted))}")
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise _refuse(path, f"{name} must be of shape {shape}, got {shapes[name]}")


def describe(path: Path) -> Description:
    """Return the file's digest, and the names and shapes in it; the same file is read once a process."""
    try:
        stat = path.stat()
    except OSError:
        raise _refuse(path, "no such file; a relative path starts where the command is started") from None
    return _describe(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _describe(path: Path, _mtime_ns: int, _size: int) -> Description:
    arrays, sha256 = _read(path)
    return Description(sha256, {name: array.shape for name, array in arrays.items()})


def _read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Return the arrays of a file by name, dots in it as slashes, and the digest of what was read."""
    if path.suffix not in (".npz", ".safetensors"):
        raise _refuse(path, "must end with .npz or .safetensors; save it so, a pickle could run code")
    try:
        if path.suffix == ".npz":
            with path.open("rb") as stream, np.load(npz.zipped(stream), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
                stream.seek(0)  # after it was read: else it may change in between
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        else:
            content = path.read_bytes()
            arrays, sha256 = _parse_safetensors(content), hashlib.sha256(content).hexdigest()
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise _refuse(path, f"not a readable {path.suffix} file of plain arrays ({error})") from None
    for name, array in arrays.items():
        if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
            raise _refuse(path, f"{name} is of {array.dtype}: weights are floats")
    return {name.replace(".", "/"): array for name, array in arrays.items()}, sha256


def _parse_safetensors(content: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(error) from None
    except KeyError as error:
        raise ValueError(f"type {error} is not NumPy's; save as float32") from None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _refuse(path: Path, problem: str) -> ConfigError:
    return ConfigError(f"training.path={str(path)!r}: {problem}")
