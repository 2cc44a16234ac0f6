"""Sweeps that are killed at random moments and resumed, until the table is there."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
from projects import Project

KINDS = ("job", "snakemake", "group")


def jobs_of(project: Project, *having: str) -> list[int]:
    """Return the processes of jobs that run in a project; those with all these words, where there are any.

    In that project alone: a test beside this one may be making a run of the same id.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            words = (process / "cmdline").read_text().split("\0")
            here = words[1:2] == ["train.py"] and (process / "cwd").resolve().is_relative_to(project.folder)
            if here and set(having) <= set(words):
                found.append(int(process.name))
    return sorted(found)


def tables(project: Project, sweep: str) -> tuple[str, pd.DataFrame]:
    """Return the summary as it is, and the estimates without their timings."""
    estimates = project.table(sweep, "estimates.csv")
    timings = [column for column in estimates if column.startswith("time_")]
    summary = (project.folder / f"results/sweeps/{sweep}/summary.csv").read_text()
    return summary, estimates.drop(columns=timings)


def attempt(project: Project, sweep: str, kind: str, rng: random.Random, within_s: float) -> bool:
    """Start a sweep, kill a job, Snakemake or all of them after a while; return whether there was one to kill."""
    command = ["snakemake", "--cores", "2", "--config", f"sweep={sweep}"]
    with (project.folder / "attempt.log").open("a") as log:
        running = subprocess.Popen(
            command, cwd=project.folder, env=project.env, stdout=log, stderr=log, start_new_session=True
        )
        until = time.monotonic() + rng.uniform(0, within_s)
        while time.monotonic() < until and running.poll() is None:
            time.sleep(0.01)
        killed = False
        if kind == "job":
            jobs = jobs_of(project)
            while not jobs and running.poll() is None:
                jobs = jobs_of(project)
            with suppress(ProcessLookupError, IndexError):
                os.kill(rng.choice(jobs), signal.SIGKILL)
                killed = True
        elif running.poll() is None:
            with suppress(ProcessLookupError):
                (os.kill if kind == "snakemake" else os.killpg)(running.pid, signal.SIGKILL)
                killed = True
        running.wait()
    return killed


def survive(project: Project, sweep: str, kills: int, seed: int, within_s: float) -> tuple[int, int]:
    """Kill and resume a sweep; return how many kills there were and how often the whole sweep was made.

    Each time it is finished its tables are compared with those of the sweep undisturbed, and it
    starts again from nothing.
    """
    print(f"random seed {seed}")
    rng = random.Random(seed)
    done = project.snakemake(sweep)
    assert done.returncode == 0, done.stderr
    expected = tables(project, sweep)
    made, rounds = 0, 0
    while made < kills:
        project.reset()
        rounds += 1
        finished = False
        while not finished and made < kills:
            made += attempt(project, sweep, KINDS[made % len(KINDS)], rng, within_s)
            finished = (project.folder / f"results/sweeps/{sweep}/summary.csv").exists()
        done = project.snakemake(sweep)
        assert done.returncode == 0, done.stderr
        summary, estimates = tables(project, sweep)
        assert summary == expected[0]
        pd.testing.assert_frame_equal(estimates, expected[1], check_exact=True)
        assert not project.planned(sweep)
    return made, rounds
