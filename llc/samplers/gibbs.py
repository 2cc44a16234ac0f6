"""Block Gibbs sampling of deep linear networks: an exact reference, without a step size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax.linalg import SvdAlgorithm, svd
from jaxtyping import Array, Float, Key

from llc.estimates.trace import Trace
from llc.posterior import Posterior
from llc.samplers.chains import chain_keys
from llc.samplers.rounds import Clock, collect

ROUNDING_MAX = 0.1  # ε √(largest curvature) / √γ: a curvature of 0 is then off by 1 % of γ

Layers = list[Float[Array, "_ _"]]  # (d_in, d_out) each, row convention: x @ layer; first one first


def gibbs(
    key: Key[Array, ""], posterior: Posterior, *, warmup: int, draws: int | None, chains: int, budget: float
) -> Trace:
    r"""Draw chains of a deep linear network with real targets, all started at w*.

    A pass draws the layers one after the other, first one first, each from its distribution
    given all others: of one layer L_n is a quadratic function. There is no step size and
    nothing is adapted; the only error is that of finitely many draws. L_n is recorded after
    each pass. Backward, alternating and random orders mixed no better than this one.

    With P the product of the layers before W_l and S that of those after, the m rows of
    ``posterior.full`` and their Gaussian likelihood give W_l, row by row, the precision

    .. math:: \frac{nβ}{mσ²} (P^T X^T X P) \otimes (S S^T) + γ I.

    A pass counts as one gradient of the full loss per layer. Where the rows are reduced to
    sufficient ones its cost does not depend on n: it is two SVDs a layer.

    It runs in float64 whatever the precision of ``posterior``: a curvature that is exactly 0
    comes out as ε² of the largest, ε the rounding error, and where that is not far below γ the
    draws are biased. Float64 is enough for depth 10 at width 100, where the square root of the
    largest curvature reaches 1e11. Where it is not, the draw's L_n is NaN: no number, not a wrong one.

    Parameters
    ----------
    posterior
        With ``linear_widths``, and γ > 0: scaling one layer up and the next down by the same
        factor changes no loss, so that nothing but γ holds the layers.
    warmup
        Passes before the first draw; a draw is one pass.

    Raises
    ------
    ValueError
        If the posterior is not of a deep linear network with real targets.

    References
    ----------
    Geman and Geman (1984), IEEE Transactions on Pattern Analysis and Machine Intelligence 6,
    721–741, for the algorithm. The conditionals are those of Bayesian linear regression.
    """
    if posterior.linear_widths is None:
        raise ValueError("gibbs draws from deep linear networks with real targets only: linear_widths is not set")
    with jax.enable_x64(True):
        start = jnp.broadcast_to(posterior.w_star.astype(jnp.float64), (chains, posterior.w_star.size))
        _, trace = collect(
            key, posterior, start, _advance, (), Clock(),
            weights=lambda w: w, tuning=warmup, draws=draws, budget=budget,
        )  # fmt: skip
    return trace


@partial(jax.jit, static_argnames="draws")
def _advance(
    key: Key[Array, ""], posterior: Posterior, state: Float[Array, "chains dim"], *, draws: int
) -> tuple[Float[Array, "chains dim"], dict[str, Float[Array, "chains draws"]]]:
    widths = posterior.linear_widths
    assert widths is not None  # checked by gibbs
    traced = (*posterior.full, posterior.w_star, posterior.nbeta, posterior.gamma)
    x, y, sigma, w_star, nbeta, gamma = (jnp.asarray(value, jnp.float64) for value in traced)
    # Rows in units in which nβ L_n = ½‖y − x W_1 … W_L‖².
    scale = jnp.sqrt(nbeta / len(x)) / sigma
    x, y = scale * x, scale * y
    centres = split(w_star, widths)

    def one_pass(w: Float[Array, " dim"], key: Key[Array, ""]) -> Any:
        layers = split(w, widths)
        after = [jnp.eye(y.shape[1])]
        for layer in layers[:0:-1]:
            after.insert(0, layer @ after[0])
        drawn: Layers = []
        hidden, steepest = x, jnp.asarray(0.0)  # hidden: the rows, carried through the layers drawn so far
        noise = split(jax.random.normal(key, w_star.shape, w_star.dtype), widths)
        for s, centre, z in zip(after, centres, noise, strict=True):
            layer, root = draw_layer(z, hidden, y, s, centre, gamma)
            drawn.append(layer)
            hidden, steepest = hidden @ layer, jnp.maximum(steepest, root)
        exact = jnp.finfo(x.dtype).eps * steepest < ROUNDING_MAX * jnp.sqrt(gamma)
        w = jnp.concatenate([layer.ravel() for layer in drawn])
        return w, {
            "loss": jnp.where(exact, 0.5 * jnp.sum((y - hidden) ** 2) / nbeta, jnp.nan),
            "distance2": jnp.sum((w - w_star) ** 2),
            "work": jnp.asarray(float(len(widths) - 1)),
            **posterior.elsewhere(w),
        }

    def chain(key: Key[Array, ""], w: Float[Array, " dim"]) -> Any:
        return jax.lax.scan(one_pass, w, jax.random.split(key, draws))

    # One after the other: of chains at once both branches of a condition are run.
    return jax.lax.map(lambda of_chain: chain(*of_chain), (chain_keys(key, len(state)), state))


def draw_layer(
    noise: Float[Array, "d_in d_out"],
    hidden: Float[Array, "m d_in"],
    y: Float[Array, "m d_l"],
    after: Float[Array, "d_out d_l"],
    centre: Float[Array, "d_in d_out"],
    gamma: Float[Array, ""],
) -> tuple[Float[Array, "d_in d_out"], Float[Array, ""]]:
    """Turn standard normal ``noise`` into W from exp(−½‖y − hidden W after‖² − (γ/2)‖W − centre‖²).

    Return with it the square root of the largest curvature of the loss, γ left out.

    It is a draw from the prior, corrected in the directions that the data see. The noise is
    shaped by the symmetric root of the covariance, which is one function of the matrices: which
    vectors an SVD returns for a repeated singular value does not matter.
    """
    # Not eigenvectors of the Gram matrices: products of layers grow with depth, and squaring
    # them leaves nothing of the small directions. Each term below is bounded, however large s t.
    a, s, u = _svd(hidden)  # hidden = a s u
    v, t, b = _svd(after)  # after = v t b
    prior = centre + noise / jnp.sqrt(gamma)
    root = jnp.outer(s, t)
    precision = root**2 + gamma
    mean = (root * (a.T @ y @ b.T) + gamma * (u @ centre @ v)) / precision
    seen = mean + (u @ noise @ v) / jnp.sqrt(precision)
    return prior + u.T @ (seen - u @ prior @ v) @ v.T, root[0, 0]


def _svd(a: Float[Array, "_ _"]) -> tuple[Float[Array, "_ _"], Float[Array, " _"], Float[Array, "_ _"]]:
    """Return the thin SVD, by QR iteration where LAPACK's faster way, divide and conquer, finds none.

    It found none of one in 300 products of layers of 300 that had lost rank.
    """

    def by(algorithm: SvdAlgorithm) -> tuple[Array, ...]:
        return tuple(svd(a, full_matrices=False, algorithm=algorithm))

    found = by(SvdAlgorithm.DEFAULT)
    return jax.lax.cond(jnp.isfinite(found[1]).all(), lambda: found, partial(by, SvdAlgorithm.QR))


def split(w: Float[Array, " dim"], widths: Sequence[int]) -> Layers:
    """Cut a flat vector into layers, as ``llc.targets.models`` does; ``widths`` are d_0 … d_L."""
    shapes = list(pairwise(widths))
    ends = np.cumsum([d_in * d_out for d_in, d_out in shapes])
    return [part.reshape(shape) for part, shape in zip(jnp.split(w, ends[:-1]), shapes, strict=True)]
