"""What is compiled for one job serves the next, in this process and in others, and is compiled once.

Functions are equal where they do the same; and what another process compiles at the moment is waited for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax

from llc import locks

COMPILING_MAX = 60.0  # seconds that another process is waited for
PROGRAMS_MAX = 100  # that a process keeps; four samplers of one shape have about 20, of 150 MB
_obtained = set[int]()  # calls, by their hash, whose programs this process has, or is getting


class HashablePartial(partial[Any]):
    """A ``functools.partial`` that equals those of an equal function and equal arguments.

    JAX finds by equality what it has compiled for a function, and a plain one equals itself alone.
    """

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same function of equal arguments."""
        return type(other) is HashablePartial and all(
            getattr(self, part) == getattr(other, part) for part in ("func", "args", "keywords")
        )

    def __hash__(self) -> int:
        """Return one number for all that are equal."""
        return hash((self.func, self.args))


def hashable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a user's function, or, of an object that cannot be hashed, one that equals itself alone."""
    try:
        hash(function)
    except TypeError:
        return partial(function)
    return function


@partial(jax.jit, static_argnums=0)
def compiled(function: Callable[..., Any], *args: Any) -> Any:
    """Return ``function(*args)``, compiled once for all functions that are equal."""
    return function(*args)


def compile_once(
    function: Any, /, *args: Any, options: Mapping[str, int] | None = None, **static: Any
) -> Callable[..., Any]:
    """Return a jitted ``function`` compiled for these arguments, with XLA's ``options``; it takes those not static.

    Of processes that start together each would compile the same: one does, and the others wait, a minute at most for
    each program that they do not have, and load it from JAX's cache.
    """
    shapes = map(jax.typeof, jax.tree.leaves(args))
    call = hash((function, jax.tree.structure(args), *shapes, *sorted(static.items())))
    lowered = function.lower(*args, **static)
    config = jax.config.values
    cache = config["jax_enable_compilation_cache"] and config["jax_compilation_cache_dir"]
    if call in _obtained or not cache or "://" in cache:
        return lowered.compile(options)
    _obtained.add(call)
    program = hashlib.sha256(lowered.as_text().encode()).hexdigest()[:16]
    with locks.by_one(Path(cache, "compiling", program), COMPILING_MAX):
        return lowered.compile(options)


def forget() -> None:
    """Let go of what this process has compiled, if that is a lot: its jobs may be of hundreds of shapes."""
    if len(jax.local_devices()[0].client.live_executables()) > PROGRAMS_MAX:
        jax.clear_caches()
        _obtained.clear()
