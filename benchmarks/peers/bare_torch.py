"""SGLD as one writes it in PyTorch: chains in turn, autograd, updates in place. The loss of the batch is recorded."""

from __future__ import annotations

import math
import sys
from typing import Any

import torch
from workloads import CHAINS, GAMMA, THIN, WORKLOADS, arrays, nbeta, report

torch.set_num_threads(1)
work = WORKLOADS[sys.argv[1]]
layers, x, y = arrays(work)
x, y = torch.from_numpy(x), torch.from_numpy(y)
w_star = [torch.from_numpy(part) for layer in layers for part in layer]


def loss(params: list[Any], x: Any, y: Any) -> Any:
    for i in range(0, len(params) - 2, 2):
        x = torch.tanh(torch.addmm(params[i + 1], x, params[i]))
    return ((torch.addmm(params[-1], x, params[-2]) - y) ** 2).sum(1).mean() / 2


def run(draws: int) -> None:
    for _ in range(CHAINS):
        params = [w.clone().requires_grad_() for w in w_star]
        recorded = []
        for step in range(draws * THIN):
            rows = (x, y)
            if work.batch < work.n:
                index = torch.randint(work.n, (work.batch,))
                rows = (x[index], y[index])
            value = loss(params, *rows)
            gradients = torch.autograd.grad(value, params)
            with torch.no_grad():
                for w, g, star in zip(params, gradients, w_star, strict=True):
                    w.add_(nbeta(work) * g + GAMMA * (w - star), alpha=-0.5 * work.step_size)
                    w.add_(torch.randn_like(w), alpha=math.sqrt(work.step_size))
            if step % THIN == THIN - 1:
                recorded.append(value.item())


report(run)
