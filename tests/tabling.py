"""A sweep of three jobs whose runs are fabricated, for tests of its tables."""

import csv
from pathlib import Path

import fabricating
import pandas as pd
import pytest

from llc.summary import write_failures

PER_SAMPLER = ["llc_mean", "ess", "llc_mcse", "rhat", "status"]


def columns_of(*samplers: str) -> list[str]:
    return [*(f"{sampler}_{column}" for sampler in samplers for column in PER_SAMPLER), "code"]


def write_jobs(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, dtype=object).to_csv(path, index=False)


def write_run(folder: Path, run_id: str, config: str = "seed: 0\n", **llc_mean: float | None) -> None:
    fabricating.write_run(folder, run_id, llc_mean, config)


def lines(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


class Results:
    """A synthetic ``results/``: a sweep ``x`` of three jobs on two targets."""

    ids = ("000000000123", "1234567890e1", "998877665544")  # which look like numbers
    targets = ("000000000007", "000000000007", "7654321000e9")

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "results" / "sweeps" / "x"
        self.runs = [folder / "results" / "runs" / run_id for run_id in self.ids]
        self.target_folders = [folder / "results" / "targets" / target_id for target_id in self.targets]
        write_jobs(self.folder / "jobs.csv", [self.row(number) for number in range(3)])

    def row(self, number: int) -> dict:
        return {
            "job_id": number,
            "run_id": self.ids[number],
            "target_id": self.targets[number],
            "posterior.gamma": [1, 2, 1][number],
            "model": "small",
            "seed": [0, 0, 1][number],
            "n_data": 100,
            "target_params": 50,
            "samplers": "nuts sgld",
            "overrides": f"+sweep=x posterior.gamma={[1, 2, 1][number]} seed={[0, 0, 1][number]}",
        }

    def train(self, number: int, log: str = "w* found\n") -> None:
        folder = self.target_folders[number]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "snakemake.log").write_text(log)
        (folder / "target.json").touch()

    def finish(self, *numbers: int) -> None:
        for number in numbers:
            self.train(number)
            write_run(self.runs[number], self.ids[number], nuts=float(number), sgld=number + 0.5)

    def fail(self, number: int, log: str) -> None:
        self.train(number)
        self.runs[number].mkdir(parents=True)
        (self.runs[number] / "snakemake.log").write_text(log)

    def reason(self, number: int) -> str:
        return write_failures(self.folder).set_index("job_id").at[number, "reason"]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)
