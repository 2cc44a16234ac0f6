"""Many runs become one table. Without JAX.

``jobs.csv`` says which runs a sweep consists of; no folder is searched, so what other sweeps
left behind never enters a table.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from llc.artifacts import METRICS, whole

JOB_COLUMNS = ["job_id", "run_id"]
COMMON_COLUMNS = ["n_data", "target_params", "seed"]
PER_SAMPLER = ["llc_mean", "ess", "llc_mcse", "rhat", "status"]
FAILURE_COLUMNS = ["job_id", "run_id", "reason", "log", "overrides"]
OWN_ERROR = "train.py: "  # how it begins when it refuses a configuration
EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Failure)\b")


class BadRun(ValueError):
    """A run directory that does not hold what it must. The message names the file and the fix."""


def aggregate_results(folder: str | Path) -> pd.DataFrame:
    """Return one row per job, sorted by job number, of a sweep or of a plain multirun.

    Parameters
    ----------
    folder
        ``multirun/DATE/TIME``, or ``results/sweeps/NAME``.

    Returns
    -------
    DataFrame
        ``job_id, run_id``, the swept keys, ``n_data, target_params, seed``, then
        ``{sampler}_llc_mean``, ``_ess``, ``_llc_mcse``, ``_rhat``, ``_status`` of each sampler.
        Jobs without a result are left out; empty if none has one.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder; give multirun/DATE/TIME or results/sweeps/NAME")
    if (folder / "jobs.csv").exists():
        jobs, runs = read_jobs(folder / "jobs.csv"), folder.parent.parent / "runs"
        done = [(job, runs / job["run_id"]) for job in jobs.to_dict("records")]
        done = [(job, run) for job, run in done if (run / METRICS).exists()]
        return summarise(pd.DataFrame([job for job, _ in done], columns=jobs.columns), [run for _, run in done])
    runs_found = sorted((p for p in folder.iterdir() if p.name.isdigit() and (p / METRICS).exists()), key=_number)
    return summarise(pd.DataFrame([_multirun_job(run) for run in runs_found]), runs_found)


def _number(folder: Path) -> int:
    return int(folder.name)


