"""The workflow, run by the real Snakemake in a copy of the project."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from browsing import opened
from killing import jobs_of
from projects import Project


def made(project: Project) -> dict[str, int]:
    """Return when each run was made, by run id."""
    return {p.parent.name: p.stat().st_mtime_ns for p in project.folder.glob("results/runs/*/metrics_summary.csv")}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose sweep ``one``, two step sizes × one seed, has been run."""
    project = Project(tmp_path_factory.mktemp("project"), figures=True)
    project.sweep("one", sampler__sgld__step_size="1e-5,2e-5")
    done = project.snakemake("one")
    assert done.returncode == 0, done.stderr
    return project


def test_a_sweep_makes_a_table_with_a_row_per_job(project: Project) -> None:
    table = project.table("one")
    front = ["job_id", "run_id", "sampler.sgld.step_size", "n_data", "target_params", "seed"]
    assert list(table)[:7] == [*front, "sgld_llc_mean"]
    assert list(table["sampler.sgld.step_size"]) == [1e-5, 2e-5]
    assert table["sgld_llc_mean"].notna().all()
    assert len(project.table("one", "failures.csv")) == 0
    assert len(project.table("one", "estimates.csv")) == 2
    assert list(project.table("one", "jobs.csv")["job_id"]) == [0, 1]


def test_a_report_is_one_page_with_the_figures_their_captions_and_the_page_of_the_sweep(project: Project) -> None:
    sweep = project.folder / "results/sweeps/one"
    assert {path.suffix for path in sweep.glob("figures/along/sampler*")} == {".pdf", ".svg"}
    done = project.snakemake("one", arguments=["--report", "report.html"])
    assert done.returncode == 0, done.stderr
    with opened(project.folder / "report.html") as page:
        page.get_by_role("link", name="Results").click()
        page.get_by_text("one", exact=True).click()
        rows = page.locator("table tbody tr")
        assert [row.strip() for row in rows.all_inner_texts()] == [
            "all on one page, with every run",
            "diagnostics: convergence",
            "traces: loss",
            "λ̂ against sampler.sgld.step_size",
        ]
        rows.nth(3).locator("a").first.click()  # show it
        page.wait_for_function(
            "[...document.images].some((i) => i.src.startsWith('data:image/svg') && i.naturalWidth > 300)"
        )
        rows.nth(0).locator("a").first.click()
        frame = page.frame_locator("iframe")
        frame.get_by_text("1 / 1").wait_for()
        assert frame.locator("#table tbody tr.job").count() == 2
        rows.nth(3).locator("a").nth(1).click()  # tell of it
        assert "A point is one estimate" in page.locator("body").inner_text()


def test_one_target_is_trained_once_and_shared(project: Project) -> None:
    targets = set(project.table("one", "jobs.csv")["target_id"])
    assert len(targets) == 1
    (target,) = targets
    for run_id in project.table("one")["run_id"]:
        run = project.folder / "results/runs" / run_id
        assert json.loads((run / "run_info.json").read_text())["target_id"] == target
        assert not (run / "target.npz").exists()


def test_a_finished_sweep_has_nothing_to_do(project: Project) -> None:
    again = project.snakemake("one")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stderr + again.stdout


def test_a_csv_of_jobs_shares_its_runs_with_a_grid(project: Project) -> None:
    keys = ["training", "sampler.names", "sampler.sgld.warmup", "sampler.sgld.draws", "sampler.sgld.thin"]
    header = ",".join([*keys, "sampler.sgld.chains", "sampler.sgld.step_size", "seed"])
    rows = ["truth,[sgld],50,40,2,2,1e-5,", "truth,[sgld],50,40,2,2,2e-5,0"]
    (project.folder / "conf/sweep/points.csv").write_text("\n".join([header, *rows]) + "\n")
    assert project.planned("points") == {"jobs": 1, "summary": 1, "figures": 1}


