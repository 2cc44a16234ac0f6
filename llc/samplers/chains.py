"""Chains of a sampler: side by side or one after the other, on one device or on several."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Key

from llc.posterior import Posterior
from llc.rows import n_rows

# Parameters times rows of L_n. Of a gradient as large chains at once are no faster, and each waits for the longest.
LARGE = 1_000_000
DEVICES = "devices"  # the axis of a mesh


def each(posterior: Posterior, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` of the arrays of one chain as one of those of all chains, which is compiled once."""
    if posterior.w_star.size * n_rows(posterior.full) < LARGE:
        return jax.vmap(function)
    return lambda *arrays: jax.lax.map(lambda of_chain: function(*of_chain), arrays)


def spread(
    advance: Callable[..., Any], posterior: Posterior, state: Any, **static: Any
) -> tuple[Any, Posterior, Any, dict[str, Any]]:
    """Return all four for as many devices as can have equally many chains each; as they are for one.

    Chains know nothing of each other, so that a chain draws the same on whichever device it is, as far as matrix
    products round the same there: of many rows XLA sums in another order where it has several threads.

    Parameters
    ----------
    advance
        Jitted ``(key, posterior, state, *hyper, **static) -> (state, stats)``.
    state
        Of all chains; its arrays, and those of the stats, have a leading axis of chains.
    """
    chains = len(jax.tree.leaves(state)[0])
    devices = max(n for n in range(1, jax.local_device_count() + 1) if chains % n == 0)
    if devices == 1:
        return advance, posterior, state, static
    mesh = Mesh(jax.local_devices()[:devices], (DEVICES,))
    everywhere, apart = PartitionSpec(), PartitionSpec(DEVICES)

    @jax.jit
    def on_all(*args: Any) -> Any:  # key, posterior, state, *hyper
        specs = tuple(apart if i == 2 else everywhere for i in range(len(args)))
        run = partial(advance, **static)
        return jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=apart, check_vma=False)(*args)

    posterior = jax.device_put(posterior, NamedSharding(mesh, everywhere))
    return on_all, posterior, jax.device_put(state, NamedSharding(mesh, apart)), {}


def keys(key: Key[Array, ""], chains: int, *shape: int) -> Key[Array, "..."]:
    """Return keys (``chains``, *``shape``) of the chains of this device, which are as if all chains were on one."""
    devices, device = _place()
    # Flat: what splits in several dimensions takes seconds to compile.
    of_all = jax.random.split(key, devices * chains * math.prod(shape)).reshape(devices * chains, *shape)
    return of_all if devices == 1 else jax.lax.dynamic_slice_in_dim(of_all, device * chains, chains)


def shared(step_size: Float[Array, " chains"], ended: Bool[Array, " chains"]) -> Float[Array, " chains"]:
    """Return the median over all chains of the step size where warm-up has ended.

    The last of its windows has 50 draws, few of them in the narrow places that the step is for: the steps of chains on
    w1 w2³ differed five times, and the chain with the largest was low.
    """

    def median(step_size: Float[Array, " chains"]) -> Float[Array, " chains"]:
        of_all = step_size if _place()[0] == 1 else jax.lax.all_gather(step_size, DEVICES, tiled=True)
        return jnp.full_like(step_size, jnp.exp(jnp.nanmedian(jnp.log(of_all))))

    # Devices wait for each other there, so not at every draw.
    return jax.lax.cond(ended[0], median, lambda step_size: step_size, step_size)


def by_chain(stats: dict[str, Array]) -> dict[str, Array]:
    """Return (chains, draws) for (draws, chains)."""
    return {name: values.swapaxes(0, 1) for name, values in stats.items()}


def _place() -> tuple[int, Array | int]:
    """Return how many devices there are, and which of them this is."""
    try:
        return jax.lax.axis_size(DEVICES), jax.lax.axis_index(DEVICES)
    except NameError:  # not spread
        return 1, 0
