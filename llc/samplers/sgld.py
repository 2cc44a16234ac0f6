"""Stochastic gradient Langevin dynamics (Welling and Teh 2011)."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from llc.posterior import Posterior
from llc.samplers.trace import Trace, timed


def sgld(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    step_size: float,
    batch_size: int,
    warmup: int,
    draws: int,
    thin: int,
    chains: int,
) -> Trace:
    r"""Draw chains of plain SGLD, all started at w*.

    .. math:: w_{t+1} = w_t - \tfrac{\epsilon}{2}\,\hat\nabla U(w_t) + \sqrt{\epsilon}\,\xi_t

    with :math:`\hat\nabla U = nβ ∇L_B(w) + γ(w − w^*)`, L_B the mean over a minibatch B drawn
    with replacement. L_n over all the data is recorded at every kept draw.

    Parameters
    ----------
    step_size
        ε, in units of w². On a quadratic U of curvature q the variance is 1/(q(1 − εq/4)),
        not 1/q, and minibatch noise heats it further: the error does not shrink with draws.
    batch_size
        Rows per gradient. With n or more the gradient is exact and no rows are drawn.
    warmup, thin
        Steps before the first draw, and steps per draw.

    References
    ----------
    Welling and Teh (2011), ICML, eq. 4, with their n/N factor inside nβ∇L_B. Lau et al.
    (2023), arXiv 2308.12108, for its use in LLC estimation.
    """
    batch = None if batch_size >= posterior.n else batch_size
    loss, compile_s, sample_s = timed(
        _run,
        key,
        posterior,
        jnp.asarray(step_size, posterior.w_star.dtype),
        batch=batch,
        warmup=warmup,
        draws=draws,
        thin=thin,
        chains=chains,
    )
    steps = chains * (warmup + draws * thin)
    return Trace(
        loss=np.asarray(loss),
        n_grad_evals=steps * (1.0 if batch is None else batch / posterior.n),
        tuned={"step_size": np.full(chains, step_size)},
        time_compile_s=compile_s,
        time_sample_s=sample_s,
    )


@partial(jax.jit, static_argnames=("batch", "warmup", "draws", "thin", "chains"))
def _run(
    key: Key[Array, ""],
    posterior: Posterior,
    step_size: Float[Array, ""],
    *,
    batch: int | None,
    warmup: int,
    draws: int,
    thin: int,
    chains: int,
) -> Float[Array, "chains draws"]:
    def step(w: Float[Array, " dim"], key: Key[Array, ""]) -> Any:
        key_rows, key_noise = jax.random.split(key)
        rows = None if batch is None else jax.random.randint(key_rows, (batch,), 0, posterior.n)
        noise = jax.random.normal(key_noise, w.shape, w.dtype)
        return w - 0.5 * step_size * posterior.gradient(w, rows) + jnp.sqrt(step_size) * noise, None

    def advance(w: Float[Array, " dim"], key: Key[Array, ""], n_steps: int) -> Float[Array, " dim"]:
        return jax.lax.scan(step, w, jax.random.split(key, n_steps))[0]

    def chain(key: Key[Array, ""]) -> Float[Array, " draws"]:
        key_warmup, key_draws = jax.random.split(key)

        def draw(w: Float[Array, " dim"], key: Key[Array, ""]) -> Any:
            w = advance(w, key, thin)
            return w, posterior.loss(w)

        w = advance(posterior.w_star, key_warmup, warmup)
        return jax.lax.scan(draw, w, jax.random.split(key_draws, draws))[1]

    return jax.vmap(chain)(jax.random.split(key, chains))
