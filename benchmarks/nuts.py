"""NUTS against the bare gradient of its posterior: ``uv run python benchmarks/nuts.py``.

Gradients of all rows per CPU-second, one thread, four chains of the network of ``peers/workloads.py``, in one process,
in turn. Starting and compiling are left out, as there. A repeat takes two minutes, for each level of trees twice that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path

os.environ |= {name: "1" for name in ("NPROC", "JAX_NUM_CPU_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).parent / "peers")]

import jax
import jax.numpy as jnp
import numpy as np
from workloads import CHAINS, GAMMA, WORKLOADS, arrays

from llc.config import MlpModel, PosteriorConfig
from llc.loss.likelihood import batch, negative_log_likelihood
from llc.posterior import Posterior, tempered
from llc.samplers import load
from llc.targets.models import build

DRAWS = 50


def posterior() -> Posterior:
    work = next(iter(WORKLOADS.values()))
    layers, x, y = arrays(work)
    model = build(MlpModel(widths=list(work.widths[1:-1]), d_in=work.widths[0], d_out=work.widths[-1]))
    w_star = np.concatenate([part.ravel() for layer in layers for part in layer])
    loss = partial(negative_log_likelihood, model.apply)
    return tempered(loss, batch(x, y, 1.0, "float32"), w_star, PosteriorConfig(gamma=GAMMA), "float32")


def nuts(of: Posterior, depth: int) -> float:
    def run(draws: int) -> tuple[float, float]:
        start = time.process_time()
        trace = load("nuts")(
            jax.random.key(0), of, target_accept=0.8, max_tree_depth=depth, warmup=DRAWS, draws=draws, chains=CHAINS,
            budget=1e9,
        )  # fmt: skip
        return time.process_time() - start, trace.n_grad_evals

    (short, few), (long, many) = run(DRAWS), run(2 * DRAWS)
    return (many - few) / (long - short)


@partial(jax.jit, static_argnames="times")
def gradients(of: Posterior, *, times: int) -> jax.Array:
    def step(w: jax.Array, _: None) -> tuple[jax.Array, None]:
        return w - 1e-9 * jax.vmap(jax.grad(of.potential))(w), None

    return jax.lax.scan(step, jnp.tile(of.w_star, (CHAINS, 1)), length=times)[0]


def bare(of: Posterior, times: int = 200) -> float:
    gradients(of, times=times).block_until_ready()
    start = time.process_time()
    gradients(of, times=times).block_until_ready()
    return CHAINS * times / (time.process_time() - start)


def main() -> None:
    """Print the rates and their ratio."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--depth", type=int, default=3)
    args = parser.parse_args()
    of = posterior()
    rates = [(bare(of), nuts(of, args.depth)) for _ in range(args.repeat + 1)][1:]  # the first one compiles
    alone, by_nuts = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"gradients per CPU-second: {alone:.0f} bare, {by_nuts:.0f} in NUTS, {by_nuts / alone:.2f} of it")


if __name__ == "__main__":
    main()
