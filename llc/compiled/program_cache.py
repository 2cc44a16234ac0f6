"""What a sampler's round was traced to in one job serves the jobs of other processes, which then trace nothing.

JAX's cache finds a compiled program by the program itself, and to trace one takes longer than to load it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

import jax
from jax import export

from llc import code
from llc.compiled.programs import PROGRAMS_MAX, HashablePartial
from llc.files import whole

TRACED_BY = ("jax", "jaxlib", "numpyro", "blackjax")
SAMPLERS = "llc.samplers."
PLAIN = (bool, int, float, str, type(None))
# Of Gibbs. JAX does not warrant it for other versions of itself, by which a program is never read here.
SAME_LIBRARY = [export.DisabledSafetyCheck.custom_call(f"lapack_{precision}gesvd_ffi") for precision in "sd"]
DIGEST = hashlib.sha256().digest_size
_read: dict[str, Any] = {}  # jitted, by key: one function, so that this process compiles it once


class _NoNameError(Exception):
    """The program depends on something that no cache key can name."""


def exported(advance: Any, args: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
    """Return a jitted function of ``args`` that does what ``advance`` does, and is traced once for all processes.

    It is None where there is no cache, where it calls back to Python, and where the loss is a user's: there is no
    telling all that it depends on.

    Parameters
    ----------
    advance
        A jitted ``(key, posterior, state, *hyper, **static) -> (state, stats)``; see ``llc.samplers.rounds.collect``.
    args
        Those of a call, but what is static.
    """
    folder = jax.config.values["jax_compilation_cache_dir"]
    if not folder or "://" in folder:
        return None
    try:
        key = _key(advance, args, static)
    except _NoNameError:
        return None
    if key not in _read:
        file = Path(folder, "traced", key)
        program = _load(file)
        if program is None:
            program = _trace(advance, args, static)
            if program is None:
                return None
            _save(file, program)
        if len(_read) >= PROGRAMS_MAX:
            _read.clear()
        _read[key] = jax.jit(partial(_stored_round, program))
    return _read[key]


def _stored_round(program: export.Exported, *args: Any) -> tuple[Any, dict[str, Any]]:
    leaves, stats = program.call(*jax.tree.leaves(args))
    return jax.tree.unflatten(jax.tree.structure(args[2]), leaves), stats


def _trace(advance: Any, args: tuple[Any, ...], static: Mapping[str, Any]) -> export.Exported | None:
    """Return the program between arrays, for the classes that they stand in are not stored, or None if it cannot be."""
    leaves, tree = jax.tree.flatten(args)

    def flat(*leaves: Any) -> Any:
        state, stats = advance(*jax.tree.unflatten(tree, leaves), **static)
        return jax.tree.leaves(state), stats

    try:
        return export.export(jax.jit(flat), disabled_checks=SAME_LIBRARY)(*leaves)
    except (ValueError, NotImplementedError):  # what is wrong by itself is so again when it is traced as it is
        return None


def _load(file: Path) -> export.Exported | None:
    """Return the program of a file, or None where there is none, or not all of it."""
    with suppress(OSError):
        content = file.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
            return export.deserialize(bytearray(content[DIGEST:]))
    return None


def _save(file: Path, program: export.Exported) -> None:
    content = bytes(program.serialize())
    with suppress(OSError):  # a cache that is full or not ours costs time, and nothing else
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)


def _key(advance: Any, args: tuple[Any, ...], static: Mapping[str, Any]) -> str:
    """Return what stands for all that a program comes from: code, libraries, settings of JAX, shapes, static values.

    Raises
    ------
    _NoNameError
        If it comes from something else.
    """
    if not advance.__module__.startswith(SAMPLERS):
        raise _NoNameError(advance)
    key, posterior, *others = args
    traced, of_posterior = posterior.tree_flatten()
    leaves, tree = jax.tree.flatten((key, traced, *others))
    sources = code.modules("run", [advance.__module__.removeprefix(SAMPLERS)])
    if code.edited_since_imported(sources):  # what would be stored under the name of the new is the old
        raise _NoNameError(advance)
    settings = {name: getattr(jax.config, name, None) for name in jax.config.values if not name.endswith("_dir")}
    parts = (
        sorted(sources.items()),
        [_constants(path) for path in sources],  # a notebook may have set one
        [version(package) for package in TRACED_BY],
        sorted(settings.items()),
        jax.default_backend(),
        _name(advance.__wrapped__),
        _name(of_posterior),
        _name(tuple(sorted(static.items()))),
        str(tree),
        [(str(jax.typeof(leaf)), jax.typeof(leaf).weak_type) for leaf in leaves],
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _constants(path: str) -> dict[str, Any]:
    of = vars(sys.modules.get(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."), object))
    return {name: value for name, value in of.items() if name.isupper() and _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return all(map(_is_plain, value)) if isinstance(value, tuple) else isinstance(value, PLAIN)


def _name(value: Any) -> str:
    if isinstance(value, HashablePartial):
        return f"{_name(value.func)}{_name(value.args)}{_name(tuple(sorted(value.keywords.items())))}"
    if isinstance(value, FunctionType) and value.__module__.startswith("llc.") and _is_its_name(value):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, tuple):
        return f"({','.join(map(_name, value))})"
    if isinstance(value, PLAIN):
        return repr(value)
    raise _NoNameError(value)


def _is_its_name(function: FunctionType) -> bool:
    """Return whether the function is found by its name: one of a user that wraps ours has taken over that of ours."""
    found = getattr(sys.modules.get(function.__module__), function.__qualname__, None)
    return function is found or function is getattr(found, "__wrapped__", None)
