"""Many runs become one table. Without JAX.

``jobs.csv`` says which runs a sweep consists of; no folder is searched, so what other sweeps
left behind never enters a table.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from llc import code, made, records
from llc.accuracy import accuracy
from llc.artifacts import whole
from llc.failures import log_of, reason
from llc.joblist import read_jobs
from llc.records import METRICS, PAGE, BadRun, Run, Value, column_of

JOB_COLUMNS = ["job_id", "run_id"]
COMMON_COLUMNS = ["n_data", "target_params", "seed"]
CODE = "code"  # the digest of the modules that a run was made with
ELSEWHERE = "llc_mean_"  # and the name of data that the sampler did not draw from
PER_SAMPLER = ["llc_mean", "ess", "llc_mcse", "rhat", "status"]
FAILURE_COLUMNS = ["job_id", "run_id", "reason", "log", "overrides"]
SHOWN = 10  # damaged runs that one message names


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
        ``{sampler}_llc_mean``, ``_ess``, ``_llc_mcse``, ``_rhat``, ``_status`` of each sampler,
        and ``code``. Jobs without a result are left out; empty if none has one.

    Raises
    ------
    BadRun
        If a run's files are not what the run wrote.
    """
    return summarise(*finished(Path(folder)))


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
        return _finished(read_jobs(folder / "jobs.csv"), folder.parent.parent)
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
    said = run / ".hydra" / "overrides.yaml"  # not there with hydra.output_subdir=null
    overrides = yaml.safe_load(said.read_text(encoding="utf-8")) if said.exists() else None
    swept = dict(override.lstrip("+").split("=", 1) for override in overrides or [] if "=" in override)
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


def _finished(jobs: pd.DataFrame, results: Path) -> tuple[pd.DataFrame, list[Run]]:
    """Return the jobs that have a result, and their runs; refuse all damaged ones in one message."""
    there = [(results / "runs" / run_id / METRICS).exists() for run_id in jobs["run_id"]]
    jobs = jobs[there].reset_index(drop=True)
    runs, damaged = [], []
    for run_id, samplers in zip(jobs["run_id"], jobs["samplers"], strict=True):
        folder = results / "runs" / run_id
        try:
            run = records.read(folder)
            for path, found, wanted in (
                (folder / records.RUN_INFO, run.about["run_id"], run_id),
                (folder / METRICS, " ".join(sorted(run.estimates)), samplers),
            ):
                if found != wanted:
                    raise BadRun(f"{path}: is of {found!r}, expected {wanted!r}; {records.REMEDY.format(folder)}")
            runs.append(run)
        except BadRun as error:
            damaged.append(str(error))
    if damaged:
        more = [f"… and {len(damaged) - SHOWN} more"] if len(damaged) > SHOWN else []
        raise BadRun("\n".join([*damaged[:SHOWN], *more]))
    return jobs, runs


