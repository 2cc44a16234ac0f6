"""SGLD as a scan over vmapped chains: JAX and nothing else. The loss of the batch is recorded at each draw."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from workloads import CHAINS, GAMMA, THIN, WORKLOADS, arrays, nbeta, report

work = WORKLOADS[sys.argv[1]]
layers, x, y = arrays(work)
w_star, unravel = ravel_pytree(layers)
x, y = jnp.asarray(x), jnp.asarray(y)


def loss(w: Any, x: Any, y: Any) -> Any:
    *hidden, (kernel, bias) = unravel(w)
    for k, b in hidden:
        x = jnp.tanh(x @ k + b)
    return jnp.mean(jnp.sum((x @ kernel + bias - y) ** 2, axis=1)) / 2


@partial(jax.jit, static_argnames="draws")
def chains(key: Any, x: Any, y: Any, *, draws: int) -> Any:
    def step(w: Any, key: Any) -> Any:
        key_rows, key_noise = jax.random.split(key)
        rows = (x, y)
        if work.batch < work.n:
            index = jax.random.randint(key_rows, (work.batch,), 0, work.n)
            rows = (x[index], y[index])
        value, gradient = jax.value_and_grad(loss)(w, *rows)
        drift = nbeta(work) * gradient + GAMMA * (w - w_star)
        noise = jax.random.normal(key_noise, w.shape)
        return w - 0.5 * work.step_size * drift + jnp.sqrt(work.step_size) * noise, value

    def draw(w: Any, key: Any) -> Any:
        w, values = jax.lax.scan(step, w, jax.random.split(key, THIN))
        return w, values[-1]

    def chain(key: Any) -> Any:
        return jax.lax.scan(draw, w_star, jax.random.split(key, draws))[1]

    return jax.vmap(chain)(jax.random.split(key, CHAINS))


def run(draws: int) -> None:
    compiled[draws](jax.random.key(0), x, y).block_until_ready()


once = int(sys.argv[2]) * work.longer
compiled = {n: chains.lower(jax.random.key(0), x, y, draws=n).compile() for n in (once, 2 * once)}
report(run)
