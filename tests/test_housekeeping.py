"""Nothing is deleted that a sweep needs, and nothing without being asked; an archive stands alone."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from fabricating import write_run
from projects import Project

from llc import housekeeping, locks, summary
from llc.config import ConfigError
from llc.sweeps import sweep, sweepjob

ORPHAN = "0123456789ab"
OUTSIDE = "not in it, because it is outside the project: "
MINE = """\
import jax.numpy as jnp
from parts import width

def net():
    def init(key, x):
        return {"a": jnp.ones((x.shape[1], width)), "b": jnp.ones((width, 1))}
    return init, lambda params, x: x @ params["a"] @ params["b"]
"""


def finish(name: str) -> None:
    """Write the runs and the tables of a sweep."""
    jobs = sweep.load(name, Path("conf"), Path.cwd())
    for job in jobs:
        write_run(Path("results/runs", job.run_id), job.run_id, {"sgld": 1.0})
    folder = Path("results/sweeps", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs.csv").write_text(sweepjob.table(jobs))
    summary.write_summary(folder)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with the runs of sweep ``two`` and of ``gone``, one that no sweep has, and no other sweep."""
    project = Project(tmp_path, figures=True)
    for path in (tmp_path / "conf/sweep").iterdir():
        path.unlink()
    monkeypatch.chdir(tmp_path)
    for name, seeds in (("two", "0,1"), ("gone", "7")):
        project.sweep(name, seed=seeds)
        finish(name)
    (tmp_path / "conf/sweep/gone.yaml").unlink()
    write_run(tmp_path / "results/runs" / ORPHAN, ORPHAN, {"sgld": 1.0})
    (tmp_path / "results/targets" / ORPHAN).mkdir(parents=True)
    (tmp_path / "results/runs/notes").mkdir()
    return project


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str, answer: str | None = None) -> None:
    monkeypatch.setattr(sys, "argv", ["housekeeping", *arguments])

    def reply(_: str) -> str:
        assert answer is not None, "it asked"
        return answer

    monkeypatch.setattr("builtins.input", reply)
    housekeeping.main()


def runs() -> set[str]:
    return {path.name for path in Path("results/runs").iterdir()}


def test_the_list_has_sizes_and_what_no_sweep_refers_to(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, "list")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["runs", "4"]  # the folder "notes" is none
    assert "no sweep refers to 1" in lines[0]
    assert lines[1].split()[:2] == ["targets", "1"]
    assert [line.split()[0] for line in lines[3:]] == [f"results/runs/{ORPHAN}", f"results/targets/{ORPHAN}"]
    assert lines[4].endswith("incomplete")