def summarise(jobs: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """Return the summary table: the columns of ``jobs``, then those of each sampler, then the code."""
    if jobs.empty:
        return pd.DataFrame(columns=[*JOB_COLUMNS, *COMMON_COLUMNS])
    samplers = dict.fromkeys(sampler for run in runs for sampler in run.estimates)
    cells = [
        {f"{name}_{column}": row[column] for name, row in run.estimates.items() for column in _shown(row)}
        | {CODE: code.digest(run.about["code"])}
        for run in runs
    ]
    columns = [column for sampler in samplers for column in _columns_of(sampler, runs)]
    return pd.concat(
        [jobs[_job_columns(jobs)], pd.DataFrame(cells, columns=[*columns, CODE], index=jobs.index)], axis=1
    )


def _shown(estimate: Mapping[str, Value]) -> list[str]:
    """Return the columns of an estimate that the summary has: also the estimates on other data."""
    return [*PER_SAMPLER, *(column for column in estimate if column.startswith(ELSEWHERE))]


def _columns_of(sampler: str, runs: Sequence[Run]) -> list[str]:
    shown = [column for run in runs if sampler in run.estimates for column in _shown(run.estimates[sampler])]
    return [f"{sampler}_{column}" for column in dict.fromkeys(shown)]


def _job_columns(jobs: pd.DataFrame) -> list[str]:
    """Return the summary's columns of a job: its number and id, swept keys, common ones."""
    other = {*JOB_COLUMNS, *COMMON_COLUMNS, "target_id", "samplers", "overrides"}
    return [*JOB_COLUMNS, *(column for column in jobs.columns if column not in other), *COMMON_COLUMNS]


def tidy(jobs: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """Return the estimates table: one row per job and sampler, every column of both."""
    columns = _job_columns(jobs)
    rows = [
        {
            **dict(zip(columns, job, strict=True)),
            "n_params": run.about["target"]["n_params"],
            "n_moving": run.about.get("n_moving", run.about["target"]["n_params"]),
            "training_stopped": run.about["target"]["stopped"],
            "sampler": sampler,
            **estimate,
            CODE: code.digest(run.about["code"]),
        }
        for job, run in zip(jobs[columns].itertuples(index=False, name=None), runs, strict=True)
        for sampler, estimate in run.estimates.items()
    ]
    return pd.DataFrame(rows, columns=None if rows else [*columns, "sampler"])


def mixed(runs: Sequence[Run]) -> list[str]:
    """Return the modules of which the runs were made with more than one version."""
    versions: dict[str, set[str]] = {}
    for run in runs:
        for path, digest in run.about["code"].items():
            versions.setdefault(path, set()).add(digest)
    return sorted(path for path, digests in versions.items() if len(digests) > 1)


def _write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        table.to_csv(temporary, index=False)


def write_summary(folder: Path, partial: bool = False) -> pd.DataFrame:
    """Write ``summary.csv``, ``estimates.csv`` and ``failures.csv`` of a sweep; return the last.

    A finished sweep's go into ``folder``, what there is of an unfinished one into
    ``folder/partial``, so that nothing takes them for whole. ``accuracy.csv`` is beside them
    where something is known of the estimates.

    Raises
    ------
    BadRun
        If a run is damaged, or is missing and ``partial`` is not set.
    """
    jobs, results = read_jobs(folder / "jobs.csv"), folder.parent.parent
    failures = _failures(jobs, results)
    if len(failures) and not partial:
        missing = results / "runs" / failures["run_id"].iloc[0]
        raise BadRun(f"{missing}: it has no result, nor have {len(failures) - 1} others; run the sweep again")
    done, runs = _finished(jobs, results)
    into = folder / "partial" if partial else folder
    estimates = tidy(done, runs)
    near = accuracy(estimates)
    if len(near):
        _write(near, into / "accuracy.csv")
    else:
        (into / "accuracy.csv").unlink(missing_ok=True)
    tables = {"estimates.csv": estimates, "failures.csv": failures, "summary.csv": summarise(done, runs)}
    for name, table in tables.items():
        _write(table, into / name)
    found = {run.about["run_id"]: run.about["files"][METRICS]["sha256"] for run in runs}
    made.note(into, [*tables, *(["accuracy.csv"] if len(near) else [])], found)
    if differ := mixed(runs):
        print(f"the rows were not all made by the same code (column {CODE}): {', '.join(differ)} differ")
    return failures


def write_failures(folder: Path) -> pd.DataFrame:
    """Write ``failures.csv``: each job without a result, why, and where its log is.

    A summary of other jobs than the sweep now has is removed with its figures, not left to be taken for it.
    """
    jobs = read_jobs(folder / "jobs.csv")
    failures = _failures(jobs, folder.parent.parent)
    _write(failures, folder / "failures.csv")
    summary = folder / "summary.csv"
    if summary.exists() and list(pd.read_csv(summary, dtype=str)["run_id"]) != list(jobs["run_id"]):
        for name in ("summary.csv", "accuracy.csv", PAGE):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "figures", ignore_errors=True)
    return failures


def _failures(jobs: pd.DataFrame, results: Path) -> pd.DataFrame:
    rows = []
    for job in jobs.to_dict("records"):
        if not (results / "runs" / job["run_id"] / METRICS).exists():
            log = log_of(results, job["run_id"], job["target_id"])
            rows.append({**job, "reason": reason(log), "log": log if log.exists() else None})
    return pd.DataFrame(rows, columns=FAILURE_COLUMNS)


def main() -> None:
    """Write the tables of a sweep: ``python -m llc.summary results/sweeps/NAME``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--failures", action="store_true", help="only failures.csv, of a sweep that is not finished")
    only.add_argument("--partial", action="store_true", help="of what is finished, into the folder partial/")
    args = parser.parse_args()
    if not (args.folder / "jobs.csv").exists():
        sys.exit(f"{args.folder / 'jobs.csv'} is missing: no job was started")
    try:
        failures = write_failures(args.folder) if args.failures else write_summary(args.folder, args.partial)
    except BadRun as error:
        sys.exit(str(error))
    for row in failures.to_dict("records"):
        print(f"job {row['job_id']} ({row['run_id']}): {row['reason']}\n    log: {row['log']}")
    if args.failures or args.partial:
        where = args.folder / "partial" if args.partial else args.folder
        print(f"{len(failures)} jobs without a result, listed in {where / 'failures.csv'}")


if __name__ == "__main__":
    main()
