"""Which library code a stage's numbers come from, as a digest of each module. Without JAX.

A digest is of the syntax tree without docstrings: comments, layout and docstrings are not in
it. The modules are the stage's own and all that they import, read from their source; a module
that nothing imports counts for nothing.
"""

from __future__ import annotations

import ast
import hashlib
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

from llc.config import ConfigError

PACKAGE = Path(__file__).resolve().parent
STAGES = {"target": "llc.targets.target", "run": "llc.job", "figures": "llc.figures"}
# What these make is in the run id, or is the form of a file and not a number.
NO_NUMBERS = {
    "llc",
    *(f"llc.{name}" for name in ("artifacts", "code", "files", "jobs.compose", "jobs.ids", "locks", "terminal")),
}

IMPORTED_NS = time.time_ns()  # before the modules that make numbers

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def modules(stage: str, samplers: Iterable[str] = ()) -> dict[str, str]:
    """Return the digest of each module that the numbers of a stage depend on, by its path.

    Parameters
    ----------
    stage
        ``target``, ``run`` or ``figures``. A run samples around a target, so its modules count too.
    samplers
        The samplers of the run: the code of the others is not its own.

    Raises
    ------
    ConfigError
        If a module is not Python, as in the middle of an edit.
    """
    return dict(_modules(STAGES[stage], tuple(sorted(samplers)) if stage == "run" else ()))


def figures(captions: Path) -> dict[str, str]:
    """Return the digest of each module and of each text that the figures and the page of a sweep are made from."""
    texts = {f"llc/page/{path.name}": path for path in (PACKAGE / "page").glob("page.*")}
    texts |= {f"{captions.name}/{path.name}": path for path in captions.glob("*.rst")}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for name, path in sorted(texts.items())}
    return modules("figures") | digests


def changed(made_with: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the paths of the modules that differ, are new, or are gone."""
    return sorted(path for path in {*made_with, *now} if made_with.get(path) != now.get(path))


def edited_since_imported(made_with: Iterable[str]) -> bool:
    """Return whether the file of a module was changed in this process's time, which may run what was there before."""
    return any((PACKAGE.parent / path).stat().st_ctime_ns > IMPORTED_NS for path in made_with)


def digest(made_with: Mapping[str, str]) -> str:
    """Return eight hex digits that stand for all of the modules together."""
    return hashlib.sha256("".join(f"{k}={made_with[k]};" for k in sorted(made_with)).encode()).hexdigest()[:8]


@lru_cache
def _modules(root: str, samplers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    roots = [root, *(f"llc.samplers.{name}" for name in samplers)]
    found = {path.relative_to(PACKAGE.parent).as_posix(): path for path in reached(roots, NO_NUMBERS)}
    return tuple((key, substance(parse(path))) for key, path in sorted(found.items()))


def reached(roots: Iterable[str], leave_out: Container[str] = ()) -> set[Path]:
    """Return the files of modules of ours and of all that they import of ours, but for ``llc.config``."""
    found: set[Path] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name not in leave_out and not name.startswith("llc.config") and path not in found:
            found.add(path)
            waiting += filter(_is_ours, imports(path, name))
    return found


def _is_ours(name: str) -> bool:
    return name.split(".")[0] == "llc" and _path(name).is_file()


def _path(name: str) -> Path:
    base = PACKAGE.parent.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file.

    Raises
    ------
    ConfigError
        If it is not Python.
    """
    try:
        return _parsed(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line, what = getattr(error, "lineno", None), getattr(error, "msg", error)
        where = path if line is None else f"{path}, line {line}"
        raise ConfigError(f"{where}: {what}; mend it: which runs are stale is told from this file") from None


@cache
def _parsed(source: bytes) -> ast.Module:
    return ast.parse(source)


@cache
def substance(tree: ast.Module) -> str:
    """Return twelve hex digits of a syntax tree, without docstrings and places."""

    def text(node: object) -> str:
        if isinstance(node, list):
            return "[" + ",".join([text(part) for part in node]) + "]"
        if not isinstance(node, ast.AST):
            return repr(node)
        values = [(name, getattr(node, name)) for name in node._fields if hasattr(node, name)]
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            values = [(name, node.body[1:] if name == "body" else value) for name, value in values]
        return f"{type(node).__name__}({','.join([f'{name}={text(value)}' for name, value in values])})"

    return hashlib.sha256(text(tree).encode()).hexdigest()[:12]


def imports(path: Path, name: str) -> set[str]:
    """Return what module ``name`` of a file may import, wherever in it: some are names in a module."""
    found, package = set(), path.name == "__init__.py"
    for node in _statements(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".") if package else name.split(".")[:-1]
            base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            base = base if node.level else (node.module or "")
            # Of ``from llc import data`` the name is a module; of ``from llc.targets.data import load`` it is not.
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements in a node, at any depth, and what holds some, but no expressions: a tenth of all nodes."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield part
            yield from _statements(part)