def test_a_sweep_that_is_edited_while_it_runs_is_finished_as_it_was_planned(project: Project) -> None:
    project.sweep("edited", sampler__sgld__step_size="1e-5,2e-5")
    command = ["snakemake", "--cores", "1", "--until", "summary", "--config", "sweep=edited"]
    with subprocess.Popen(command, cwd=project.folder, env=project.env, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        said = ""
        for line in running.stderr:
            said += line
            if line.startswith("sweep edited: 2 jobs"):  # before any job starts
                project.sweep("edited", sampler__sgld__step_size="1e-5,2e-5,3e-5")
    assert running.returncode == 0, said
    assert len(project.table("edited")) == len(project.table("edited", "jobs.csv")) == 2


def test_plain_hydra_runs_the_same_jobs_with_the_same_numbers(project: Project) -> None:
    done = project.command(sys.executable, "train.py", "-m", "+sweep=one")
    assert done.returncode == 0, done.stderr
    (folder,) = project.folder.glob("multirun/*/*")
    script = f"from llc.summary import aggregate_results as a; a({str(folder)!r}).to_csv('plain.csv', index=False)"
    assert project.command(sys.executable, "-c", script).returncode == 0
    plain, table = pd.read_csv(project.folder / "plain.csv", dtype={"run_id": str}), project.table("one")
    assert list(plain["run_id"]) == list(table["run_id"])
    assert list(plain["sgld_llc_mean"]) == list(table["sgld_llc_mean"])


def test_a_job_that_fails_fails_alone_and_alone_runs_again(project: Project) -> None:
    project.sweep("not whole", training="fast", training__learning_rate="1e-2,1e25", sampler__sgld__step_size="6e-5")
    failed = project.snakemake("not whole")
    assert failed.returncode == 1
    failures = project.table("not whole", "failures.csv")
    assert len(failures) == 1
    assert failures.loc[0, "reason"].startswith("FloatingPointError: training.learning_rate=1e+25")
    assert (project.folder / failures.loc[0, "log"]).exists()
    assert not (project.folder / "results/sweeps/not whole/summary.csv").exists()
    assert "failed, and 1 run with it: FloatingPointError" in failed.stderr
    assert "sweep not whole: runs 1 made, 0 reused, 1 failed" in failed.stderr
    planned, text = project.plan("not whole")
    assert "failed before          1   run again" in text
    assert "FloatingPointError: training.learning_rate=1e+25" in text
    assert {rule: planned[rule] for rule in ("target", "run", "summary")} == {"target": 1, "run": 1, "summary": 1}


def test_a_killed_job_fails_alone_and_alone_runs_again(project: Project) -> None:
    project.sweep("killed", sampler__sgld__step_size="3e-5,4e-5")
    jobs = project.snakemake("killed", arguments=["-n", "-p"]).stdout
    victim = next(word for word in jobs.split() if word.startswith("hydra.run.dir=results/runs/"))
    command = ["snakemake", "--cores", "2", "--config", "sweep=killed"]
    with (project.folder / "killed.log").open("w") as log:
        running = subprocess.Popen(command, cwd=project.folder, env=project.env, stdout=log, stderr=log)
        while running.poll() is None:
            for pid in jobs_of(project, victim):
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
    assert running.returncode == 1
    failures = project.table("killed", "failures.csv")
    assert list("hydra.run.dir=results/runs/" + failures["run_id"]) == [victim]
    assert "killed" in failures.loc[0, "reason"]
    before = made(project)
    assert Project.at(project.folder, figures=False).snakemake("killed").returncode == 0
    assert set(made(project)) - set(before) == {Path(victim).name}
    assert {run: at for run, at in made(project).items() if run in before} == before
    assert len(project.table("killed")) == 2
    assert len(project.table("killed", "failures.csv")) == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sampler__sgld__step_sise": "1,2"}, "did you mean sampler.sgld.step_size?"),
        ({"sampler__sgld__step_size": "1e-5,-1"}, "sampler.sgld.step_size=-1.0: must be auto, or a number above 0"),
        ({"seed": "0,0"}, "the same job as"),
        ({"seed": "range(5,5)"}, "no values"),
    ],
)
def test_a_wrong_sweep_is_one_error_before_any_job(project: Project, params: dict[str, str], message: str) -> None:
    project.sweep("wrong", **params)
    done = project.snakemake("wrong")
    assert done.returncode == 1
    assert "conf/sweep/wrong.yaml" in done.stderr
    assert message in done.stderr
    assert not (project.folder / "results/sweeps/wrong").exists()


@pytest.mark.parametrize("batch", ["1", "2"])
def test_a_project_in_a_folder_with_a_space_runs_from_another(tmp_path: Path, batch: str) -> None:
    here, there = tmp_path / "my project", tmp_path / "work"
    for folder in (here, there):
        folder.mkdir()
    project = Project(here)
    project.sweep("one", seed="0,1")
    file = ["--snakefile", "../my project/Snakefile", "--cores", "1", "--until", "target"]
    project.folder = there
    done = project.command("snakemake", *file, "--config", "sweep=one", f"batch={batch}")
    assert done.returncode == 0, done.stderr
    assert len(list(there.glob("results/targets/*/target.json"))) == 2


def test_a_project_in_a_folder_with_braces_is_told_to_move(tmp_path: Path) -> None:
    (tmp_path / "a{b}").mkdir()
    done = Project(tmp_path / "a{b}").snakemake("digits", arguments=["-n"])
    assert done.returncode == 1
    assert "braces in the path of a workflow are names; move the project" in done.stdout + done.stderr
    assert "NameError" not in done.stdout + done.stderr


def test_an_unknown_sweep_or_setting_is_an_error_that_helps(project: Project) -> None:
    assert "did you mean one?" in project.snakemake("onee").stderr
    assert "the only keys are sweep=NAME" in project.command("snakemake", "-n", "--config", "swep=two").stdout
    asked = project.snakemake("one", arguments=["-n", "results/sweeps/two/summary.csv"])
    assert "two: of no sweep that was asked for, which are one; name its own" in asked.stdout + asked.stderr
