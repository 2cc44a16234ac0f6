"""Pytrees of arrays as the flat vectors that are sampled, and as the rows that losses average over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from llc.loss.rows import holds

Tree = Any  # a pytree of arrays


class Flat(NamedTuple):
    """A pytree of parameters as one vector."""

    w: Float[Array, " dim"]
    unravel: Callable[[Float[Array, " dim"]], Tree]  # in the precision of the vector it is given
    layout: tuple[tuple[str, tuple[int, ...]], ...]  # of ``w``: name and shape of each leaf, in the order of the vector


def ravel(params: Tree, precision: str, what: str) -> Flat:
    """Return parameters as one vector of the given precision.

    Raises
    ------
    TypeError
        If a leaf is not an array of real numbers; the message begins with ``what`` and the leaf's name.
    """
    leaves = named_leaves(params)
    if not leaves:
        raise TypeError(f"{what}: it has no arrays")
    for name, leaf in leaves:
        if not jnp.issubdtype(np.asarray(leaf).dtype, np.floating):
            raise TypeError(
                f"{what}: {name or 'it'} is of {np.asarray(leaf).dtype}: parameters are floats; "
                "keep what is none in the loss, or in the data"
            )
    w, unravel = ravel_pytree(jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf).astype(precision)), params))
    return Flat(w, unravel, tuple((name, np.shape(leaf)) for name, leaf in leaves))


def named_leaves(tree: Tree) -> list[tuple[str, Any]]:
    """Return the leaves of a pytree, each with its path, such as ``params/Dense_0/kernel``."""
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in
            jax.tree_util.tree_leaves_with_path(tree)]  # fmt: skip


def rows(data: Tree, precision: str, what: str, least: int = 2) -> Tree:
    """Return data as arrays, floats in the given precision, once it is sure that all have the same rows.

    Raises
    ------
    TypeError, ValueError
        If a leaf is not an array of numbers, or has integers that wrap, or the leading axes differ; the message begins
        with ``what``.
    """
    lengths = {}
    for name, leaf in named_leaves(data):
        array = np.asarray(leaf)
        if array.dtype.kind not in "fiub" and not jnp.issubdtype(array.dtype, np.floating):
            raise TypeError(f"{what}: {name or 'it'} is of {array.dtype}: data are arrays of numbers")
        if array.dtype.kind in "iu" and not holds(jax.dtypes.canonicalize_dtype(array.dtype), array):
            raise ValueError(
                f"{what}: {name or 'it'} has integers beyond 32 bits, which JAX wraps: "
                "precision=float64 keeps them, or make them smaller"
            )
        if array.ndim:
            lengths[name] = len(array)
    if len(set(lengths.values())) != 1:
        raise ValueError(f"{what}: its arrays must have one leading axis of n rows, got lengths {lengths}")
    if min(lengths.values()) < least:
        raise ValueError(f"{what}: it has {min(lengths.values())} rows, {least} are needed at least")

    def cast(leaf: Any) -> Array:
        array = np.asarray(leaf)
        return jnp.asarray(array.astype(precision) if jnp.issubdtype(array.dtype, np.floating) else array)

    return jax.tree.map(cast, data)
