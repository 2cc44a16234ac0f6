"""A plan says what is there, what is not, why, and what it will cost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fabricating import sweep_job, write_run

from llc import code, locks
from llc.planning import plan
from llc.planning.plan import Plan, State

CORE_S = 5.0  # of a fabricated run


def edit_record(folder: Path, **values: object) -> None:
    path = folder / "run_info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "results/runs/000000000000"
    write_run(folder, folder.name, {"nuts": 1.0})
    return folder


def test_a_whole_run_is_done_and_tells_its_cost(run: Path) -> None:
    state = plan.run_state(run, ["nuts"], keep_code=False)
    assert (state.kind, state.why, state.core_s) == ("done", (), CORE_S)
    edit_record(run, threads=3)
    assert plan.run_state(run, ["nuts"], keep_code=False).core_s == 3 * CORE_S


def test_a_run_that_never_started_is_missing_and_one_with_a_log_has_failed(tmp_path: Path) -> None:
    assert plan.run_state(tmp_path / "run", ["nuts"], keep_code=False).kind == "missing"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/snakemake.log").write_text("Traceback (most recent call last):\nMemoryError: too many draws\n")
    state = plan.run_state(tmp_path / "run", ["nuts"], keep_code=False)
    assert state.kind == "failed"
    assert "MemoryError: too many draws" in state.note
    assert str(tmp_path / "run/snakemake.log") in state.note


def test_a_run_that_a_process_is_at_work_on_is_running(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/snakemake.log").write_text("")
    with locks.alone(tmp_path / "run"):
        job = sweep_job(0)
        assert plan.run_state(tmp_path / "run", ["nuts"], keep_code=False) == State("running")
        said = plan.text(Plan("x", [job], {job.run_id: State("running")}, {}))
    assert [line.split() for line in said.splitlines()[2:4]] == [
        ["at", "work", "now", "1", "waited", "for"],
        ["to", "run", "1", "core-hours", "unknown", "until", "one", "of", "them", "is", "finished"],
    ]
    assert plan.run_state(tmp_path / "run", ["nuts"], keep_code=False).kind == "failed"


def test_a_run_of_other_code_is_stale_for_the_module_unless_it_is_kept(run: Path) -> None:
    edit_record(run, code=code.modules("run", ["nuts"]) | {"llc/posterior.py": "0" * 12})
    state = plan.run_state(run, ["nuts"], keep_code=False)
    assert (state.kind, state.causes()) == ("stale", ("llc/posterior.py",))
    kept = plan.run_state(run, ["nuts"], keep_code=True)
    assert (kept.kind, kept.why, kept.causes()) == ("done", ("llc/posterior.py",), ())


@pytest.mark.parametrize("name", ["config.yaml", "traces.nc", "run_info.json"])
@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_a_damaged_run_is_stale_and_the_file_is_named(run: Path, name: str, content: bytes | None) -> None:
    (run / name).unlink()
    if content is not None:
        (run / name).write_bytes(content)
    state = plan.run_state(run, ["nuts"], keep_code=True)
    assert (state.kind, state.causes()) == ("stale", (plan.DAMAGED,))
    assert name in state.note


@pytest.mark.parametrize("text", ["", "[]", "null", '{"code": 3, "core_s": 1}', '{"code": {}, "core_s": "x"}'])
def test_a_damaged_target_is_stale_and_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "target.npz").touch()
    (tmp_path / "target.json").write_text(text)
    state = plan.target_state(tmp_path, keep_code=True)
    assert (state.kind, state.causes()) == ("stale", (plan.DAMAGED,))
    assert "target.json" in state.note


def about_target(folder: Path, **facts: Any) -> str:
    return json.dumps({"target_id": folder.name, "code": code.modules("target"), "core_s": 2.0, **facts})


def test_a_target_without_its_weights_is_stale(tmp_path: Path) -> None:
    (tmp_path / "target.json").write_text(about_target(tmp_path))
    assert plan.target_state(tmp_path, keep_code=False).kind == "stale"
    (tmp_path / "target.npz").touch()
    made_ns = (tmp_path / "target.json").stat().st_mtime_ns
    assert plan.target_state(tmp_path, keep_code=False) == State("done", core_s=2.0, made_ns=made_ns)


def test_a_target_whose_weights_are_cut_short_is_stale(tmp_path: Path) -> None:
    (tmp_path / "target.json").write_text(about_target(tmp_path, bytes=3))
    for content, kind in (b"abc", "done"), (b"ab", "stale"):
        (tmp_path / "target.npz").write_bytes(content)
        assert plan.target_state(tmp_path, keep_code=True).kind == kind


def test_a_target_of_another_job_is_stale(tmp_path: Path) -> None:
    """As when a job by hand was told to run in its folder."""
    (tmp_path / "target.json").write_text(about_target(tmp_path, target_id="0123456789ab"))
    (tmp_path / "target.npz").touch()
    state = plan.target_state(tmp_path, keep_code=True)
    assert (state.kind, state.note) == ("stale", f"{tmp_path}/target.json: of another target, 0123456789ab")


def test_runs_whose_target_failed_have_failed_too_and_its_error_is_told_once(tmp_path: Path) -> None:
    jobs = [sweep_job(0), sweep_job(1), sweep_job(2, seed=1)]
    folder = tmp_path / "targets" / jobs[0].target_id
    folder.mkdir(parents=True)
    (folder / "snakemake.log").write_text("FloatingPointError: lower it\n")
    made = plan.make("x", jobs, tmp_path, keep_code=False)
    assert [made.runs[job.run_id].kind for job in jobs] == ["failed", "failed", "missing"]
    text = plan.text(made)
    assert text.count("FloatingPointError: lower it") == 1
    assert "failed before          2" in text


def test_what_is_asked_for_again_is_not_done_and_what_is_stale_anyway_keeps_its_cause(run: Path) -> None:
    jobs, results = [sweep_job(0)], run.parents[1]
    for again in ("run", "target"):
        assert plan.make("x", jobs, results, False, again).runs[run.name].causes() == (plan.AGAIN,)
    (run / "traces.nc").unlink()
    assert plan.make("x", jobs, results, False, "run").runs[run.name].causes() == (plan.DAMAGED,)


def test_the_counts_add_up_and_the_most_frequent_cause_is_first() -> None:
    jobs = [sweep_job(i, seed=i) for i in range(20)]
    kinds = [State("done", core_s=3.0)] * 4 + [State("stale", ("llc/a.py",))] * 2 + [State("stale", ("llc/b.py",))] * 3
    kinds += [State("failed", note=f"Error {i}") for i in range(plan.LISTED + 2)] + [State("missing")] * 4
    runs = {job.run_id: state for job, state in zip(jobs, kinds, strict=True)}
    targets = {job.target_id: State("missing" if job.seed > 17 else "done") for job in jobs[4:]}
    lines = plan.text(Plan("x", jobs, runs, targets)).splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["done", "4"], ["stale", "3"], ["stale", "2"]]
    assert lines[2].endswith("llc/b.py changed: made again")
    assert [line.split() for line in lines[4:6]] == [
        ["failed", "before", "7", "run", "again"],
        ["to", "run", "16", "about", "0.013", "core-hours,", "going", "by", "4", "finished", "runs"],
    ]
    assert lines[6].split() == ["targets", "to", "train", "2"]
    assert sum("Error" in line for line in lines) == plan.LISTED
    assert lines[-1].strip() == "… and 2 more"


def test_core_hours_go_by_the_finished_runs_that_are_most_alike() -> None:
    small, large = sweep_job(0, seed=0), replace(sweep_job(1, seed=0, n_data=10**5))
    new = [sweep_job(2, seed=1), sweep_job(3, seed=1, n_data=10**5), sweep_job(4, samplers=("sgld",))]
    runs = {small.run_id: State("done", core_s=36.0), large.run_id: State("done", core_s=3600.0)}
    runs |= {job.run_id: State("missing") for job in new}
    # As small, as large; of the third nothing is alike but the number of data.
    text = plan.text(Plan("x", [small, large, *new], runs, {}))
    assert "about 1 core-hours, going by 2 finished runs" in text
    assert "core-hours unknown" in plan.text(Plan("x", new, {job.run_id: State("missing") for job in new}, {}))
