"""What every program of the benchmark runs, in NumPy: networks, data, and how the CPU time of a chain-step is taken."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

CHAINS = 4
THIN = 100  # steps per recorded draw


class Workload(NamedTuple):
    """A tanh network, its data, and SGLD's settings."""

    widths: tuple[int, ...]
    n: int
    batch: int  # n: all rows, nothing is drawn
    step_size: float
    longer: int  # times as many draws


WORKLOADS = {
    "32-64-64-64-1, n 20,000, batch 256": Workload((32, 64, 64, 64, 1), 20_000, 256, 1e-7, 1),
    "32-64-64-64-1, n 20,000, batch 1,024": Workload((32, 64, 64, 64, 1), 20_000, 1_024, 1e-7, 1),
    "3-10-1, n 100, all rows": Workload((3, 10, 1), 100, 100, 1e-4, 10),
}
GAMMA = 1.0


def nbeta(work: Workload) -> float:
    return work.n / math.log(work.n)


def arrays(work: Workload) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray, np.ndarray]:
    """Return layers (weights, biases), x and y, float32."""
    rng = np.random.default_rng(0)
    layers = [
        ((rng.normal(size=(a, b)) / math.sqrt(a)).astype(np.float32), np.zeros(b, np.float32))
        for a, b in zip(work.widths, work.widths[1:], strict=False)
    ]
    x = rng.normal(size=(work.n, work.widths[0])).astype(np.float32)
    y = x
    for i, (kernel, bias) in enumerate(layers):
        y = y @ kernel + bias
        y = np.tanh(y) if i < len(layers) - 1 else y
    return layers, x, y + rng.normal(scale=0.1, size=y.shape).astype(np.float32)


def report(run: Callable[[int], Any], thin: int = THIN) -> None:
    """Print CPU seconds a chain-step, ``thin`` a draw, as JSON: of a run of twice the draws less those of one of once.

    What both do, starting and compiling, cancels; the first run of a process is before both.
    """
    draws = int(sys.argv[2]) * WORKLOADS[sys.argv[1]].longer
    spent = []
    for count in (draws, draws, 2 * draws):
        start = time.process_time()
        run(count)
        spent.append(time.process_time() - start)
    print(json.dumps({"per_step": (spent[2] - spent[1]) / (CHAINS * thin * draws)}))
