"""The average negative log likelihood of rows of data, and fewer rows that have the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from llc.loss.rows import Params, Scalar, parts


class Batch(NamedTuple):
    """Rows of data and the noise scale that their likelihood assumes."""

    x: Shaped[Array, "n ..."]
    y: Shaped[Array, "n ..."]
    sigma: Scalar


def batch(
    x: Shaped[np.ndarray, "n ..."],
    y: Shaped[np.ndarray, "n ..."],
    sigma: float,
    precision: str,
) -> Batch:
    """Return rows as JAX arrays of the given precision; integers stay integers."""

    def cast(a: Shaped[np.ndarray, "..."]) -> Shaped[Array, "..."]:
        # Of what jnp.asarray is given it has two copies at a time.
        return jax.device_put(a if a.dtype.kind == "i" else a.astype(precision, copy=False))

    return Batch(cast(x), cast(y), jax.device_put(np.asarray(sigma, precision)))


def negative_log_likelihood(
    apply: Callable[[Params, Shaped[Array, "n ..."]], Float[Array, "n d_out"]], w: Params, data: Batch
) -> Scalar:
    """Return L_n(w) in nats, the mean over rows.

    Integer labels are classes: cross entropy with the network's outputs as logits. Real
    targets are y ~ N(f(x, w), σ² I): ‖y − f‖²/(2σ²), summed over outputs, without the constant.
    """
    columns = apply(w, data.x).T  # as in llc/targets/models.py: of a classifier that saves half
    if jnp.issubdtype(data.y.dtype, jnp.integer):
        log_p = jax.nn.log_softmax(columns, axis=0)
        return -jnp.mean(jnp.take_along_axis(log_p, data.y[None], axis=0))
    return jnp.mean(jnp.sum((data.y.T - columns) ** 2, axis=0)) / (2 * data.sigma**2)


def sufficient_rows(
    x: Float[np.ndarray, "n d_in"], y: Float[np.ndarray, "n d_out"]
) -> tuple[Float[np.ndarray, "m d_in"], Float[np.ndarray, "m d_out"]]:
    """Return few rows with the same mean squared error as all n, for every linear map.

    With [X Y] = QT and Q orthonormal, ‖Y − XW‖ = ‖T_Y − T_X W‖ for every W, so the
    m = d_in + d_out rows of T, rescaled from a mean over n rows to one over m, stand for all.
    Of many rows T is found part by part: that of some, with more rows below it, has a T in turn.
    """
    triangle: Any = np.empty((0, x.shape[1] + y.shape[1]))
    for part in parts(len(x)):
        more = np.concatenate([x[part], y[part]], axis=1)
        triangle = np.linalg.qr(np.concatenate([triangle, more]), mode="r")
    rows = triangle * np.sqrt(len(triangle) / len(x))
    return rows[:, : x.shape[1]], rows[:, x.shape[1] :]
