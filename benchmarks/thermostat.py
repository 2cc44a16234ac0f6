"""Why there is no SGNHT: ``python benchmarks/thermostat.py`` prints its λ̂ against the exact value, in a minute.

Least squares with label noise, inputs on scales from 0.3 to 3, minibatches. The steps are those of Ding, Fang,
Babbush, Chen, Skeel and Neven (2014), Bayesian sampling using stochastic gradient thermostats, NIPS 27; with one
thermostat for all parameters, as there, and with one for each.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from llc.estimates import mixing
from llc.exact import expected

N, DIM, BATCH, GAMMA = 2000, 10, 32, 1.0
CHAINS, DRAWS, THIN, WARMUP = 8, 3000, 50, 600
STEPS = (0.25, 0.0625, 0.015625)  # h² q, q the largest curvature
DIFFUSION = (1.0, 10.0)  # A


@partial(jax.jit, static_argnames="each")
def draws(key: Any, x: Any, y: Any, w_star: Any, hessian: Any, nbeta: Any, h: Any, a: Any, *, each: bool) -> Any:
    """Return nβ (L_n(w) − L_n(w*)), (chains, draws)."""

    def step(carry: Any, key: Any) -> Any:
        w, p, xi = carry
        key_rows, key_noise = jax.random.split(key)
        rows = jax.random.randint(key_rows, (BATCH,), 0, N)
        gradient = nbeta * x[rows].T @ (x[rows] @ w - y[rows]) / BATCH + GAMMA * (w - w_star)
        p = p - h * xi * p - h * gradient + jnp.sqrt(2 * a * h) * jax.random.normal(key_noise, w.shape)
        return (w + h * p, p, xi + h * ((p * p if each else jnp.mean(p * p)) - 1)), None

    def draw(carry: Any, key: Any) -> Any:
        carry, _ = jax.lax.scan(step, carry, jax.random.split(key, THIN))
        off = carry[0] - w_star
        return carry, 0.5 * nbeta * off @ hessian @ off

    def chain(key: Any) -> Any:
        start = (w_star, jax.random.normal(key, w_star.shape), jnp.full_like(w_star, a) if each else jnp.asarray(a))
        return jax.lax.scan(draw, start, jax.random.split(key, DRAWS))[1]

    return jax.vmap(chain)(jax.random.split(key, CHAINS))


def main() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, DIM)) * np.geomspace(0.3, 3.0, DIM)
    y = x @ rng.normal(size=DIM) + rng.normal(size=N)
    hessian, nbeta = x.T @ x / N, N / np.log(N)
    curvatures = np.linalg.eigvalsh(hessian)
    exact = expected.quadratic(curvatures, nbeta, GAMMA)
    arrays = [jnp.asarray(v, jnp.float32) for v in (x, y, np.linalg.lstsq(x, y, rcond=None)[0], hessian, nbeta)]
    print(f"exact {exact:.3f}\n\n| thermostats | h² q | A | λ̂ | off by | standard errors |\n|---|---|---|---|---|---|")
    for each in (False, True):
        for scaled in STEPS:
            h = np.float32(np.sqrt(scaled / (nbeta * curvatures.max() + GAMMA)))
            for a in DIFFUSION:
                llc = np.asarray(draws(jax.random.key(0), *arrays, h, np.float32(a), each=each), np.float64)[:, WARMUP:]
                row = f"| {'one for each' if each else 'one'} | {scaled:.3g} | {a:.0f} |"
                if not np.isfinite(llc).all():
                    print(f"{row} left the finite numbers | | |", flush=True)
                    continue
                mean, error = llc.mean(), mixing.mcse(llc)
                off = f"{mean / exact - 1:+.1%} | {(mean - exact) / error:+.1f}"
                print(f"{row} {mean:.3f} ± {error:.3f} | {off} |", flush=True)


if __name__ == "__main__":
    main()
