"""Cuts what sweeps have to do into batches: jobs that share a process. Without JAX.

A batch is a file that ``llc.batch`` works through. Nothing but the time depends on how jobs were cut.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from llc.artifacts import write_text
from llc.plan import State
from llc.records import METRICS
from llc.sweep import SweepJob


def make(
    folder: Path,
    stage: str,
    jobs: Mapping[str, SweepJob],
    states: Mapping[str, State],
    results: Path,
    made_in: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Write the batches of a stage, and return the one of each run or target that is not done.

    Parameters
    ----------
    folder
        Where the batches are put, each a file ``NAME.json``.
    stage
        ``target`` or ``run``.
    jobs, states
        By run id, or by target id; those without a state are done.
    results
        The folder with ``runs/`` and ``targets/``.
    made_in
        Of the stage ``run``: the batch of each target that is to be made first.

    Returns
    -------
    ``folder/NAME`` by id: the file that is there when the batch has ended.
    """
    todo = [i for i in jobs if i in states and states[i].kind != "done"]
    of_id: dict[str, str] = {}
    for number, ids in enumerate(_cut(todo, jobs, states)):
        # The process is in the name: two plans at once do not share their batches.
        batch = (folder / f"{os.getpid()}-{stage}s-{number}").as_posix()
        write_text(Path(f"{batch}.json"), json.dumps(_content(stage, [jobs[i] for i in ids], results, made_in or {})))
        of_id |= dict.fromkeys(ids, batch)
    return of_id


def clear(folder: Path) -> None:
    """Remove the batches of plans that are over."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def read(batch: str) -> dict[str, Any]:
    """Return what is in a batch: ``threads``, the batches that must end first (``after``), and its ``members``."""
    return json.loads(Path(f"{batch}.json").read_text(encoding="utf-8"))


def _cut(todo: Sequence[str], jobs: Mapping[str, SweepJob], states: Mapping[str, State]) -> Iterator[Sequence[str]]:
    """Return the ids of each batch, the largest jobs first, those of one shape side by side.

    One process has one number of threads and one version of a user's modules. What failed before
    may end its process, so it has one to itself.
    """
    alone = [i for i in todo if states[i].note and states[i].kind == "failed"]
    yield from ([i] for i in alone)

    def kind(i: str) -> tuple[Any, ...]:
        return jobs[i].threads, [file for file in jobs[i].files if file.endswith(".py")], jobs[i].batch

    def size(i: str) -> tuple[Any, ...]:
        job = jobs[i]
        return *(-(size or 0) for size in (job.target_params, job.n_data)), job.samplers, job.number

    rest = sorted(set(todo) - set(alone), key=lambda i: (kind(i), size(i)))
    for (*_, at_most), group in groupby(rest, kind):
        ids = list(group)
        yield from (ids[start : start + at_most] for start in range(0, len(ids), at_most))


def _content(stage: str, jobs: list[SweepJob], results: Path, made_in: Mapping[str, str]) -> dict[str, Any]:
    def run(job: SweepJob) -> Path:
        return results / "runs" / job.run_id / METRICS

    def target(job: SweepJob) -> Path:
        return results / "targets" / job.target_id / "target.json"

    needs = [job.target_id for job in jobs] if stage == "run" else []
    return {
        "threads": jobs[0].threads,
        "after": sorted({made_in[target] for target in needs if target in made_in}),
        "members": [
            {
                "result": (run(job) if stage == "run" else target(job)).as_posix(),
                "needs": [target(job).as_posix()] if stage == "run" else [],
                "arguments": job.command(stage, results),
            }
            for job in jobs
        ],
    }
