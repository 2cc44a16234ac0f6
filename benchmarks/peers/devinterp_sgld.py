"""devinterp's estimator with its SGMCMC.sgld, as its documentation has it. The loss of the batch is recorded."""

from __future__ import annotations

import sys
import warnings

import torch
from workloads import CHAINS, GAMMA, THIN, WORKLOADS, arrays, nbeta, report

warnings.simplefilter("ignore")
from devinterp.optim.sgmcmc import SGMCMC
from devinterp.slt.sampler import estimate_learning_coeff_with_summary

torch.set_num_threads(1)
work = WORKLOADS[sys.argv[1]]
layers, x, y = arrays(work)
modules: list[torch.nn.Module] = []
for kernel, bias in layers:
    linear = torch.nn.Linear(*kernel.shape)
    linear.weight.data, linear.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias)
    modules += [linear, torch.nn.Tanh()]
model = torch.nn.Sequential(*modules[:-1])
rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
loader = torch.utils.data.DataLoader(rows, batch_size=work.batch, shuffle=work.batch < work.n)


def evaluate(model: torch.nn.Module, data: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return ((model(data[0]) - data[1]) ** 2).sum(1).mean() / 2


def run(draws: int) -> None:
    estimate_learning_coeff_with_summary(
        model,
        loader,
        evaluate=evaluate,
        sampling_method=SGMCMC.sgld,
        optimizer_kwargs={"lr": work.step_size, "localization": GAMMA, "nbeta": nbeta(work)},
        num_chains=CHAINS,
        num_draws=draws,
        num_steps_bw_draws=THIN,
        num_burnin_steps=0,
        seed=0,
        verbose=False,
    )


report(run)
