"""llc's own SGLD at a step size of one's own. L_n of all the rows is recorded at each draw."""

from __future__ import annotations

import sys
from functools import partial

import jax
import numpy as np
from workloads import CHAINS, GAMMA, WORKLOADS, arrays, report

from llc.config import MlpModel, PosteriorConfig
from llc.loss.likelihood import batch, negative_log_likelihood
from llc.posterior import tempered
from llc.samplers import load, steps
from llc.targets.models import build

BUDGET = 1e9  # no end
work = WORKLOADS[sys.argv[1]]
layers, x, y = arrays(work)
model = build(MlpModel(widths=list(work.widths[1:-1]), d_in=work.widths[0], d_out=work.widths[-1]))
w_star = np.concatenate([part.ravel() for layer in layers for part in layer])
posterior = tempered(
    partial(negative_log_likelihood, model.apply), batch(x, y, 1.0, "float32"), w_star,
    PosteriorConfig(gamma=GAMMA), "float32",
)  # fmt: skip
thin = steps.thinning(posterior, work.batch, None, BUDGET)  # as by default


def run(draws: int) -> None:
    load("sgld")(
        jax.random.key(0), posterior, step_size=work.step_size, batch_size=work.batch, control_variates=False,
        preconditioner="none", momentum=0.0, warmup=0, draws=draws, thin=thin, chains=CHAINS, budget=BUDGET,
    )  # fmt: skip


report(run, thin)
