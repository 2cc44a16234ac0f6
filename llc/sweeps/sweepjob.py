"""A job of a sweep as planning needs it, and ``jobs.csv``, the list of all. Without JAX or pandas."""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Of the tables of a sweep, but for its swept keys and those columns that are named after samplers and other data.
COLUMNS = {
    "job_id", "run_id", "target_id", "n_data", "target_params", "samplers", "overrides", "sampler_preset", "reason",
    "log", "n_params", "n_moving", "training_stopped", "sampler", "llc_mean", "llc_std", "llc_mcse", "llc_ci_low",
    "llc_ci_high", "ess", "ess_tail", "rhat", "rhat_distance", "ess_distance", "accept_rate", "n_divergent", "n_chains",
    "n_draws", "n_grad_evals", "time_compile_s", "time_sample_s", "loss_star", "grad_norm", "llc_deficit", "beta",
    "gamma", "llc_true", "llc_exact", "n_dropped", "drift", "llc_bias", "below", "virial", "virial_mcse", "reach",
    "status", "code",
}  # fmt: skip


def column_of(key: str) -> str:
    """Return the column of a swept key: ``sampler`` is another one's name."""
    return "sampler_preset" if key == "sampler" else key


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep."""

    number: int  # from 0, as ``train.py -m`` numbers them
    overrides: list[str]  # what to give train.py
    swept: dict[str, Any]  # the value of each swept key
    run_id: str
    target_id: str
    n_data: int | None  # None: a user's function says it, when the job runs
    target_params: int | None
    seed: int
    samplers: list[str]  # sorted
    threads: int
    batch: int  # jobs that share a process, at most
    files: list[str]  # outside conf/, on which its id depends: data, weights, a user's modules
    folders: list[str]  # that the modules were looked for in

    def command(self, stage: str, results: Path) -> list[str]:
        """Return what to give train.py for the ``target`` or the ``run`` of the job."""
        target, run = results / "targets" / self.target_id, results / "runs" / self.run_id
        where = (
            [f"target={target}", f"hydra.run.dir={run}"]
            if stage == "run"
            else ["stage=target", f"hydra.run.dir={target}"]
        )
        return [*self.overrides, f"expect_id={self.run_id}", *where]

    def row(self) -> dict[str, Any]:
        """Return the job's row of ``jobs.csv``."""
        return {
            "job_id": self.number,
            "run_id": self.run_id,
            "target_id": self.target_id,
            **{column_of(key): value for key, value in self.swept.items()},
            "n_data": self.n_data,
            "target_params": self.target_params,
            "seed": self.seed,
            "samplers": " ".join(self.samplers),
            "overrides": shlex.join(self.overrides),
        }


def table(jobs: list[SweepJob]) -> str:
    """Return ``jobs.csv``."""
    rows = [job.row() for job in jobs]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