def _multirun_job(run: Path) -> dict[str, Any]:
    """Return a job's row from the folder of a plain ``train.py -m``."""
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    overrides = yaml.safe_load((run / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    return {
        "job_id": _number(run),
        "run_id": _read_run_info(run)["run_id"],
        **dict(override.lstrip("+").split("=", 1) for override in overrides if "=" in override),
        "n_data": config["data"]["n_data"],
        "target_params": config["model"]["target_params"],
        "seed": config["seed"],
    }


def summarise(jobs: pd.DataFrame, runs: Sequence[Path]) -> pd.DataFrame:
    """Return the summary table: the columns of ``jobs``, then those of each sampler."""
    if jobs.empty:
        return pd.DataFrame(columns=[*JOB_COLUMNS, *COMMON_COLUMNS])
    metrics = [read_metrics(run / METRICS) for run in runs]
    samplers = dict.fromkeys(sampler for table in metrics for sampler in table.index)
    cells = [{f"{s}_{column}": table.at[s, column] for s in table.index for column in PER_SAMPLER} for table in metrics]
    columns = [f"{sampler}_{column}" for sampler in samplers for column in PER_SAMPLER]
    table = pd.DataFrame(cells, columns=columns, index=jobs.index)
    return pd.concat([jobs[_job_columns(jobs)], table], axis=1)


def _job_columns(jobs: pd.DataFrame) -> list[str]:
    """Return the summary's columns of a job: its number and id, swept keys, common ones."""
    other = {*JOB_COLUMNS, *COMMON_COLUMNS, "target_id", "samplers", "overrides"}
    return [*JOB_COLUMNS, *(column for column in jobs.columns if column not in other), *COMMON_COLUMNS]


def tidy(jobs: pd.DataFrame, runs: Sequence[Path]) -> pd.DataFrame:
    """Return the estimates table: one row per job and sampler, every column of both."""
    parts = []
    for run in runs:
        about = _read_run_info(run)
        if about["run_id"] != run.name:
            raise BadRun(f"{run / 'run_info.json'}: is run {about['run_id']}; delete {run} and run the sweep again")
        target = about["target"]
        facts = {
            "n_params": target["n_params"],
            "grad_norm": target["grad_norm"],
            "training_stopped": target["stopped"],
        }
        parts.append(read_metrics(run / METRICS).reset_index().assign(run_id=run.name, **facts))
    table = pd.concat(parts, ignore_index=True)
    front = ["run_id", *facts]
    table = table[[*front, *table.columns.drop(front)]]
    return jobs[_job_columns(jobs)].merge(table, on="run_id", validate="one_to_many")


def _read_run_info(run: Path) -> dict[str, Any]:
    path = run / "run_info.json"
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRun(f"{path}: not readable ({error}); delete {run} and run the sweep again") from None
    return about


def read_metrics(path: Path) -> pd.DataFrame:
    """Read ``metrics_summary.csv``, indexed by sampler, and refuse what no run wrote."""
    try:
        table = pd.read_csv(path, index_col="sampler")
    except (OSError, ValueError) as error:
        raise BadRun(f"{path}: not a table ({error}); delete {path.parent} and run the sweep again") from None
    missing = [column for column in [*PER_SAMPLER, "n_draws"] if column not in table.columns]
    if missing or table.empty or not table.index.is_unique or table["status"].isna().any():
        raise BadRun(f"{path}: damaged (missing: {missing or 'rows'}); delete {path.parent} and run the sweep again")
    return table


def write_jobs(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write ``jobs.csv``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(pd.DataFrame(rows), path)


def read_jobs(path: Path) -> pd.DataFrame:
    """Read ``jobs.csv``; ids stay text even where they look like numbers."""
    text = {column: str for column in ("run_id", "target_id", "samplers", "overrides")}
    return pd.read_csv(path, dtype=text)


def _write(table: pd.DataFrame, path: Path) -> None:
    with whole(path) as temporary:
        table.to_csv(temporary, index=False)


def write_summary(folder: Path) -> None:
    """Write ``summary.csv``, ``estimates.csv`` and an empty ``failures.csv`` of a finished sweep."""
    jobs = read_jobs(folder / "jobs.csv")
    runs = [folder.parent.parent / "runs" / run_id for run_id in jobs["run_id"]]
    summary = summarise(jobs, runs)
    for job, run in zip(jobs.to_dict("records"), runs, strict=True):
        found = " ".join(sorted(read_metrics(run / METRICS).index))
        if found != job["samplers"]:
            raise BadRun(f"{run / METRICS}: rows {found!r}, expected {job['samplers']!r}; delete {run} and run again")
    _write(tidy(jobs, runs), folder / "estimates.csv")
    _write(pd.DataFrame(columns=FAILURE_COLUMNS), folder / "failures.csv")
    _write(summary, folder / "summary.csv")


def write_failures(folder: Path) -> pd.DataFrame:
    """Write ``failures.csv``: each job without a result, why, and where its log is.

    A summary of other jobs than the sweep now has is removed, not left to be taken for it.
    """
    jobs = read_jobs(folder / "jobs.csv")
    results = folder.parent.parent
    rows = []
    for job in jobs.to_dict("records"):
        run, target = results / "runs" / job["run_id"], results / "targets" / job["target_id"]
        if (run / METRICS).exists():
            continue
        log = (run if (target / "target.json").exists() else target) / "snakemake.log"
        rows.append({**job, "reason": _reason(log), "log": log if log.exists() else None})
    failures = pd.DataFrame(rows, columns=FAILURE_COLUMNS)
    _write(failures, folder / "failures.csv")
    summary = folder / "summary.csv"
    if summary.exists() and list(pd.read_csv(summary, dtype=str)["run_id"]) != list(jobs["run_id"]):
        summary.unlink()
    return failures


def _reason(log: Path) -> str:
    """Return the last exception in a log, or how the log ends without one."""
    if not log.exists():
        return "not started"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Set the environment variable HYDRA_FULL_ERROR")]
    for line in reversed(lines):
        if EXCEPTION.match(line):
            return line
    if lines and lines[-1].startswith(OWN_ERROR):
        return lines[-1]
    return f"stopped without an exception, as when it is killed; its log ends: {lines[-1] if lines else '(empty)'}"


def main() -> None:
    """Write the tables of a sweep: ``python -m llc.summary [--failures] results/sweeps/NAME``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--failures", action="store_true", help="only failures.csv, of a sweep that is not finished")
    args = parser.parse_args()
    if not args.failures:
        try:
            write_summary(args.folder)
        except BadRun as error:
            sys.exit(str(error))
        return
    if not (args.folder / "jobs.csv").exists():
        sys.exit(f"{args.folder / 'jobs.csv'} is missing: no job was started")
    failures = write_failures(args.folder)
    for row in failures.to_dict("records"):
        print(f"job {row['job_id']} ({row['run_id']}): {row['reason']}\n    log: {row['log']}")
    print(f"{len(failures)} jobs without a result, listed in {args.folder / 'failures.csv'}")


if __name__ == "__main__":
    main()
