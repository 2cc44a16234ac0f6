"""Chains of a sampler: side by side or one after the other, on one device or on several."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Key

from llc.loss.rows import BLOCK, n_rows
from llc.posterior import Posterior

# Parameters times rows of a gradient. Chains at once are then no faster, each waits for the longest, and four of SGLD
# took 1.02 to 1.09 times as long as two and two in 18 of 19 cases of 8,000 to 85,000 parameters, 256 to 4,000 rows.
LARGE = 1_000_000
# Of at most a block of rows: one chain at a time took 0.92 to 0.99 of what two took, in seven cases like those.
HUGE = 5_000_000
# Where the CPU has them. With 10,500 parameters a step of SGLD took 0.94 to 0.96 of the time and a gradient of HMC
# 0.96 to 0.98; with 50 one of HMC took 0.8, but MCLMC's 1.2.
WIDEST = {"xla_cpu_prefer_vector_width": 512}
DEVICES = "devices"  # the axis of a mesh
EVERYWHERE, APART = PartitionSpec(), PartitionSpec(DEVICES)


def over_chains(
    posterior: Posterior, function: Callable[..., Any], chains: int, rows: int | None = None
) -> Callable[..., Any]:
    """Return ``function`` of the arrays of one chain as one of those of all chains, which is compiled once.

    Parameters
    ----------
    rows
        Of a gradient, where each chain takes as many: of large ones two at once stay in cache, of huge ones one does.
        None: all of the data, and a chain may wait for others; then each goes by itself, and not as a batch of one, of
        which both branches of a condition would be run.
    """
    at_once = None if rows is None or _size(posterior, min(rows, BLOCK)) >= HUGE else 2
    if _size(posterior, rows) < LARGE or (at_once is not None and chains % at_once):
        return jax.vmap(function)
    return lambda *arrays: jax.lax.map(lambda of_chain: function(*of_chain), arrays, batch_size=at_once)


def compiled_with(posterior: Posterior) -> dict[str, int] | None:
    """Return XLA's options for what advances the chains."""
    return WIDEST if _size(posterior) >= LARGE and jax.default_backend() == "cpu" else None


def spread(
    advance: Callable[..., Any], posterior: Posterior, state: Any, **static: Any
) -> tuple[Any, Posterior, Any, dict[str, Any]]:
    """Return all four for as many of the CPU's devices as can have equally many chains each, of a large posterior.

    Of a small one, and on one device, they are as they were: a step of microseconds gains nothing, and programs of
    fewer chains round differently.

    Parameters
    ----------
    advance
        See ``llc.samplers.rounds.collect``.
    state
        Of all chains; its arrays, and those of the stats, have a leading axis of chains.
    """
    chains = len(jax.tree.leaves(state)[0])
    devices = max(n for n in range(1, jax.local_device_count() + 1) if chains % n == 0)
    if devices == 1 or jax.default_backend() != "cpu" or _size(posterior) < LARGE:
        return advance, posterior, state, static
    mesh = Mesh(jax.local_devices()[:devices], (DEVICES,))
    placed = {id(a): jax.device_put(a, NamedSharding(mesh, EVERYWHERE)) for a in jax.tree.leaves(posterior)}
    posterior = jax.tree.map(lambda a: placed[id(a)], posterior)  # what is there twice is one array, and stays so
    state = jax.device_put(state, NamedSharding(mesh, APART))
    return _on_all, posterior, state, {"advance": advance, "mesh": mesh, "static": tuple(static.items())}


@partial(jax.jit, static_argnames=("advance", "mesh", "static"))
def _on_all(
    key: Key[Array, ""],
    posterior: Posterior,
    state: Any,
    *hyper: Any,
    advance: Callable[..., Any],
    mesh: Mesh,
    static: tuple[tuple[str, Any], ...],
) -> Any:
    specs = (EVERYWHERE, EVERYWHERE, APART, *[EVERYWHERE] * len(hyper))
    here = partial(advance, **dict(static))
    run = jax.shard_map(here, mesh=mesh, in_specs=specs, out_specs=APART, check_vma=False)
    return run(key, posterior, state, *hyper)


def gather_chains(values: Float[Array, "chains ..."]) -> Float[Array, "all_chains ..."]:
    """Return the values of the chains of all devices, inside of what runs on each of them."""
    try:
        return jax.lax.all_gather(values, DEVICES, tiled=True)
    except NameError:  # not spread
        return values


def chain_keys(key: Key[Array, ""], chains: int, *shape: int) -> Key[Array, "..."]:
    """Return keys (``chains``, *``shape``) of the chains of this device, which are as if all chains were on one."""
    device: Array | int = 0
    try:
        devices, device = jax.lax.axis_size(DEVICES), jax.lax.axis_index(DEVICES)
    except NameError:  # not spread
        devices = 1
    # Flat: what splits in several dimensions takes seconds to compile.
    keys = jax.random.split(key, devices * chains * math.prod(shape)).reshape(devices * chains, *shape)
    return keys if devices == 1 else jax.lax.dynamic_slice_in_dim(keys, device * chains, chains)


def median_step(step_size: Float[Array, " chains"]) -> Float[Array, " chains"]:
    """Return the median over chains of the step size, for each, where they are.

    The last window of warm-up has 50 draws, few of them in the narrow places that the step is for: the steps of chains
    on w1 w2³ differed five times, and the chain with the largest was low.
    """
    steps = np.asarray(step_size)
    known = steps[~np.isnan(steps)]
    with np.errstate(divide="ignore", over="ignore"):  # of a chain whose step fell to 0; of the largest that there is
        middle = np.exp(np.median(np.log(known))) if known.size else np.nan
    middle = np.minimum(middle, np.finfo(steps.dtype).max)
    return jax.device_put(np.full_like(steps, middle), step_size.sharding)


def by_chain(stats: dict[str, Array]) -> dict[str, Array]:
    """Return (chains, draws) for (draws, chains)."""
    return {name: values.swapaxes(0, 1) for name, values in stats.items()}


def _size(posterior: Posterior, rows: int | None = None) -> int:
    whole = posterior.w_star if posterior.whole_star is None else posterior.whole_star
    return whole.size * (rows or n_rows(posterior.full))
