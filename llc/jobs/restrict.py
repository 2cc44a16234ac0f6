"""Which parameters move, by patterns over their names. Without JAX."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Int

from llc.config import require
from llc.jobs.widths import Layout

SHOWN = 10


def names(patterns: Sequence[str], layout: Layout) -> list[str]:
    """Return the parameters that match a pattern, in the order of the vector.

    Raises
    ------
    ConfigError
        If a pattern matches none.
    """
    known = [name for name, _ in layout]
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    for pattern in patterns:
        matched = any(fnmatchcase(name, pattern) for name in known)
        require(
            matched, "posterior.restrict", pattern, f"a pattern that matches one of {', '.join(known[:SHOWN])}{more}"
        )
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]


def moving(patterns: Sequence[str], layout: Layout) -> Int[np.ndarray, " dim"]:
    """Return the places in the flat vector of the parameters that match."""
    chosen = set(names(patterns, layout))
    sizes = [int(np.prod(shape)) for _, shape in layout]
    return np.flatnonzero(np.repeat([name in chosen for name, _ in layout], sizes))
