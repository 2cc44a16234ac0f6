"""Finished runs that were not run: the files are written by the code that writes a real run's."""

import csv
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from composing import job

from llc import artifacts, code, summary
from llc.estimates.metrics import Estimate
from llc.samplers import Trace
from llc.sweeps.sweepjob import SweepJob

CHAINS, DRAWS = 2, 50


def write_run(
    folder: Path,
    run_id: str,
    estimates: Mapping[str, float | Mapping[str, Any] | None],
    config: str | None = None,
    **facts: Any,
) -> None:
    """Write what a finished run with these samplers leaves.

    Of each: its λ̂, None if it diverged, or columns of ``Estimate`` that are not as usual.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(_config() if config is None else config)
    (folder / "traces.nc").write_bytes(_traces(tuple(estimates)))
    usual = {
        "run_id": run_id,
        "threads": 1,
        "target": {"n_params": 51, "grad_norm": 1e-5, "stopped": "polished", "w_star_sha256": "0" * 64},
        "timings_s": {"train": 1.0, "sample": 4.0},
        "code": code.modules("run", estimates),
    }
    artifacts.write_results(folder, {k: estimate_of(v) for k, v in estimates.items()}, **{**usual, **facts})


def write_jobs(folder: Path, jobs: Sequence[Mapping[str, Any]], samplers: str = "nuts sgld") -> list[str]:
    """Write ``jobs.csv`` of a sweep with these swept values; return the run ids."""
    rows = [
        {
            "job_id": i,
            "run_id": f"{i:012x}",
            "target_id": f"{2**40 + i:012x}",
            **{key: value for key, value in job.items() if key != "seed"},
            "n_data": job.get("data.n_data", 100),
            "target_params": 50,
            "seed": job.get("seed", 0),
            "samplers": samplers,
            "overrides": " ".join(f"{key}={value}" for key, value in job.items()),
        }
        for i, job in enumerate(jobs)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "jobs.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        table.writeheader()
        table.writerows(rows)
    return [row["run_id"] for row in rows]


@cache
def _config() -> str:
    """Return the ``config.yaml`` of the default job."""
    with TemporaryDirectory() as folder:
        artifacts.write_config(Path(folder), job())
        return (Path(folder) / "config.yaml").read_text()


def write_sweep(
    folder: Path,
    jobs: Sequence[Mapping[str, Any]],
    estimates: Callable[[Mapping[str, Any]], Mapping[str, float | Mapping[str, Any] | None] | None],
) -> None:
    """Write the runs and tables of a sweep ``results/sweeps/NAME`` with these swept values.

    ``estimates`` gives the samplers' of a job, as ``write_run`` has them, or None if it failed; if any did, the tables
    are in ``folder/partial``.
    """
    found = [estimates(job) for job in jobs]
    ids = write_jobs(folder, jobs, " ".join(sorted(next(names for names in found if names))))
    for run_id, own in zip(ids, found, strict=True):
        if own is not None:
            write_run(folder.parents[1] / "runs" / run_id, run_id, own)
    summary.write_summary(folder, partial=None in found)


@cache
def _traces(samplers: tuple[str, ...]) -> bytes:
    """Return a ``traces.nc`` of noise about L_n(w*)."""
    loss = 0.5 + 0.1 * np.random.default_rng(0).random((CHAINS, DRAWS)).astype(np.float32)
    with TemporaryDirectory() as folder:
        artifacts.write_traces(Path(folder), {name: Trace(loss=loss, n_grad_evals=1e4) for name in samplers})
        return (Path(folder) / "traces.nc").read_bytes()


def estimate_of(value: float | Mapping[str, Any] | None) -> Estimate:
    """Return an estimate, ok unless it has no value or says otherwise."""
    own = dict(value) if isinstance(value, Mapping) else {"llc_mean": value}
    mean = own.get("llc_mean", 1.0)
    ok = mean is not None
    usual = {
        "llc_mean": mean,
        "llc_std": 1.0 if ok else None,
        "llc_mcse": 0.1 if ok else None,
        "llc_ci_low": mean,
        "llc_ci_high": mean,
        "ess": 500.0 if ok else None,
        "ess_tail": 500.0 if ok else None,
        "rhat": 1.001 if ok else None,
        "rhat_distance": 1.01 if ok else None,
        "ess_distance": 300.0 if ok else None,
        "accept_rate": None,
        "n_divergent": 0,
        "n_chains": CHAINS,
        "n_draws": DRAWS,
        "n_grad_evals": 1e4,
        "time_compile_s": 1.0,
        "time_sample_s": 3.0,
        "loss_star": 0.5,
        "grad_norm": 1e-5,
        "llc_deficit": 0.0,
        "beta": 0.2,
        "gamma": 1.0,
        "llc_true": None,
        "llc_exact": None,
        "n_dropped": 0,
        "drift": 0.5 if ok else None,
        "llc_bias": None,
        "below": 0.0 if ok else None,
        "virial": 0.1 if ok else None,
        "virial_mcse": 0.2 if ok else None,
        "reach": 0.5 if ok else None,
        "status": "ok" if ok else "diverged",
        "reason": "" if ok else "a chain left the finite numbers",
    }
    return Estimate(**{**usual, **own})


def sweep_job(number: int, seed: int = 0, samplers: tuple[str, ...] = ("nuts",), n_data: int = 100) -> SweepJob:
    return SweepJob(
        number=number,
        overrides=[f"seed={seed}"],
        swept={"seed": seed, "data.n_data": n_data},
        run_id=f"{number:012x}",
        target_id=f"{seed + 2**40:012x}",
        n_data=n_data,
        target_params=50,
        seed=seed,
        samplers=list(samplers),
        threads=1,
        batch=1,
        files=[],
        folders=[],
    )
