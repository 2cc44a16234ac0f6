"""Copies of the project for tests that run the real Snakemake in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import forking
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "train.py", "workflow", "profiles", "conf", "llc", "envs")
BIN = Path(sys.executable).parent

RULES = ("batch", "target", "run", "jobs", "part", "summary", "figures")

TINY = """\
# @package _global_
defaults:
  - override /training: truth
sampler:
  names: [sgld]
  sgld: {{warmup: 50, draws: 40, thin: 2, chains: 2}}
hydra:
  sweeper:
    params:
{params}
"""


class Project:
    """A copy of the project with sweeps of its own."""

    def __init__(self, folder: Path, figures: bool = False) -> None:
        self.figures = figures
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        self._settle(folder)

    @classmethod
    def at(cls, folder: Path, figures: bool = True) -> Self:
        """Return a project that is there already."""
        project = cls.__new__(cls)
        project.figures = figures
        project._settle(folder)
        return project

    def _settle(self, folder: Path) -> None:
        self.folder = folder
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        self.env = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}

    def sweep(self, name: str, **params: str) -> None:
        lines = "\n".join(f"      {key.replace('__', '.')}: {value}" for key, value in params.items())
        (self.folder / f"conf/sweep/{name}.yaml").write_text(TINY.format(params=lines))

    def snakemake(self, sweep: str, *config: str, arguments: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a sweep up to its table; to its figures where this project is for them too."""
        until = [] if self.figures or "partial=true" in config else ["--until", "summary"]
        arguments = ["--cores", "2", *until, *arguments, "--config", f"sweep={sweep}", *config]
        return forking.run("snakemake", arguments, self.folder, self.env)

    def command(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)

    def planned(self, sweep: str, *config: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run plans, ``all`` and the total left out."""
        return self.plan(sweep, *config)[0]

    def plan(self, sweep: str, *config: str, arguments: Iterable[str] = ("-n",)) -> tuple[dict[str, int], str]:
        """Return that, and what the dry run says."""
        done = self.snakemake(sweep, *config, arguments=arguments)
        assert done.returncode == 0, done.stderr
        counts = [line.split() for line in done.stdout.splitlines()]
        planned = {words[0]: int(words[1]) for words in counts if len(words) == 2 and words[0] in RULES}
        return planned, done.stdout + done.stderr

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[Path]:
        """Edit a file for a while."""
        file = self.folder / path
        before = file.read_text()
        assert old in before, f"{path} has no {old!r}"
        file.write_text(before.replace(old, new, 1))
        try:
            yield file
        finally:
            file.write_text(before)

    def table(self, sweep: str, name: str = "summary.csv") -> pd.DataFrame:
        return pd.read_csv(self.folder / f"results/sweeps/{sweep}" / name, dtype={"run_id": str})

    def reset(self) -> None:
        """Forget all results."""
        for name in ("results", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
