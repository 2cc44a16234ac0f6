"""What goes wrong on real machines: nothing finished is lost, nothing half-written is taken for whole."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import jobs_of, survive
from projects import Project

from llc import locks


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose sweep ``three`` is finished."""
    project = Project(tmp_path_factory.mktemp("faults"))
    project.sweep("three", sampler__sgld__step_size="1e-5,2e-5,3e-5")
    done = project.snakemake("three")
    assert done.returncode == 0, done.stderr
    return project


def runs(project: Project) -> list[Path]:
    return [project.folder / "results/runs" / run_id for run_id in project.table("three")["run_id"]]


def test_a_sweep_survives_kills_of_a_job_of_snakemake_and_of_all(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.sweep("two", posterior__gamma="1,2")
    assert survive(project, "two", kills=3, seed=1, within_s=4.0)[0] == 3


def test_a_hand_edited_result_is_refused_by_name_and_made_again_once_it_is_deleted(project: Project) -> None:
    before = project.table("three")
    file = runs(project)[1] / "metrics_summary.csv"
    file.write_text(file.read_text().replace("not_converged", "ok,convergedd")[:-1] + "\n")
    edited = file.read_text()
    done = project.snakemake("three")
    assert done.returncode == 1
    assert f"metrics_summary.csv: edited since the run wrote it; delete results/runs/{file.parent.name}" in done.stderr
    assert file.read_text() == edited  # it is the user's to delete
    file.unlink()
    assert project.snakemake("three").returncode == 0
    assert project.table("three").equals(before)


def test_a_damaged_run_is_made_again_and_the_others_stand(project: Project) -> None:
    before = {run: (run / "metrics_summary.csv").stat().st_mtime_ns for run in runs(project)}
    victim = runs(project)[2]
    (victim / "traces.nc").write_bytes(b"")
    done = project.snakemake("three")
    assert done.returncode == 0
    assert "cut short or edited: 0 bytes" in done.stderr
    assert (victim / "traces.nc").stat().st_size > 0
    changed = [run for run in runs(project) if (run / "metrics_summary.csv").stat().st_mtime_ns != before[run]]
    assert changed == [victim]


def test_a_disk_that_is_full_stops_the_job_and_leaves_nothing_half_written(project: Project) -> None:
    victim = runs(project)[0]
    (victim / "metrics_summary.csv").unlink()
    # No file may be longer than 12 kB, which the traces are.
    full = project.command("bash", "-c", "ulimit -f 12; snakemake --cores 1 --config sweep=three")
    assert full.returncode == 1
    assert not (victim / "metrics_summary.csv").exists()
    assert "File too large" in (victim / "snakemake.log").read_text()
    assert list(project.table("three", "failures.csv")["run_id"]) == [victim.name]
    assert project.planned("three") == {"run": 1, "summary": 1}
    assert project.snakemake("three").returncode == 0
    assert not list(victim.glob(".*.part*"))


def test_a_folder_that_cannot_be_written_to_is_one_clear_error(project: Project) -> None:
    cache, aside = project.folder / ".cache", project.folder / "aside"
    cache.rename(aside)
    cache.touch()
    done = project.snakemake("three")
    cache.unlink()
    aside.rename(cache)
    assert done.returncode == 1
    assert ".cache: File exists; even a plan writes to .cache/" in done.stdout + done.stderr
    assert "work in a copy of the project that you may write to" in done.stdout + done.stderr


def test_two_snakemakes_at_once_do_not_make_a_result_twice(project: Project) -> None:
    project.sweep("both", sampler__sgld__step_size="1e-5", seed="7")
    command = ["snakemake", "--cores", "1", "--config", "sweep=both"]
    with (project.folder / "first.log").open("w") as log:
        first = subprocess.Popen(command, cwd=project.folder, env=project.env, stdout=log, stderr=log)
        while not jobs_of(project):
            assert first.poll() is None
            time.sleep(0.05)
        second = project.snakemake("both")
        assert first.wait() == 0
    assert second.returncode == 1
    assert "another snakemake is at work here" in second.stderr
    assert len(project.table("both")) == 1
    assert project.planned("both") == {}


def test_partial_tables_have_what_is_there_and_name_what_is_missing(project: Project) -> None:
    project.sweep("three", sampler__sgld__step_size="1e-5,2e-5,3e-5,4e-5")
    done = project.snakemake("three", "partial=true")
    assert done.returncode == 0, done.stderr
    assert "1 jobs without a result" in done.stderr
    assert len(project.table("three", "partial/summary.csv")) == 3
    assert list(project.table("three", "partial/failures.csv")["reason"]) == ["not started"]
    assert len(project.table("three")) == 3  # the table that was there
    assert project.planned("three") == {"run": 1, "summary": 1}
    project.sweep("three", sampler__sgld__step_size="1e-5,2e-5,3e-5")
    assert project.snakemake("three").returncode == 0


def test_several_sweeps_in_one_command_share_their_runs(project: Project) -> None:
    project.sweep("more", sampler__sgld__step_size="2e-5,3e-5", seed="0,3")
    project.sweep("other", sampler__sgld__step_size="3e-5", seed="3")
    assert project.planned("more,other,three") == {"jobs": 2, "target": 1, "run": 2, "summary": 2}
    before = {run: (run / "metrics_summary.csv").stat().st_mtime_ns for run in runs(project)}
    assert project.snakemake("more,other,three").returncode == 0
    assert {run: (run / "metrics_summary.csv").stat().st_mtime_ns for run in runs(project)} == before
    assert [len(project.table(name)) for name in ("more", "other", "three")] == [4, 1, 3]
    assert project.planned("more,other,three") == {}


def test_a_job_waits_for_an_orphan_of_the_same_run_and_takes_its_result(tmp_path: Path) -> None:
    budget = ["training=fast", "sampler.names=[sgld]", "sampler.sgld.warmup=50", "sampler.sgld.draws=40"]
    command = [sys.executable, str(Path(__file__).parents[1] / "train.py"), *budget, "hydra.run.dir=run"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    made = (tmp_path / "run/metrics_summary.csv").stat().st_mtime_ns
    with locks.alone(tmp_path / "run"):  # as an orphan that is about to end
        job = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert job.stdout is not None
        while "another process is at work here; waiting for it" not in job.stdout.readline():
            assert job.poll() is None
    assert "another process has made it meanwhile" in job.communicate()[0]
    assert job.returncode == 0
    assert (tmp_path / "run/metrics_summary.csv").stat().st_mtime_ns == made
