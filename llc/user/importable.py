"""Where a module is, as Python would find it, without importing it or what it lies in. Without JAX."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from llc import code
from llc.config import ConfigError

ROOT = code.PACKAGE.parent  # of the project
SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES)


class Module(NamedTuple):
    """Where a module is."""

    file: Path | None  # None: a folder without __init__.py
    folders: tuple[Path, ...]  # of its submodules


def module_of(key: str, path: str, folder: Path) -> tuple[str, list[str], Module]:
    """Return the longest module that an import path begins with, its name, and the names after it.

    Raises
    ------
    ConfigError
        If it is no import path, or there is no such module; it names the ``key``.
    """
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ConfigError(f"{key}={path!r}: must be an import path, module.name")
    for n in range(len(parts) - 1, 0, -1):
        module = find_module(".".join(parts[:n]), folder)
        if module is not None:
            return ".".join(parts[:n]), parts[n:], module
    raise ConfigError(
        f"{key}={path!r}: there is no module {parts[0]} in {folder}, beside train.py, or installed; "
        "own.folder says where yours is"
    )


@lru_cache
def find_module(name: str, folder: Path) -> Module | None:
    """Return where a module is, as Python would find it, without importing what it lies in."""
    top, *rest = name.split(".")
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return None
    found = _in(top, [folder, ROOT, *(Path(entry) for entry in sys.path if entry)])
    if found is None and top.isidentifier() and top != "__main__":
        # A package that is installed to be edited may have a finder of its own.
        spec = importlib.util.find_spec(top)
        if spec is not None and spec.origin is not None:
            folders = tuple(map(Path, spec.submodule_search_locations or ()))
            found = Module(Path(spec.origin), folders)
    for part in rest:
        found = _in(part, found.folders) if found is not None else None
    return found


def _in(name: str, folders: Sequence[Path]) -> Module | None:
    bare = []
    for folder in folders:
        if (folder / name / "__init__.py").is_file():
            return Module(folder / name / "__init__.py", (folder / name,))
        for suffix in SUFFIXES:
            if (folder / f"{name}{suffix}").is_file():
                return Module(folder / f"{name}{suffix}", ())
        if (folder / name).is_dir():
            bare.append(folder / name)
    return Module(None, tuple(bare)) if bare else None


def modules(folder: Path) -> list[str]:
    """Return the names of what can be imported from a folder."""
    names = [entry.name for entry in folder.iterdir() if entry.name.partition(".")[0].isidentifier()]
    files = [name for name in names if name.endswith(SUFFIXES)]
    packages = [f"{name}/" for name in names if (folder / name / "__init__.py").is_file()]
    bare = [name for name in names if next((folder / name).glob("*.py"), None)]
    return sorted([*files, *packages, *bare])


@lru_cache
def installed(file: Path) -> bool:
    """Return whether a file is of Python itself or of an installed package."""
    paths = sysconfig.get_paths()
    places = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    places += [*site.getsitepackages(), site.getusersitepackages()]
    return any(file.resolve().is_relative_to(Path(place).resolve()) for place in places)
