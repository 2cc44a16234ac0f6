"""Finished sweeps in a notebook: ``llc.load_sweep``. Without JAX."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml
from jaxtyping import Float

from llc import records, summary
from llc.config import nearest, require_choice
from llc.records import TARGET_INFO, Run
from llc.tables import gathering

if TYPE_CHECKING:
    import arviz


@dataclass(frozen=True)
class SweepRun:
    """The files of one run, each read when it is asked for."""

    run: Run = field(repr=False)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.run.folder

    @property
    def run_id(self) -> str:
        """Identity of the run."""
        return str(self.run.about["run_id"])

    @property
    def info(self) -> dict[str, Any]:
        """``run_info.json``: versions, timings, how training ended, ‖∇L_n(w*)‖."""
        return self.run.about

    @property
    def config(self) -> dict[str, Any]:
        """Every key of the job, resolved."""
        values: dict[str, Any] = yaml.safe_load((self.folder / "config.yaml").read_text(encoding="utf-8"))
        return values

    @property
    def estimates(self) -> pd.DataFrame:
        """``metrics_summary.csv``: a row per sampler, every column."""
        return pd.DataFrame.from_dict(self.run.estimates, orient="index")

    def traces(self, sampler: str) -> arviz.InferenceData:
        """Return what a sampler drew: L_n in ``posterior``, its statistics in ``sample_stats``."""
        import arviz

        require_choice("sampler", sampler, self.run.estimates)
        return arviz.InferenceData.from_netcdf(self.folder / "traces.nc", base_group=sampler)

    @property
    def w_star(self) -> Float[np.ndarray, " dim"]:
        """The weights that were sampled around.

        Raises
        ------
        BadTarget
            If they are gone, damaged, or another job's.
        """
        target_id = self.info["target_id"]
        own = (self.folder / TARGET_INFO).exists()  # of a run of train.py by hand
        folder = self.folder if own else self.folder.parent.parent / "targets" / target_id
        about, w_star = records.read_target(folder, self.config.get("checkpoint"))
        if about["target_id"] != target_id:
            raise records.BadTarget(folder, f"it is target {about['target_id']}, the run is of {target_id}")
        if about["w_star_sha256"] != self.info["target"]["w_star_sha256"]:
            raise records.BadTarget(
                folder, "it was trained anew after the run", "run the sweep again with --config again=run"
            )
        return w_star


@dataclass(frozen=True)
class Sweep:
    """The finished jobs of a sweep."""

    table: pd.DataFrame = field(repr=False)  # a row a job, as summary.csv
    estimates: pd.DataFrame = field(repr=False)  # a row per job and sampler with every column, as estimates.csv
    runs: dict[int, SweepRun] = field(repr=False)  # by job_id

    def __repr__(self) -> str:
        """Return what it is, in a line."""
        return f"<Sweep of {len(self.runs)} finished jobs: .table, .estimates, .runs[job_id]>"


def load_sweep(name: str | Path, results: str | Path = "results") -> Sweep:
    """Return the finished jobs of a sweep, or of a plain multirun.

    Parameters
    ----------
    name
        ``digits`` for ``results/sweeps/digits``; or a folder, ``multirun/DATE/TIME``.
    results
        Where the results are.

    Raises
    ------
    FileNotFoundError
        If there is no such sweep; the message names those that there are. Or if a folder is not of runs.
    BadRun
        If a run's files are not what the run wrote.
    """
    sweeps = Path(results) / "sweeps"
    folder = sweeps / name if (sweeps / name).is_dir() else Path(name)
    if not folder.is_dir():
        known = sorted(path.name for path in sweeps.glob("*/")) if sweeps.is_dir() else []
        there = f"only {', '.join(known)}{nearest(str(name), known)}" if known else "nothing"
        raise FileNotFoundError(
            f"no sweep {str(name)!r}: in {sweeps.resolve()} there is {there}; run it, or give results=… or a folder"
        )
    jobs, runs = gathering.finished(folder)
    if not ((folder / "jobs.csv").exists() or any(path.name.isdigit() for path in folder.iterdir())):
        raise FileNotFoundError(f"{folder}: there are no runs in it; give a sweep's name, or multirun/DATE/TIME")
    return Sweep(
        table=summary.summarise(jobs, runs),
        estimates=summary.tidy(jobs, runs) if len(jobs) else pd.DataFrame(),
        runs={int(job): SweepRun(run) for job, run in zip(jobs["job_id"] if len(jobs) else [], runs, strict=True)},
    )
