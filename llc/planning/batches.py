"""Cuts what sweeps have to do into batches: jobs that share a process. Without JAX.

A batch is a file that ``llc.worker`` works through. Nothing but the time depends on how jobs were cut.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Container, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from llc.files import write_text
from llc.planning.plan import State
from llc.planning.stamps import not_ahead
from llc.records import METRICS, TARGET_INFO
from llc.sweeps.sweepjob import SweepJob

Jobs = Mapping[str, SweepJob]  # by run id, or by target id: the job that trains it
States = Mapping[str, State]


def make(
    folder: Path, runs: Jobs, run_states: States, targets: Jobs, target_states: States, results: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Write the batches of all that is not done, and return the one of each run and the one of each target.

    A target that the runs of one batch alone need is made in it, just before the first of them. The others are in
    batches of targets, for which the runs wait.

    Parameters
    ----------
    folder
        Where the batches are put, each a file ``NAME.json``.
    runs, targets
        The jobs.
    run_states, target_states
        What is there of them; what has no state is done.
    results
        The folder with ``runs/`` and ``targets/``.

    Returns
    -------
    ``folder/NAME`` by id: the file that is there when the batch has ended.
    """
    prefix = (folder / str(os.getpid())).as_posix()  # two plans at once do not share their batches
    folder.mkdir(parents=True, exist_ok=True)
    to_make = _todo(targets, target_states)
    of_run = _cut(f"{prefix}-runs", _todo(runs, run_states), run_states, together=to_make)
    users: dict[str, list[str]] = defaultdict(list)
    for run_id in of_run:
        users[runs[run_id].target_id].append(run_id)
    inside = {
        target_id: of_run[users[target_id][0]]
        for target_id, job in to_make.items()
        if not _failed(target_states[target_id])
        and len({of_run[run_id] for run_id in users[target_id]}) == 1
        and all(_kind(runs[run_id]) == _kind(job) for run_id in users[target_id])
    }
    rest = {target_id: job for target_id, job in to_make.items() if target_id not in inside}
    of_target = _cut(f"{prefix}-targets", rest, target_states) | inside

    contents: dict[str, dict[str, Any]] = {}
    for target_id in rest:
        _add(contents, of_target[target_id], "target", targets[target_id], results)
    waiting = set(inside)
    for run_id, batch in of_run.items():
        target_id = runs[run_id].target_id
        if target_id in waiting:
            waiting.remove(target_id)
            _add(contents, batch, "target", targets[target_id], results)
        _add(contents, batch, "run", runs[run_id], results)
        if target_id in rest:
            contents[batch]["after"].add(of_target[target_id])
    for batch, content in contents.items():
        for member in content["members"]:
            not_ahead(Path(member["result"]))  # or it would pass for one that was made since
        content |= {"after": sorted(content["after"]), "planned_ns": time.time_ns()}
        write_text(Path(f"{batch}.json"), json.dumps(content))
    return of_run, of_target


def clear(folder: Path) -> None:
    """Remove the batches of plans that are over."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def read(batch: str) -> dict[str, Any]:
    """Return what is in a batch: ``threads``, the batches that come first (``after``), ``members``, ``planned_ns``."""
    return json.loads(Path(f"{batch}.json").read_text(encoding="utf-8"))


def _todo(jobs: Jobs, states: States) -> dict[str, SweepJob]:
    return {i: job for i, job in jobs.items() if i in states and states[i].kind != "done"}


def _failed(state: State) -> bool:
    return bool(state.note) and state.kind == "failed"


def _kind(job: SweepJob) -> tuple[Any, ...]:
    """Return what jobs of a process have in common: threads, a user's modules, how many it may have."""
    return job.threads, [file for file in job.files if file.endswith(".py")], job.batch


def _cut(name: str, todo: Jobs, states: States, together: Container[str] = ()) -> dict[str, str]:
    """Return ``NAME-NUMBER``, the batch, by id, in the order of work.

    What failed before may end its process, so it has one to itself and comes first. Then come the largest; those of one
    shape are side by side, and in these the runs of one target, which share a batch where it has room for as many if
    the target is one of ``together``.
    """
    first = {job.target_id: job.number for job in sorted(todo.values(), key=lambda job: -job.number)}

    def order(i: str) -> tuple[Any, ...]:
        job = todo[i]
        size = [-(size or 0) for size in (job.target_params, job.n_data)]
        return _kind(job), size, job.samplers, first[job.target_id], job.target_id, job.number, i

    batches = [[i] for i in todo if _failed(states[i])]
    rest = sorted((i for i in todo if not _failed(states[i])), key=order)
    for (*_, at_most), of_kind in groupby(rest, lambda i: _kind(todo[i])):
        room = 0
        for _, block in groupby(of_kind, lambda i: todo[i].target_id if todo[i].target_id in together else i):
            ids = list(block)
            if room < len(ids) <= at_most:
                room = 0
            for i in ids:
                if room == 0:
                    batches.append([])
                    room = at_most
                batches[-1].append(i)
                room -= 1
    return {i: f"{name}-{number}" for number, batch in enumerate(batches) for i in batch}


def _add(contents: dict[str, dict[str, Any]], batch: str, stage: str, job: SweepJob, results: Path) -> None:
    """Put a job last into a batch."""
    content = contents.setdefault(batch, {"threads": job.threads, "after": set(), "members": []})
    run, target = results / "runs" / job.run_id / METRICS, results / "targets" / job.target_id / TARGET_INFO
    content["members"].append(
        {
            "result": (run if stage == "run" else target).as_posix(),
            "needs": [target.as_posix()] if stage == "run" else [],
            "arguments": job.command(stage, results),
        }
    )
