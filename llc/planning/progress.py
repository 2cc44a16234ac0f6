"""What a person sees while Snakemake runs sweeps, and when it ends. Without JAX.

Snakemake reports to a logger: a ``Watch`` on it says one line for each run that ends, and ``Quiet``
takes the ten lines that Snakemake would say of the same from the terminal; its log file keeps them.
"""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from llc import records
from llc.planning import plan
from llc.planning.failures import reason
from llc.planning.manifest import BEFORE, PAGE
from llc.planning.plan import Plan, State
from llc.records import METRICS, SNAKEMAKE_LOG
from llc.sweeps.sweepjob import SweepJob

STAGES = ("run", "target")  # the rules that are told of here
CHATTER = ("job_info", "job_finished", "job_started", "progress", "resources_info")
NO_EVENT = (
    "Select jobs to execute",
    # Of batches: what they made is there when it is asked for, and no older one is put back where there was none.
    "Touching output file",
    "Removing temporary output",
    "Warning: the following output files of rule",
    "Cannot restore",
)
OUTCOMES = ("made", "reused", "failed", "not run")  # of a run
LONGEST = 70  # letters of a job's values


def say(text: str) -> None:
    """Write a line for a person."""
    print(text, file=sys.stderr, flush=True)


class Quiet(logging.Filter):
    """Leaves out what a ``Watch`` says shorter: each job's start and end, and errors of runs and targets."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be shown."""
        event = getattr(record, "event", None)
        if event == "job_error":
            return getattr(record, "rule_name", None) not in STAGES
        return event not in CHATTER and not record.getMessage().startswith(NO_EVENT)


