"""How what is to do is cut into batches."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_plan import sweep_job

from llc import batches
from llc.plan import State
from llc.sweep import SweepJob

RESULTS = Path("results")
MISSING = State("missing")


def job(number: int, batch: int = 3, **values: Any) -> SweepJob:
    return replace(sweep_job(number, seed=number), batch=batch, **values)


def cut(folder: Path, jobs: list[SweepJob], **states: State) -> list[list[str]]:
    """Return the numbers of the jobs of each batch."""
    by_id = {job.run_id: job for job in jobs}
    made = batches.make(folder, "run", by_id, {i: states.get(f"n{by_id[i].number}", MISSING) for i in by_id}, RESULTS)
    members = {batch: batches.read(batch)["members"] for batch in made.values()}
    for run_id, batch in made.items():
        assert f"results/runs/{run_id}/metrics_summary.csv" in [member["result"] for member in members[batch]]
    ids = {batch: [member["result"].split("/")[2] for member in members[batch]] for batch in members}
    return [[int(run_id, 16) for run_id in ids[batch]] for batch in sorted(ids, key=numbered)]


def numbered(batch: str) -> int:
    return int(batch.rsplit("-", 1)[1])


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


def test_a_batch_says_what_each_job_is_given_and_which_batches_come_first(tmp_path: Path) -> None:
    jobs = [job(0, threads=2), job(1, threads=2)]
    target_ids = [job.target_id for job in jobs]
    of_target = batches.make(
        tmp_path, "target", dict(zip(target_ids, jobs, strict=True)), {target_ids[0]: MISSING}, RESULTS
    )
    of_run = batches.make(
        tmp_path, "run", {job.run_id: job for job in jobs}, {job.run_id: MISSING for job in jobs}, RESULTS, of_target
    )
    assert list(of_target) == target_ids[:1]
    (batch,) = set(of_run.values())
    target = f"results/targets/{target_ids[0]}"
    run = f"results/runs/{jobs[0].run_id}"
    found = batches.read(batch)
    assert (found["threads"], found["after"]) == (2, [of_target[target_ids[0]]])
    assert found["members"][0] == {
        "result": f"{run}/metrics_summary.csv",
        "needs": [f"{target}/target.json"],
        "arguments": ["seed=0", f"expect_id={jobs[0].run_id}", f"target={target}", f"hydra.run.dir={run}"],
    }
    (member,) = json.loads(Path(f"{of_target[target_ids[0]]}.json").read_text())["members"]
    assert member["arguments"] == ["seed=0", f"expect_id={jobs[0].run_id}", "stage=target", f"hydra.run.dir={target}"]
    assert member["needs"] == []
