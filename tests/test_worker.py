"""Jobs that share a process: each fails, and is logged, as if it were alone; and the numbers are the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pandas as pd
import pytest
from killing import tables
from projects import Project

from llc import worker

TRAIN = """\
import atexit, os, signal, sys

def late():
    atexit.register(print, "bye\\nbye\\nbye")
    raise KeyboardInterrupt

def forked():
    if os.fork() == 0:
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)

print(os.getpid(), *sys.argv[1:], flush=True)
{
    "well": lambda: None,
    "raise": lambda: 1 / 0,
    "exit": lambda: sys.exit("train.py: wrong"),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "late": late,
    "forked": forked,
    "below": lambda: os.system("echo from below"),
    "moved": lambda: (os.chdir("/"), print(os.path.abspath(__file__))),
}[sys.argv[1]]()
print("end")
"""


def write(folder: Path, *whats: str, needs: tuple[str, ...] = ()) -> None:
    """Write a batch of such jobs."""
    (folder / "train.py").write_text(TRAIN)
    members: list[dict[str, Any]] = [
        {"result": f"{i}/result", "needs": list(needs) if what == "well" else [], "arguments": [what]}
        for i, what in enumerate(whats)
    ]
    (folder / "batch.json").write_text(json.dumps({"members": members, "planned_ns": time.time_ns()}))


def run(folder: Path, *whats: str, needs: tuple[str, ...] = ()) -> list[list[str]]:
    """Return the lines of the log of each job of a batch."""
    write(folder, *whats, needs=needs)
    command = [sys.executable, "-m", "llc.worker", "train.py", "batch.json", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "bye\n" * 3 * whats.count("late")
    logs = [folder / f"{i}/snakemake.log" for i in range(len(whats))]
    return [log.read_text().splitlines() if log.exists() else [] for log in logs]


def test_jobs_of_a_batch_share_a_process_and_have_their_own_logs(tmp_path: Path) -> None:
    first, second, third = run(tmp_path, "well", "below", "well")
    pid = first[0].split()[0]
    assert first == [f"{pid} well threads=1", "end"]
    assert second == [f"{pid} below threads=1", "from below", "end"]
    assert third == first


def test_a_job_knows_where_it_is_when_hydra_has_gone_to_its_folder(tmp_path: Path) -> None:
    """``train.py`` keeps what is compiled beside itself: it was in the folder of the first job of each batch."""
    _, moved, well = run(tmp_path, "well", "moved", "well")
    assert moved[1] == str(tmp_path / "train.py")
    assert well[-1] == "end"


def test_a_job_that_fails_leaves_its_log_and_the_next_goes_on_in_the_same_process(tmp_path: Path) -> None:
    raised, exited, well = run(tmp_path, "raise", "exit", "well")
    assert raised[-1] == "ZeroDivisionError: division by zero"
    assert exited[-1] == "train.py: wrong"
    assert len({log[0].split()[0] for log in (raised, exited, well)}) == 1
    assert well[-1] == "end"


def test_a_job_that_takes_its_process_down_gets_one_of_its_own_and_the_others_go_on(tmp_path: Path) -> None:
    logs = run(tmp_path, "well", "kill", "well", "well")
    first, killed, third, fourth = (log[0].split()[0] for log in logs)
    assert [log[-1] == "end" for log in logs] == [True, False, True, True]
    assert len({first, killed, third}) == 3
    assert third == fourth


def test_a_batch_does_not_wait_for_processes_that_a_job_has_left(tmp_path: Path) -> None:
    write(tmp_path, "forked", "well")
    command = [sys.executable, "-m", "llc.worker", "train.py", "batch.json", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=DEVNULL, start_new_session=True) as work:
        try:
            assert work.wait(timeout=60.0) == 0
        finally:
            os.killpg(work.pid, signal.SIGKILL)
    assert (tmp_path / "1/snakemake.log").read_text().endswith("end\n")


def test_what_a_process_prints_when_it_ends_is_not_taken_for_jobs_that_are_done(tmp_path: Path) -> None:
    late, *well = run(tmp_path, "late", "well", "well")
    assert late[-1] != "end"
    assert [log[-1:] for log in well] == [["end"], ["end"]]


def test_a_result_that_was_to_be_replaced_does_not_pass_for_the_one_of_a_job_that_fails(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}").mkdir()
        (tmp_path / f"{i}/result").touch()
    run(tmp_path, "kill", "exit", "kill", "well", needs=(str(tmp_path / "gone.json"),))
    assert [(tmp_path / f"{i}/result").exists() for i in range(4)] == [False, False, False, True]  # not started


def test_what_another_batch_has_made_since_the_plan_stands(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / f"{i}").mkdir()
        (tmp_path / f"{i}/result").touch()
        os.utime(tmp_path / f"{i}/result", ns=(2**62, 2**62))
    exited, made, well = run(tmp_path, "exit", "well", "well")
    assert (exited, made, well[-1]) == ([], [], "end")
    assert all((tmp_path / f"{i}/result").exists() for i in range(2))


def test_nor_where_no_worker_can_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, file = tmp_path / "result", tmp_path / "batch.json"
    result.touch()
    file.write_text(
        json.dumps({"members": [{"result": str(result), "needs": [], "arguments": []}], "planned_ns": 2**62})
    )
    monkeypatch.setattr(sys, "executable", "false")
    monkeypatch.setattr(sys, "argv", ["batch", "train.py", str(file), "1"])
    worker.main()
    assert not result.exists()


def test_a_job_whose_target_is_not_there_does_not_start(tmp_path: Path) -> None:
    assert run(tmp_path, "well", "exit", needs=(str(tmp_path / "gone.json"),))[0] == []
    assert run(tmp_path, "well", needs=(str(tmp_path / "train.py"),))[0][-1] == "end"


def saved_by_hydra(project: Project) -> dict[str, str]:
    """Return what is in the ``.hydra`` folders of the runs of the sweep ``good`` and of their targets."""
    jobs = pd.read_csv(project.folder / "results/sweeps/good/jobs.csv")
    folders = [*("runs/" + jobs["run_id"]), *("targets/" + jobs["target_id"])]
    files = [f"{folder}/.hydra/{name}.yaml" for folder in folders for name in ("config", "hydra", "overrides")]
    return {file: (project.folder / "results" / file).read_text() for file in files}


def test_a_sweep_in_batches_gives_the_same_numbers_and_fails_job_by_job(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.sweep("good", precision="float32,float64", training="fast")
    project.sweep("all", precision="float32,float64", training="fast", training__learning_rate="1e-2,1e20")
    after = {"jobs": 1, "summary": 1}
    planned, text = project.plan("all", "batch=3", arguments=["-n", "-p"])
    assert planned == {"batch": 2, "target": 4, "run": 4, **after}
    assert text.count("by itself: python train.py +sweep=all") == 8  # as one would start it by hand
    done = project.snakemake("all", "batch=3", arguments=["--until", "run"])
    assert done.returncode == 1
    assert "runs 3 made, 0 reused, 1 failed" in done.stderr
    assert "training.learning_rate=1e+20: training left the finite numbers" in done.stderr
    for name in ("config.yaml", "metrics_summary.csv", "traces.nc", "run_info.json", "train.log", ".hydra/config.yaml"):
        assert len(list(project.folder.glob(f"results/runs/*/{name}"))) == 3
    assert project.planned("all", "batch=3") == {"batch": 2, "target": 1, "run": 1, **after}
    assert project.planned("good", "batch=3") == after
    project.reset()
    assert project.snakemake("good", "batch=3").returncode == 0
    together, saved = tables(project, "good"), saved_by_hydra(project)
    project.reset()
    assert project.snakemake("good").returncode == 0
    alone = tables(project, "good")
    assert saved == saved_by_hydra(project)
    assert together[0] == alone[0]
    pd.testing.assert_frame_equal(together[1], alone[1], check_exact=True)
