"""What planning a sweep costs beside a bare Snakemake with as many jobs: ``python benchmarks/scale.py``.

Each figure is CPU seconds of the whole process tree (the machine's other work does not count), the
median of ``--repeat`` runs that alternate with the bare ones. The bare workflow has the same
shape, targets, runs, parts and a table, with ``touch`` for every job. Finished runs are fabricated: the
files of each are written by the code that writes a real run's.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import fabricating

from llc.sweeps import sweep

PARTS = ("Snakefile", "train.py", "workflow", "profiles", "conf", "llc", "envs")
SWEEP = """\
# @package _global_
hydra:
  sweeper:
    params:
      sampler.sgld.step_size: {steps}
      posterior.gamma: {gammas}
      seed: range(0,{seeds})
"""
BARE = """\
runs = [f"{{i:05x}}" for i in range({runs})]
rule all:
    input: "table"
rule target:
    output: "targets/{{t}}/target.json"
    shell: "touch {{output}}"
rule run:
    input: lambda w: f"targets/{{int(w.r, 16) % {targets}}}/target.json"
    output: "runs/{{r}}/metrics_summary.csv"
    shell: "touch {{output}}"
rule part:
    input: lambda w: [f"runs/{{r}}/metrics_summary.csv" for r in runs if r[-1] == w.p]
    output: "parts/{{p}}"
    shell: "touch {{output}}"
rule table:
    input: sorted({{f"parts/{{r[-1]}}" for r in runs}})
    output: "table"
    shell: "touch {{output}}"
"""


class Project:
    """A copy of the project, and a bare workflow of the same shape."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder, self.bare, self.seeds = folder / "llc", folder / "bare", jobs // 100
        self.folder.mkdir()
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, self.folder / part)
        (self.bare / "profiles/default").mkdir(parents=True)
        shutil.copy(ROOT / "profiles/default/config.yaml", self.bare / "profiles/default")
        self.write_sweep(10)

    def write_sweep(self, gammas: int) -> None:
        """Make both sweeps ten step sizes × ``gammas`` × the seeds large."""
        values = {
            "steps": ",".join(f"{i}e-4" for i in range(1, 11)),
            "gammas": ",".join(map(str, range(1, gammas + 1))),
        }
        (self.folder / "conf/sweep/big.yaml").write_text(SWEEP.format(**values, seeds=self.seeds))
        (self.bare / "Snakefile").write_text(BARE.format(runs=10 * gammas * self.seeds, targets=self.seeds))

    def finish(self) -> None:
        for job in sweep.load("big", self.folder / "conf", self.folder):
            run = self.folder / "results/runs" / job.run_id
            fabricating.write_run(run, job.run_id, {name: 1.0 for name in job.samplers})

    def cpu(self, *command: str, bare: bool = False) -> float:
        """Return the CPU seconds of a command."""
        env = {**os.environ, "PYTHONPATH": str(self.folder)}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command, cwd=self.bare if bare else self.folder, env=env, capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def forget(self) -> None:
        shutil.rmtree(self.folder / ".cache/plans", ignore_errors=True)


def compare(label: str, project: Project, repeat: int, before: Callable[[], None] | None = None) -> None:
    """Print the CPU seconds of a dry run, beside a bare one, in pairs."""
    plan = ["snakemake", "-n", "-q", "rules"]
    pairs = []
    for _ in range(repeat):
        if before is not None:
            before()
        pairs.append((project.cpu(*plan, "--config", "sweep=big"), project.cpu(*plan, bare=True)))
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"| {label} | {ours:.1f} | {bare:.1f} | {ours / bare:.2f} |", flush=True)


def main() -> None:
    """Measure one size of sweep."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="a multiple of 100")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), args.jobs)
        print(f"| {args.jobs} jobs | llc, CPU s | bare, CPU s | ratio |\n|---|---|---|---|")
        compare("plan from nothing", project, args.repeat, project.forget)
        compare("plan again", project, args.repeat)

        def add_a_value() -> None:
            project.write_sweep(10)
            project.cpu("python", "-m", "llc.sweeps.sweep", "big", "conf", "jobs.csv", ".cache/plans")
            project.write_sweep(11)

        compare("plan with a value added", project, args.repeat, add_a_value)
        project.write_sweep(10)
        project.finish()
        once = project.cpu("snakemake", "-c2", "-q", "all", "--config", "sweep=big")
        print(f"| all finished but the table: parts and table | {once:.1f} | | |", flush=True)
        table = ["python", "-m", "llc.summary", "results/sweeps/big"]
        print(f"| the table alone | {project.cpu(*table):.1f} | | |", flush=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"| highest memory of any process, MB | {peak:.0f} | | |", flush=True)
        make_bare(project, args.jobs)
        compare("nothing to do", project, args.repeat)


def make_bare(project: Project, jobs: int) -> None:
    """Make the results of the bare workflow."""
    for kind, count, name in (
        ("targets", project.seeds, "{}/target.json"),
        ("runs", jobs, "{:05x}/metrics_summary.csv"),
    ):
        for i in range(count):
            path = project.bare / kind / name.format(i)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for part in [*(f"parts/{i:x}" for i in range(16)), "table"]:
        (project.bare / part).parent.mkdir(exist_ok=True)
        (project.bare / part).touch()


if __name__ == "__main__":
    main()