class Watch(logging.Handler):
    """Says of each run that ends how many of how many it is, its estimates, or what failed and where its log is.

    Parameters
    ----------
    plans
        The sweeps, as they were when Snakemake started.
    results
        The folder with ``runs/`` and ``targets/``.
    say, now
        Where lines go; the time in seconds.
    """

    def __init__(
        self,
        plans: Iterable[Plan],
        results: Path,
        say: Callable[[str], None] = say,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.results, self.say, self.now = results, say, now
        self.jobs: dict[str, SweepJob] = {job.run_id: job for planned in plans for job in planned.to_run()}
        self.started = now()
        self.ended: dict[str, bool] = {}  # by run id: whether it has a result
        self.stages: dict[int, tuple[str, str]] = {}  # of Snakemake's jobs that run: rule, and id of the run or target

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record of Snakemake's logger."""
        try:
            event = getattr(record, "event", None)
            if event == "job_info" and record.__dict__["rule_name"] in STAGES:
                rule, wildcards = record.__dict__["rule_name"], record.__dict__["wildcards"]
                self.stages[record.__dict__["jobid"]] = rule, str(wildcards[f"{rule}_id"])
            elif event in ("job_finished", "job_error"):
                key = record.__dict__["job_id" if event == "job_finished" else "jobid"]
                if key in self.stages:
                    self._end(*self.stages[key], failed=event == "job_error")
        except Exception:  # an error of ours must not end the sweep: logging prints it
            self.handleError(record)

    def _end(self, stage: str, name: str, failed: bool) -> None:
        folder = self.results / f"{stage}s" / name
        ended = [name] if stage == "run" else [i for i, job in self.jobs.items() if failed and job.target_id == name]
        self.ended |= dict.fromkeys(ended, not failed)
        if failed:
            log = folder / SNAKEMAKE_LOG
            lost = f", and {len(ended)} run{'s' * (len(ended) != 1)} with it" if stage == "target" else ""
            self.say(f"{self._count()} {stage} {name} failed{lost}: {reason(log)}\n    log: {log}")
        elif stage == "run":
            self.say(f"{self._count()} {name} {values(self.jobs.get(name))}: {estimates(folder) or 'no result'}")
        else:
            self.say(f"{self._count()} target {name} made")

    def _count(self) -> str:
        done, total = len(self.ended), len(self.jobs)
        bad = sum(not ok for ok in self.ended.values())
        failed = f", {bad} failed" if bad else ""
        left = (self.now() - self.started) / done * (total - done) if 0 < done < total else 0.0
        return f"[{done} of {total}{failed}{f', about {duration(left)} left' if left else ''}]"


def values(job: SweepJob | None) -> str:
    """Return the swept values of a job."""
    text = " ".join(f"{key}={value}" for key, value in job.swept.items()) if job else ""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def estimates(folder: Path) -> str:
    """Return λ̂ and the verdict of each sampler of a finished run; of another nothing, as ``--touch`` ends it too."""
    rows = records.read_metrics(folder / METRICS) if (folder / METRICS).exists() else {}
    return ", ".join(f"{name} {_llc(row)} {row['status']}" for name, row in rows.items())


def _statuses(metrics: Path) -> list[str]:
    try:
        return [str(row["status"]) for row in records.read_metrics(metrics).values()]
    except (ValueError, KeyError):  # edited: who makes the tables refuses it by name
        return ["damaged"]


def _llc(row: Mapping[str, Any]) -> str:
    mean, error = row["llc_mean"], row["llc_mcse"]
    return " ± ".join(f"{value:.3g}" for value in (mean, error) if value is not None) or "–"


def _outcome(before: State, after: State, untrained: bool) -> str:
    """Return what became of a run, by its states before and after; that of its target may have failed."""
    if after.kind == "done" and after.made_ns != before.made_ns:
        return "made"
    if after.kind == before.kind == "done":
        return "reused"
    return "failed" if untrained or after.kind == "failed" else "not run"


def duration(seconds: float) -> str:
    """Return a time for a person."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def summary(before: Plan, results: Path, seconds: float, *, partial: bool = False) -> str:
    """Return what became of a sweep, as a short table for a person.

    Parameters
    ----------
    before
        Its plan when Snakemake started.
    results
        The folder with ``runs/`` and ``targets/``.
    seconds
        The time that it took.
    partial
        Whether tables of what is there were asked for.
    """
    # What was made while the code was edited was made all the same.
    after = plan.make(before.name, before.jobs, results, keep_code=True)
    trained = {
        i: plan.target_state(results / "targets" / i, keep_code=True)
        for i, state in before.targets.items()
        if state.kind != "done"
    }
    untrained = {
        job.run_id for job in after.jobs if job.target_id in trained and trained[job.target_id].kind == "failed"
    }
    outcomes = {i: _outcome(before.runs[i], state, i in untrained) for i, state in after.runs.items()}
    core_s = sum(after.runs[i].core_s or 0.0 for i, outcome in outcomes.items() if outcome == "made")
    core_s += sum(state.core_s or 0.0 for i, state in trained.items() if state.made_ns != before.targets[i].made_ns)
    done = [i for i, outcome in outcomes.items() if outcome in ("made", "reused")]
    statuses = Counter(status for i in done for status in _statuses(results / "runs" / i / METRICS))
    number = Counter(outcomes.values())
    counts = {word: number[word] for word in OUTCOMES if number[word] or word != "not run"}
    took = f"{duration(seconds)}, {core_s / 3600:.2g} core-hours"
    lines = [f"sweep {after.name}: runs {', '.join(f'{n} {word}' for word, n in counts.items())}; {took}"]
    if done:
        told = ", ".join(f"{n} {status}" for status, n in sorted(statuses.items(), key=lambda s: (s[0] != "ok", s[0])))
        lines.append(f"  estimates  {told}")
    folder = results / "sweeps" / after.name
    if partial:
        lines.append(f"  table      {folder / 'partial' / 'summary.csv'}")
    elif len(done) < len(after.runs):
        asked = shlex.quote(f"sweep={after.name}")
        lines.append(f"  tables     of what is there: snakemake --cores 1 --config {asked} partial=true")
    elif plan.tables_stale(after, results):
        lines.append("  tables     are of other results than are there now: run it again, without --until")
    else:
        lines += [
            f"  {word:<9}  {folder / file}"
            for word, file in (("table", "summary.csv"), ("page", PAGE))
            if (folder / file).exists()
        ]
    if (folder / BEFORE).exists():
        lines.append(f"  before     {folder / BEFORE}: tables of other results than are there now")
    return "\n".join(lines)
