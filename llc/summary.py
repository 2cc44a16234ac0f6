"""Many runs become one table. Without JAX.

``jobs.csv`` says which runs a sweep consists of; no folder is searched, so what other sweeps
left behind never enters a table.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from llc import code
from llc.files import whole
from llc.planning import manifest
from llc.planning.failures import log_of, reason
from llc.planning.manifest import BEFORE, PAGE
from llc.records import METRICS, BadRun, Run, Value, read_info
from llc.tables import gathering
from llc.tables.accuracy import accuracy
from llc.tables.joblist import FIXED, read_jobs

JOB_COLUMNS = ["job_id", "run_id"]
COMMON_COLUMNS = ["n_data", "target_params", "seed"]
CODE = "code"  # the digest of the modules that a run was made with
ELSEWHERE = "llc_mean_"  # and the name of data that the sampler did not draw from
PER_SAMPLER = ["llc_mean", "ess", "llc_mcse", "rhat", "status"]
OF_TABLES = (
    "summary.csv",
    "estimates.csv",
    "accuracy.csv",
    manifest.TABLES,
    PAGE,
    "figures",
)  # and what is made of them
FAILURE_COLUMNS = ["job_id", "run_id", "reason", "log", "overrides"]


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
    return summarise(*gathering.finished(Path(folder)))


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
    return [*JOB_COLUMNS, *(column for column in jobs.columns if column not in FIXED), *COMMON_COLUMNS]


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
    ``folder/partial``, so that nothing takes them for whole; there a damaged run counts as a failure.
    ``accuracy.csv`` is beside them where something is known of the estimates.

    Raises
    ------
    BadRun
        If a run is damaged, or is missing and ``partial`` is not set.
    """
    jobs, results = read_jobs(folder / "jobs.csv"), folder.parent.parent
    done, runs, damaged = gathering.of_jobs(jobs, results)
    failures = _failures(jobs, results, damaged)
    if not partial:
        gathering.refuse(damaged)
        if len(failures):
            missing = results / "runs" / failures["run_id"].iloc[0]
            raise BadRun(f"{missing}: it has no result, nor have {len(failures) - 1} others; run the sweep again")
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
    if not partial:
        shutil.rmtree(folder / BEFORE, ignore_errors=True)
    manifest.write(
        into,
        [*tables, *(["accuracy.csv"] if len(near) else [])],
        {run.about["run_id"]: run.about["files"][METRICS]["sha256"] for run in runs},
        (folder / "jobs.csv").read_text(encoding="utf-8"),
    )
    if differ := mixed(runs):
        print(f"the rows were not all made by the same code (column {CODE}): {', '.join(differ)} differ")
    return failures


def write_failures(folder: Path) -> pd.DataFrame:
    """Write ``failures.csv``: each job without a result, why, and where its log is; also if there is an older result.

    Tables of other jobs than the sweep now has, or of other results, are moved into ``folder/before`` with the figures
    and the page, not left to be taken for its own.
    """
    jobs = read_jobs(folder / "jobs.csv")
    results = folder.parent.parent
    failures = _failures(jobs, results, {i: reason(log) for i, log in _untrained(jobs, results).items()})
    _write(failures, folder / "failures.csv")
    left = [name for name in OF_TABLES if (folder / name).exists()]
    text = (folder / "jobs.csv").read_text(encoding="utf-8")
    if left and not manifest.of_same_runs(folder, _found(results, jobs["run_id"]), text):
        shutil.rmtree(folder / BEFORE, ignore_errors=True)
        (folder / BEFORE).mkdir()
        for name in left:
            (folder / name).rename(folder / BEFORE / name)
    return failures


def _found(results: Path, run_ids: Iterable[str]) -> dict[str, str]:
    """Return the digest of what each run has found, by its id, as the run has written it down."""
    found = {}
    for run_id in run_ids:
        folder = results / "runs" / run_id
        with suppress(BadRun):
            if (folder / METRICS).exists():
                found[run_id] = read_info(folder)["files"][METRICS]["sha256"]
    return found


def _untrained(jobs: pd.DataFrame, results: Path) -> dict[str, Path]:
    """Return the logs of the targets that failed, by the ids of their runs: what these hold is of before."""
    pairs = zip(jobs["run_id"], jobs["target_id"], strict=True)
    logs = {run_id: log_of(results, run_id, target_id) for run_id, target_id in pairs}
    return {run_id: log for run_id, log in logs.items() if log.parent.name != run_id and log.exists()}


def _failures(jobs: pd.DataFrame, results: Path, known: Mapping[str, str]) -> pd.DataFrame:
    """Return the jobs without a result, and those of whose run the reason is known."""
    rows = []
    for job in jobs.to_dict("records"):
        run_id = job["run_id"]
        if run_id in known or not (results / "runs" / run_id / METRICS).exists():
            log = log_of(results, run_id, job["target_id"])
            rows.append({**job, "reason": known.get(run_id) or reason(log), "log": log if log.exists() else None})
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