def test_a_list_that_nobody_reads_to_its_end_ends_quietly(project: Project) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    listing = [sys.executable, "-m", "llc.housekeeping", "list"]
    done = subprocess.run(listing, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")
    size = sum(path.stat().st_size for path in Path("results/runs", ORPHAN).iterdir())
    kept = {k.path.name: k for k in housekeeping.inventory(Path.cwd()) if k.kind == "runs"}
    assert (kept[ORPHAN].size, kept[ORPHAN].needed, kept[ORPHAN].complete) == (size, False, True)


def test_nothing_is_deleted_unless_the_answer_is_yes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = runs()
    for answer in ("n", "", "yess"):
        with pytest.raises(SystemExit, match="nothing was deleted"):
            command(monkeypatch, "delete", answer=answer)
    assert runs() == before
    command(monkeypatch, "delete", answer="y")
    assert runs() == before - {ORPHAN}
    assert not Path("results/targets", ORPHAN).exists()
    command(monkeypatch, "delete")  # nothing is left to ask about


def test_a_script_can_delete_without_being_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = runs()
    command(monkeypatch, "delete", "--yes")
    assert runs() == before - {ORPHAN}


def test_the_targets_of_finished_runs_are_kept_where_the_sweep_has_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are once it got more checkpoints."""
    jobs = sweep.load("two", Path("conf"), Path.cwd())
    write_run(Path("results/runs", jobs[0].run_id), jobs[0].run_id, {"sgld": 1.0}, target_id="fedcba987654")
    target = Path("results/targets/fedcba987654")
    target.mkdir()
    summary.write_summary(Path("results/sweeps/two"))
    housekeeping.archive(Path.cwd(), "two", Path("two.tar.gz"))
    with tarfile.open("two.tar.gz") as tar:
        assert f"two/{target}" in tar.getnames()
    command(monkeypatch, "delete", "--yes")
    assert target.exists()


def test_of_a_run_that_is_a_link_it_is_the_link_that_is_deleted(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / ORPHAN
    shutil.move(Path("results/runs", ORPHAN), elsewhere)
    Path("results/runs", ORPHAN).symlink_to(elsewhere)
    command(monkeypatch, "delete", "--yes")
    assert ORPHAN not in runs()
    assert (elsewhere / "metrics_summary.csv").exists()


def test_nothing_is_deleted_while_a_snakemake_is_at_work(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, _ = locks.enter(Path(".cache/snakemake.lock"), Path(".snakemake/locks"))
    with lock, pytest.raises(SystemExit, match="a snakemake is at work here"):
        command(monkeypatch, "delete", "--yes")
    assert ORPHAN in runs()


def test_nothing_is_deleted_when_a_sweep_cannot_be_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("conf/sweep/broken.yaml").write_text("# @package _global_\nhydra: {sweeper: {params: {sead: 1}}}\n")
    with pytest.raises(SystemExit, match=r"broken\.yaml: .*did you mean seed"):
        command(monkeypatch, "delete", "--yes")
    assert ORPHAN in runs()


def test_nothing_is_deleted_when_a_list_of_jobs_cannot_be_read(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("results/sweeps/gone/jobs.csv").write_bytes(b"")
    with pytest.raises(SystemExit, match=r"gone/jobs\.csv: damaged"):
        command(monkeypatch, "delete", "--yes")
    assert ORPHAN in runs()


def test_what_is_no_file_is_no_sweep(project: Project) -> None:
    Path("conf/sweep/folder.yaml").mkdir()
    Path("conf/sweep/.#two.yaml").symlink_to("someone@somewhere")  # an editor's lock
    assert sweep.names(Path("conf")) == ["two"]


def test_it_is_started_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"has no conf/sweep/; start this in the project's folder"):
        command(monkeypatch, "list")


def test_an_unfinished_sweep_is_not_archived(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sweep("two", seed="0,1,2")
    with pytest.raises(SystemExit, match="sweep=two: 1 jobs to run, then the tables; finish it first"):
        command(monkeypatch, "archive", "two")
    assert not Path("two.tar.gz").exists()


def test_a_sweep_with_tables_of_other_jobs_is_not_archived(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.sweep("two", seed="1,0")  # the same runs by other numbers
    with pytest.raises(SystemExit, match="sweep=two: 0 jobs to run, then the tables; finish it first"):
        command(monkeypatch, "archive", "two")


def test_data_are_in_the_archive_or_named(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "far.npz"
    for number, path in enumerate((Path("near.npz"), outside)):
        np.savez(path, x=np.ones((4, 2)), y=np.full(4, float(number)))
        project.sweep(
            f"data{number}", training="fast", data="npz", data__path=str(path), loss="optax.losses.squared_error"
        )
        finish(f"data{number}")
    file = Path("data.tar.gz")
    assert housekeeping.archive(Path.cwd(), "data0", file) == []
    with tarfile.open(file) as tar:
        assert "data0/near.npz" in tar.getnames()
    assert housekeeping.archive(Path.cwd(), "data1", file) == [f"{OUTSIDE}{outside}"]
    Path("near.npz").unlink()
    Path("near.npz").symlink_to(outside)
    finish("data0")
    assert housekeeping.archive(Path.cwd(), "data0", file) == [f"{OUTSIDE}{Path.cwd() / 'near.npz'}"]
    with pytest.raises(ConfigError, match="did you mean data0"):
        housekeeping.archive(Path.cwd(), "dat0", file)


def test_an_archive_of_a_sweep_has_nothing_left_to_do(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    project = Project(tmp_path, figures=True)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "parts.py").write_text("import optax\nwidth = 2\n")
    for name in ("near.npz", "beside.npz"):
        np.savez(tmp_path / name, x=np.eye(3), y=np.arange(3.0))
    files = {"training": "fast", "data": "npz", "data__path": "near.npz", "+evaluate__beside": "beside.npz"}
    project.sweep("one", seed="3", model="own", model___target_="mine.net", **files)
    assert project.snakemake("one").returncode == 0
    made = project.command(sys.executable, "-m", "llc.housekeeping", "archive", "one")
    assert made.returncode == 0, made.stderr
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with tarfile.open(tmp_path / "one.tar.gz") as tar:
        names = tar.getnames()
        tar.extractall(elsewhere, filter="data")
    assert all(name == "one" or name.startswith("one/") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".lock")]
    unpacked = Project.at(elsewhere / "one")
    assert unpacked.planned("one") == {}
    assert unpacked.table("one").equals(project.table("one"))
