"""The finished runs of a sweep or of a plain multirun, read back for a table. Without JAX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from llc import records
from llc.records import METRICS, BadRun, Run
from llc.sweeps.sweepjob import column_of
from llc.tables.joblist import read_jobs

SHOWN = 10  # damaged runs that one message names


def finished(folder: Path) -> tuple[pd.DataFrame, list[Run]]:
    """Return the jobs that have a result, of a sweep or of a plain multirun, and their runs.

    Raises
    ------
    BadRun
        If a run's files are not what the run wrote.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder; give multirun/DATE/TIME or results/sweeps/NAME")
    if (folder / "jobs.csv").exists():
        jobs, runs, damaged = of_jobs(read_jobs(folder / "jobs.csv"), folder.parent.parent)
        refuse(damaged)
        return jobs, runs
    found = sorted((p for p in folder.iterdir() if p.name.isdigit() and (p / METRICS).exists()), key=_number)
    if not found and folder.parent.name == "sweeps":
        raise FileNotFoundError(f"{folder / 'jobs.csv'}: no such file; run the sweep again, which lists its jobs anew")
    runs = [records.read(run) for run in found]
    return pd.DataFrame([_multirun_job(run.folder, run.about) for run in runs]), runs


def _number(folder: Path) -> int:
    return int(folder.name)


def _multirun_job(run: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Return a job's row from the folder of a plain ``train.py -m``."""
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    # Those in the run itself, for Hydra writes its own anew for a job that then is refused, as the folder is another's.
    given = about.get("overrides")
    if given is None:
        given = records.given_to_hydra(run / ".hydra") or []
    swept = dict(override.lstrip("+").split("=", 1) for override in given if "=" in override)
    return {
        "job_id": _number(run),
        "run_id": about["run_id"],
        **{column_of(key): _resolved(config, key, text) for key, text in swept.items()},
        "n_data": config["data"]["n_data"],
        "target_params": config["model"]["target_params"],
        "seed": config["seed"],
    }


def _resolved(config: Any, key: str, text: str) -> str | int | float:
    """Return the number, or whether, that an override has set; else its text."""
    for name in key.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config if isinstance(config, int | float) else text


def of_jobs(jobs: pd.DataFrame, results: Path) -> tuple[pd.DataFrame, list[Run], dict[str, str]]:
    """Return the jobs that have a result, their runs, and what is wrong with those that are damaged, by run id."""
    runs: dict[str, Run] = {}
    damaged: dict[str, str] = {}
    for run_id, samplers in zip(jobs["run_id"], jobs["samplers"], strict=True):
        folder = results / "runs" / run_id
        if not (folder / METRICS).exists():
            continue
        try:
            run = records.read(folder)
            for path, found, wanted in (
                (folder / records.RUN_INFO, run.about["run_id"], run_id),
                (folder / METRICS, " ".join(sorted(run.estimates)), samplers),
            ):
                if found != wanted:
                    raise BadRun(f"{path}: is of {found!r}, expected {wanted!r}; {records.REMEDY.format(folder)}")
            runs[run_id] = run
        except BadRun as error:
            damaged[run_id] = str(error)
    jobs = jobs[jobs["run_id"].isin(runs)].reset_index(drop=True)
    return jobs, [runs[run_id] for run_id in jobs["run_id"]], damaged


def refuse(damaged: Mapping[str, str]) -> None:
    """Raise BadRun if any run is damaged, naming all in one message."""
    if damaged:
        more = [f"… and {len(damaged) - SHOWN} more"] if len(damaged) > SHOWN else []
        raise BadRun("\n".join([*list(damaged.values())[:SHOWN], *more]))
