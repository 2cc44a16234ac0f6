"""Functions that are equal where they do the same, so that what is compiled for one job serves the next."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

PROGRAMS_MAX = 100  # that a process keeps; four samplers of one shape have about 20, of 150 MB


class Fixed(partial[Any]):
    """A ``functools.partial`` that equals those of an equal function and equal arguments.

    JAX finds by equality what it has compiled for a function, and a plain one equals itself alone.
    """

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same function of equal arguments."""
        return type(other) is Fixed and all(
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


def forget() -> None:
    """Let go of what this process has compiled, if that is a lot: its jobs may be of hundreds of shapes."""
    if len(jax.local_devices()[0].client.live_executables()) > PROGRAMS_MAX:
        jax.clear_caches()
