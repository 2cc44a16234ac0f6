"""A user's own code, by import path: found and digested from its source, imported by a job alone. Without JAX."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from llc import code
from llc.config import CHANGED, ConfigError, Job, nearest
from llc.user.importable import ROOT, find_module, installed, module_of


class Found(NamedTuple):
    """The code that import paths stand for."""

    sha256: str
    digests: tuple[tuple[str, str], ...]  # of the files whose substance is in it
    folders: tuple[str, ...]  # that they, and what was not found, were looked for in

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files whose substance is in it."""
        return tuple(file for file, _ in self.digests)


def targets(job: Job) -> dict[str, str]:
    """Return the import paths of a job that its target depends on, by key."""
    named = {"model._target_": job.model, "data._target_": job.data}
    found = {key: section._target_ for key, section in named.items() if section.kind == "own"}
    return {**found, "loss": job.loss} if "." in job.loss else found


def paths(job: Job) -> dict[str, str]:
    """Return all import paths of a job, by key."""
    sources = (job.evaluate or {}).items()
    elsewhere = {f"evaluate.{name}": source["_target_"] for name, source in sources if "_target_" in source}
    return {**targets(job), **elsewhere}


def folder(job: Job) -> Path:
    """Return where a parsed ``job`` looks for modules first; then it is beside ``train.py``, then where Python does."""
    assert job.own.folder is not None  # parsed: filled in where an import path is given
    return Path(job.own.folder)


def find(job: Job, paths: Mapping[str, str]) -> Found:
    """Return the code of import paths of a parsed ``job``, by key, of which nothing is imported.

    It is that of the modules themselves and of all that these import, as far as it is not
    installed: of installed packages the versions are recorded, and make nothing stale. What is
    imported by a name that is made when it runs cannot be seen.

    Raises
    ------
    ConfigError
        If there is no such module, or no such name in it.
    """
    return _found(tuple(sorted(paths.items())), folder(job)) if paths else Found("", (), ())


@lru_cache
def _found(paths: tuple[tuple[str, str], ...], folder: Path) -> Found:
    files: dict[str, Path] = {}
    folders = {folder, ROOT}
    for key, path in paths:
        name, attributes, module = module_of(key, path, folder)
        _check_name(key, path, module.file, attributes[0])
        waiting = [name]
        while waiting:
            name = waiting.pop()
            above = [name.rsplit(".", up)[0] for up in range(1, name.count(".") + 1)]  # they are imported too
            for each in (name, *above):
                found = find_module(each, folder)
                folders |= set(found.folders) if found is not None and found.file is None else set()
                if found is None or found.file is None or each in files or each.split(".")[0] == "llc":
                    continue
                if found == module or not installed(found.file):
                    files[each] = found.file
                    waiting += code.imports(found.file, each) if found.file.suffix == ".py" else ()
    digests = {name: _digest(file) for name, file in files.items()}
    text = "".join(f"{name}={digests[name]};" for name in sorted(digests))
    folders |= {file.parent for file in files.values()}
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    of_files = sorted((str(file), digests[name]) for name, file in files.items())
    return Found(sha256, tuple(of_files), tuple(sorted(map(str, folders))))


def check_unchanged(job: Job) -> None:
    """Raise ConfigError if the modules of ``job``, imported by now, are not those that its id was made with."""
    by_key = paths(job) if job.stage == "run" else targets(job)
    for file, digest in find(job, by_key).digests:
        _check_unchanged(Path(file), digest)


@lru_cache
def _check_unchanged(file: Path, digest: str) -> None:  # once a process: what is imported stays as it is
    if _digest(file) != digest:
        raise ConfigError(f"{file}: {CHANGED}")


def load(key: str, path: str, folder: Path) -> Any:
    """Import what an import path stands for."""
    for place in (str(ROOT), str(folder)):
        if place not in sys.path:
            sys.path.insert(0, place)
    name, attributes, expected = module_of(key, path, folder)
    found: Any = importlib.import_module(name)
    origin = getattr(found, "__file__", None)
    if expected.file is not None and (origin is None or Path(origin).resolve() != expected.file.resolve()):
        raise ImportError(f"{key}={path!r}: Python imports {name} from {origin}, not {expected.file}; rename yours")
    for attribute in attributes:
        found = getattr(found, attribute)
    return found


def call(key: str, path: str, folder: Path, args: dict[str, Any], **offered: Any) -> Any:
    """Import a function and call it with ``args``, and with what is offered as far as it takes it by name."""
    function = load(key, path, folder)
    if not callable(function):
        raise TypeError(f"{key}={path!r}: must be a function or a class, got {type(function).__name__}")
    try:
        parameters = list(inspect.signature(function).parameters)
    except ValueError:  # of a function in C
        parameters = []
    return function(**{k: v for k, v in offered.items() if k in parameters and k not in args}, **args)


def takes(function: Callable[..., Any], *args: Any) -> bool:
    """Return whether a function can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*args)
    except TypeError:
        return False
    return True


def _check_name(key: str, path: str, file: Path | None, name: str) -> None:
    if file is None:
        raise ConfigError(f"{key}={path!r}: there is no module {name} in {path.rsplit(f'.{name}', 1)[0]}")
    if file.suffix == ".py":
        bound = set(_bound(code.parse(file)))
        if not {name, "*", "__getattr__"} & bound:
            raise ConfigError(f"{key}={path!r}: {file} defines no {name}{nearest(name, bound)}")


def _bound(node: ast.AST) -> Iterator[str]:
    """Return the names that the statements of a module bind, in its branches too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child.name
        elif isinstance(child, ast.alias):
            yield child.asname or child.name.split(".")[0]
        elif isinstance(child, ast.Name):
            yield from [child.id] if isinstance(child.ctx, ast.Store) else []
        else:
            yield from _bound(child)


def _digest(file: Path) -> str:
    return (
        code.substance(code.parse(file)) if file.suffix == ".py" else hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    )
