"""What a sweep has to do: which runs are there, which are not, and why. Without JAX.

The answer comes from the run directories alone, so it travels with them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llc import code, locks, records
from llc.planning import manifest
from llc.planning.failures import reason
from llc.planning.manifest import MADE, PAGE
from llc.records import METRICS, SNAKEMAKE_LOG, TARGET_INFO
from llc.sweeps import sweepjob
from llc.sweeps.sweepjob import SweepJob

LISTED = 5  # failures that are spelled out
DAMAGED, AGAIN = "damaged", "asked for"


@dataclass(frozen=True)
class State:
    """State of a run or of a target."""

    kind: str  # done, stale, failed, running, missing
    why: tuple[str, ...] = ()  # the modules that changed, of one that is done too with code=keep; DAMAGED or AGAIN
    note: str = ""  # of a failed one: its last error; of a damaged one: what is wrong
    core_s: float | None = None  # core-seconds that a finished one took
    made_ns: int = 0  # when its result was written
    sha256: str = ""  # of what it has found

    def causes(self) -> tuple[str, ...]:
        """Return what makes it stale, if anything does."""
        return self.why if self.kind == "stale" else ()


@dataclass(frozen=True)
class Plan:
    """The jobs of one sweep and the states of their runs and targets, by id."""

    name: str
    jobs: list[SweepJob]
    runs: dict[str, State]
    targets: dict[str, State]  # of the runs that are not done

    def to_run(self) -> list[SweepJob]:
        """Return the jobs whose run is not done."""
        return [job for job in self.jobs if self.runs[job.run_id].kind != "done"]


def make(name: str, jobs: list[SweepJob], results: Path, keep_code: bool, again: str | None = None) -> Plan:
    """Look up what is there of each job.

    Parameters
    ----------
    name, jobs
        Of the sweep, expanded.
    results
        The folder with ``runs/`` and ``targets/``.
    keep_code
        Whether runs that other code made count as done.
    again
        ``run``: no run counts as done; ``target``: nor does any target of theirs.
    """
    runs = {job.run_id: run_state(results / "runs" / job.run_id, job.samplers, keep_code) for job in jobs}
    if again:
        runs = {run_id: _again(state) for run_id, state in runs.items()}
    needed = {job.target_id for job in jobs if runs[job.run_id].kind != "done"}
    targets = {target_id: target_state(results / "targets" / target_id, keep_code) for target_id in sorted(needed)}
    if again == "target":
        targets = {target_id: _again(state) for target_id, state in targets.items()}
    for job in jobs:  # a run whose target failed did not start
        if runs[job.run_id].kind == "missing" and targets[job.target_id].kind == "failed":
            runs[job.run_id] = State("failed")
    return Plan(name, jobs, runs, targets)


def run_state(folder: Path, samplers: Iterable[str], keep_code: bool) -> State:
    """Return the state of a run directory."""
    try:
        made_ns = (folder / METRICS).stat().st_mtime_ns
    except FileNotFoundError:
        return _not_done(folder)
    try:
        about = records.read_info(folder)
    except records.BadRun as error:
        return State("stale", (DAMAGED,), str(error))
    damage = records.damage(folder, about)
    if damage:
        return State("stale", (DAMAGED,), f"{folder}/{damage[0][0]}: {damage[0][1]}")
    core_s = sum(about["timings_s"].values()) * about["threads"]
    state = _by_code(about["code"], code.modules("run", samplers), keep_code, core_s)
    return replace(state, made_ns=made_ns, sha256=about["files"][METRICS]["sha256"])


def target_state(folder: Path, keep_code: bool) -> State:
    """Return the state of a target directory."""
    path = folder / TARGET_INFO
    if not path.exists():
        return _not_done(folder)
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        made_with, core_s = dict(about["code"]), float(about["core_s"])
        if about["target_id"] != folder.name:
            return State("stale", (DAMAGED,), f"{path}: of another target, {about['target_id']}")
        size = (folder / "target.npz").stat().st_size
        if about.get("bytes", size) != size:
            return State("stale", (DAMAGED,), f"{folder}/target.npz: cut short or edited: {size} bytes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return State("stale", (DAMAGED,), f"{path}: {error!r}")
    state = _by_code(made_with, code.modules("target"), keep_code, core_s)
    return replace(state, made_ns=path.stat().st_mtime_ns)


def tables_stale(plan: Plan, results: Path) -> bool:
    """Return whether the tables of a sweep whose runs are all done are damaged, of other jobs, or of older results.

    A run that was edited since makes them stale too: who makes them refuses it by name.
    """
    folder = results / "sweeps" / plan.name
    # Those that are not there are made anyway, and so are those of runs that are to be made.
    summary = folder / "summary.csv"
    if plan.to_run() or not summary.exists():
        return False
    made_ns = summary.stat().st_mtime_ns
    newer = {i: state.sha256 for i, state in plan.runs.items() if state.made_ns > made_ns}
    edited = any(manifest.digest(results / "runs" / i / METRICS) != sha256 for i, sha256 in newer.items())
    found = {i: state.sha256 for i, state in plan.runs.items()}
    return edited or not manifest.intact(folder, found, sweepjob.table(plan.jobs))


def figures_stale(folder: Path, captions: Path) -> list[str]:
    """Return what makes the figures and the page of a sweep stale: modules and texts that changed, or DAMAGED.

    Parameters
    ----------
    folder
        ``results/sweeps/NAME``.
    captions
        The folder of their captions.
    """
    if not (folder / PAGE).exists():  # nothing is there to be stale
        return []
    figures = folder / "figures"
    try:
        about = json.loads((figures / MADE).read_text(encoding="utf-8"))
        made_with, files = dict(about["code"]), list(about["files"])
        whole = manifest.digest(folder / PAGE) == about["page"]
    except (OSError, ValueError, KeyError, TypeError):
        return [DAMAGED]
    whole = whole and all((figures / name).exists() for name in files)
    return code.changed(made_with, code.figures(captions)) if whole else [DAMAGED]


def _not_done(folder: Path) -> State:
    if locks.held(folder):
        return State("running")
    log = folder / SNAKEMAKE_LOG
    return State("failed", note=f"{reason(log)}\n      log: {log}") if log.exists() else State("missing")


def _by_code(made_with: Mapping[str, str], now: Mapping[str, str], keep_code: bool, core_s: float) -> State:
    changed = () if made_with == now else tuple(code.changed(made_with, now))
    return State("stale" if changed and not keep_code else "done", changed, core_s=core_s)


def _again(state: State) -> State:
    return replace(state, kind="stale", why=(AGAIN,)) if state.kind == "done" else state


def text(plan: Plan) -> str:
    """Return the plan as a short table for a person."""
    states = [plan.runs[job.run_id] for job in plan.jobs]
    count = Counter(state.kind for state in states)
    trained = Counter(state.kind for state in plan.targets.values())
    rows = [("done", count["done"], _kept(states))]
    rows += [("stale", number, f"{why}: made again") for why, number in _causes(states, "stale")]
    rows += [("failed before", count["failed"], "run again")] if count["failed"] else []
    rows += [("at work now", count["running"], "waited for")] if count["running"] else []
    if len(states) > count["done"]:
        rows += [("to run", len(states) - count["done"], _core_hours(plan))]
    train = sum(trained.values()) - trained["done"]
    rows += [("targets to train", train, "")] if train else []
    lines = [f"sweep {plan.name}: {len(states)} jobs"]
    lines += [f"  {label:<17}{number:>7}   {note}".rstrip() for label, number, note in rows]
    problems = {job.run_id: plan.runs[job.run_id].note for job in plan.jobs if plan.runs[job.run_id].note}
    problems |= {f"target {k}": state.note for k, state in plan.targets.items() if state.note}
    lines += [f"    {name}: {note}" for name, note in list(problems.items())[:LISTED]]
    lines += [f"    … and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
    return "\n".join(lines)


def _causes(states: Iterable[State], kind: str) -> list[tuple[str, int]]:
    """Return why runs are stale, and how many are for each cause, the most frequent first."""
    found = Counter(why for state in states if state.kind == kind for why in state.why)
    return [(why if why in (DAMAGED, AGAIN) else f"{why} changed", number) for why, number in found.most_common()]


def _kept(states: Iterable[State]) -> str:
    other = [why for why, _ in _causes(states, "done")]
    return f"some made by other code: {', '.join(other)}" if other else ""


def _core_hours(plan: Plan) -> str:
    """Return how long the jobs to run will take, after the finished runs that are most alike."""
    costs_of = [(job, plan.runs[job.run_id].core_s) for job in plan.jobs]
    known = [(job, cost) for job, cost in costs_of if cost is not None]
    if not known:
        return "core-hours unknown until one of them is finished"
    alike: list[Callable[[SweepJob], Any]] = [
        lambda job: json.dumps({k: v for k, v in job.swept.items() if k != "seed"}, default=str),
        lambda job: (job.n_data, job.target_params, *job.samplers),
        lambda job: None,
    ]
    costs: list[dict[Any, list[float]]] = [defaultdict(list) for _ in alike]
    for job, cost in known:
        for key, table in zip(alike, costs, strict=True):
            table[key(job)].append(cost)
    means = [{key: sum(found) / len(found) for key, found in table.items()} for table in costs]
    total = sum(
        next(table[key(job)] for key, table in zip(alike, means, strict=True) if key(job) in table)
        for job in plan.to_run()
    )
    trained = [state.core_s for state in plan.targets.values() if state.core_s is not None]
    if trained:
        total += sum(trained) / len(trained) * sum(state.kind != "done" for state in plan.targets.values())
    finished = f"{len(known)} finished run{'s' if len(known) > 1 else ''}"
    return f"about {total / 3600:.2g} core-hours, going by {finished}"
