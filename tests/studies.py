"""A project's conf/ with one sweep file more, for tests of what a sweep file becomes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from composing import CONF

from llc.config import ConfigError
from llc.sweeps import sweep
from llc.sweeps.sweepjob import SweepJob


class Study:
    """A copy of conf/ with one sweep file more."""

    def __init__(self, folder: Path) -> None:
        self.conf = folder / "conf"
        self.cwd = folder
        shutil.copytree(CONF, self.conf)

    def yaml(self, params: dict[str, Any] | None, **body: object) -> list[SweepJob]:
        """Load a sweep of ``params`` over ``body``."""
        text = yaml.safe_dump({**body, "hydra": {"sweeper": {"params": params}}}, sort_keys=False)
        self.write("x.yaml", f"# @package _global_\n{text}")
        return self.load()

    def csv(self, text: str) -> list[SweepJob]:
        """Load a sweep of the rows of ``text``."""
        self.write("x.csv", text)
        return self.load()

    def write(self, name: str, text: str) -> None:
        (self.conf / "sweep" / name).write_text(text, encoding="utf-8")

    def load(self, name: str = "x") -> list[SweepJob]:
        return sweep.load(name, self.conf, self.cwd)

    def refused(self, name: str = "x") -> str:
        """Return the message that the sweep is refused with."""
        with pytest.raises(ConfigError) as error:
            self.load(name)
        return str(error.value)

    def refused_yaml(self, params: dict[str, Any] | None, **body: object) -> str:
        with pytest.raises(ConfigError) as error:
            self.yaml(params, **body)
        return str(error.value)

    def refused_csv(self, text: str) -> str:
        self.write("x.csv", text)
        return self.refused()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def swept(jobs: list[SweepJob], *keys: str) -> list[tuple]:
    return [tuple(job.swept[key] for key in keys) for job in jobs]
