"""How what is to do is cut into batches."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fabricating import sweep_job

from llc.planning import batches
from llc.planning.plan import State
from llc.sweeps.sweepjob import SweepJob

RESULTS = Path("results")
MISSING = State("missing")


def job(number: int, batch: int = 3, **values: Any) -> SweepJob:
    return replace(sweep_job(number, seed=number), batch=batch, **values)


def cut(folder: Path, jobs: list[SweepJob], **states: State) -> list[list[str | int]]:
    """Return the members of each batch, those of targets first: a run by its job's number, a target as tNUMBER.

    ``states`` are by the same names, a run's as nNUMBER. A target without one is done.
    """
    runs = {job.run_id: job for job in jobs}
    targets = {job.target_id: job for job in reversed(jobs)}
    of_run, of_target = batches.make(
        folder,
        runs,
        {i: states.get(f"n{job.number}", MISSING) for i, job in runs.items()},
        targets,
        {i: states[f"t{job.number}"] for i, job in targets.items() if f"t{job.number}" in states},
        RESULTS,
    )
    names = {f"results/runs/{i}/metrics_summary.csv": job.number for i, job in runs.items()}
    names |= {f"results/targets/{i}/target.json": f"t{job.number}" for i, job in targets.items()}
    found = {}
    for batch in sorted({*of_run.values(), *of_target.values()}, key=numbered):
        results = [member["result"] for member in batches.read(batch)["members"]]
        made = [f"results/runs/{i}/metrics_summary.csv" for i in of_run if of_run[i] == batch]
        made += [f"results/targets/{i}/target.json" for i in of_target if of_target[i] == batch]
        assert sorted(results) == sorted(made)
        found[batch] = [names[result] for result in results]
        waits = {of_target[runs[i].target_id] for i in of_run if of_run[i] == batch and runs[i].target_id in of_target}
        assert batches.read(batch)["after"] == sorted(waits - {batch})
    return list(found.values())


def numbered(batch: str) -> tuple[bool, int]:
    return "-runs-" in batch, int(batch.rsplit("-", 1)[1])


def of_one_target(*jobs: SweepJob) -> list[SweepJob]:
    return [replace(job, target_id=jobs[0].target_id) for job in jobs]


def test_a_batch_has_as_many_jobs_as_it_may_the_largest_first(tmp_path: Path) -> None:
    small, large = [job(i, n_data=100) for i in range(4)], [job(i, n_data=1000) for i in range(4, 8)]
    assert cut(tmp_path, small + large) == [[4, 5, 6], [7, 0, 1], [2, 3]]


def test_what_is_done_is_in_none_and_what_failed_before_is_by_itself(tmp_path: Path) -> None:
    jobs = [job(i) for i in range(6)]
    failed = State("failed", note="MemoryError")
    assert cut(tmp_path, jobs, n1=State("done"), n2=failed, n3=State("stale", ("llc/job.py",))) == [[2], [0, 3, 4], [5]]
    # A run whose target failed has not failed itself.
    assert cut(tmp_path, jobs[:2], n1=State("failed")) == [[0, 1]]


@pytest.mark.parametrize("values", [{"threads": 2}, {"files": ["other/model.py"]}, {"batch": 2}])
def test_one_process_has_one_number_of_threads_and_one_users_code(values: dict[str, Any], tmp_path: Path) -> None:
    assert len(cut(tmp_path, [job(0), job(1), replace(job(2), **values)])) == 2
    assert len(cut(tmp_path, [job(0), job(1), replace(job(2), files=["data.npz"])])) == 1


def test_batches_of_one_are_one_process_per_job(tmp_path: Path) -> None:
    assert cut(tmp_path, [job(i, batch=1) for i in range(3)]) == [[0], [1], [2]]


def test_a_target_is_made_where_its_runs_are_just_before_them(tmp_path: Path) -> None:
    jobs = [*of_one_target(job(0), job(1)), job(2), job(3)]
    assert cut(tmp_path, jobs, t0=MISSING, t3=MISSING) == [["t0", 0, 1, 2], ["t3", 3]]
    assert cut(tmp_path, jobs, n0=State("done"), t0=MISSING) == [["t0", 1, 2, 3]]
    assert cut(tmp_path, jobs, t0=State("done")) == [[0, 1, 2], [3]]


def test_runs_of_one_target_share_a_batch_wherever_they_are_in_the_sweep(tmp_path: Path) -> None:
    first, second = of_one_target(job(0), job(2)), of_one_target(job(1), job(3))
    jobs = sorted(first + second, key=lambda job: job.number)
    assert cut(tmp_path, [replace(job, batch=2) for job in jobs], t0=MISSING, t1=MISSING) == [
        ["t0", 0, 2],
        ["t1", 1, 3],
    ]


def test_runs_of_a_target_that_is_to_be_made_are_not_parted_if_a_batch_has_room_for_them(tmp_path: Path) -> None:
    jobs = [job(0), job(1), *of_one_target(job(2), job(3))]
    assert cut(tmp_path, jobs, t0=MISSING, t2=MISSING) == [["t0", 0, 1], ["t2", 2, 3]]
    assert cut(tmp_path, jobs, t0=MISSING) == [["t0", 0, 1, 2], [3]]


def test_a_target_of_several_batches_is_made_before_them(tmp_path: Path) -> None:
    jobs = [job(0), *of_one_target(*(job(number) for number in range(1, 6)))]
    assert cut(tmp_path, jobs, t0=MISSING, t1=MISSING) == [["t1"], ["t0", 0, 1, 2], [3, 4, 5]]


def test_runs_of_one_target_are_neighbours_where_sweeps_number_their_jobs_alike(tmp_path: Path) -> None:
    one, other = of_one_target(job(0), job(1)), of_one_target(job(0), job(1))
    other = [replace(job, run_id=f"{job.number + 7:012x}", target_id="f" * 12) for job in other]
    jobs = {job.run_id: replace(job, batch=2) for pair in zip(one, other, strict=True) for job in pair}
    targets = {job.target_id: job for job in jobs.values()}
    of_run, of_target = batches.make(
        tmp_path, jobs, dict.fromkeys(jobs, MISSING), targets, dict.fromkeys(targets, MISSING), RESULTS
    )
    assert all(of_run[job.run_id] == of_target[job.target_id] for job in jobs.values())
    assert len(set(of_run.values())) == 2


def test_so_is_one_that_failed_or_that_another_kind_of_process_makes(tmp_path: Path) -> None:
    failed = State("failed", note="MemoryError")
    assert cut(tmp_path, [job(0), job(1)], t0=failed, t1=MISSING) == [["t0"], [0, "t1", 1]]
    with_code = of_one_target(job(0, files=["other/model.py"]), job(1))  # whose loss is its sampler's only, say
    assert cut(tmp_path, with_code, n0=State("done"), t0=MISSING) == [["t0"], [1]]


def test_a_batch_says_what_each_job_is_given_and_which_batches_come_first(tmp_path: Path) -> None:
    jobs = of_one_target(job(0, threads=2, batch=1), job(1, threads=2, batch=1))
    target_id = jobs[0].target_id
    runs = {job.run_id: job for job in jobs}
    of_run, of_target = batches.make(
        tmp_path, runs, dict.fromkeys(runs, MISSING), {target_id: jobs[0]}, {target_id: MISSING}, RESULTS
    )
    target, run = f"results/targets/{target_id}", f"results/runs/{jobs[0].run_id}"
    found = batches.read(of_run[jobs[0].run_id])
    assert 0 <= time.time_ns() - found.pop("planned_ns") < 60e9
    assert found == {
        "threads": 2,
        "after": [of_target[target_id]],
        "members": [
            {
                "result": f"{run}/metrics_summary.csv",
                "needs": [f"{target}/target.json"],
                "arguments": ["seed=0", f"expect_id={jobs[0].run_id}", f"target={target}", f"hydra.run.dir={run}"],
            }
        ],
    }
    (member,) = batches.read(of_target[target_id])["members"]
    assert member["arguments"] == ["seed=0", f"expect_id={jobs[0].run_id}", "stage=target", f"hydra.run.dir={target}"]
    assert member["needs"] == []


def test_what_is_to_be_replaced_is_older_than_the_plan_whatever_its_date(tmp_path: Path) -> None:
    stale = job(0)
    result = tmp_path / "runs" / stale.run_id / "metrics_summary.csv"
    result.parent.mkdir(parents=True)
    result.touch()
    os.utime(result, (4e9, 4e9))  # in 2096
    of_run, _ = batches.make(tmp_path, {stale.run_id: stale}, {stale.run_id: State("stale")}, {}, {}, tmp_path)
    assert result.stat().st_mtime_ns <= batches.read(of_run[stale.run_id])["planned_ns"]
