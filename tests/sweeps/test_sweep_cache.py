"""A kept sweep saves the composing, and is never the reason for a wrong job."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from composing import CONF

from llc import code
from llc.sweeps import expand, sweep
from llc.sweeps.sweepjob import SweepJob
from llc.user import importable, npz, own

GRID = {"seed": "0,1,2", "posterior.gamma": "1,2"}


class Study:
    """A copy of conf/ whose sweeps are kept, and the number of jobs that were composed."""

    def __init__(self, folder: Path) -> None:
        self.cwd, self.conf, self.keep = folder, folder / "conf", folder / "plans"
        self.composed = 0
        shutil.copytree(CONF, self.conf)

    def write(self, params: dict[str, str] = GRID, name: str = "x", **body: object) -> None:
        text = yaml.safe_dump({**body, "hydra": {"sweeper": {"params": params}}}, sort_keys=False)
        (self.conf / f"sweep/{name}.yaml").write_text(f"# @package _global_\n{text}")

    def load(self, name: str = "x") -> list[SweepJob]:
        """Return the jobs, sure to be those of an expansion from nothing."""
        self.composed = 0
        found = sweep.load(name, self.conf, self.cwd, self.keep)
        composed = self.composed
        assert found == sweep.load(name, self.conf, self.cwd)
        self.composed = composed
        return found


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    study = Study(tmp_path)
    make = expand._Composer.job

    def counted(self: object, number: int, point: object) -> SweepJob:
        study.composed += 1
        return make(self, number, point)  # type: ignore[arg-type]

    monkeypatch.setattr(expand._Composer, "job", counted)
    study.write()
    study.load()
    assert study.composed == 6
    return study


def test_a_sweep_that_did_not_change_needs_no_hydra(study: Study) -> None:
    study.load()
    assert study.composed == 0
    script = (
        "import sys; from pathlib import Path; from llc.sweeps import sweep;"
        "n = len(sweep.load('x', Path('conf'), Path.cwd(), Path('plans')));"
        "print(n, 'hydra' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", script], cwd=study.cwd, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    # The folder is spelled otherwise here, so the first one is from nothing.
    assert said == ["6 True\n", "6 False\n"]


@pytest.mark.parametrize(
    ("params", "composed"),
    [
        ({"seed": "0,1,2,3", "posterior.gamma": "1,2"}, 2),
        ({"seed": "2,0", "posterior.gamma": "2,1"}, 0),
        ({"seed": "range(0,3)", "posterior.gamma": "1,2,3e0"}, 3),
        ({"posterior.gamma": "1,2", "seed": "0,1,2"}, 6),
        ({**GRID, "precision": "float32"}, 6),
    ],
)
def test_of_a_sweep_that_grew_only_what_is_new_is_composed(study: Study, params: dict[str, str], composed: int) -> None:
    study.write(params)
    study.load()
    assert study.composed == composed


def comment(study: Study) -> None:
    path = study.conf / "posterior/base.yaml"
    path.write_text(path.read_text() + "# why\n")


def preset(study: Study) -> None:
    path = study.conf / "training/base.yaml"
    path.write_text(path.read_text() + "steps: 77\n")


def body(study: Study) -> None:
    study.write(training={"steps": 77})


def elsewhere(study: Study) -> None:
    study.cwd = study.cwd / "other"


def truncated(study: Study) -> None:
    path = study.keep / "x.json"
    path.write_text(path.read_text()[:-20])


def emptied(study: Study) -> None:
    (study.keep / "x.json").write_text("")


def edited(study: Study) -> None:
    path = study.keep / "x.json"
    kept = json.loads(path.read_text())
    kept["jobs"][0]["run_id"] = "0" * 12
    path.write_text(json.dumps(kept))


def of_another_kind(study: Study) -> None:
    (study.keep / "x.json").write_text('{"jobs": [1], "points": null}')


def quoted(study: Study) -> None:
    """What OmegaConf reads as a number, and PyYAML as a text all the same."""
    path = study.conf / "sweep/x.yaml"
    path.write_text(path.read_text() + "training:\n  learning_rate: 1e-3\n")
    study.load()
    path.write_text(path.read_text().replace("1e-3", "'1e-3'"))


@pytest.mark.parametrize(
    "change", [comment, preset, body, quoted, elsewhere, truncated, emptied, edited, of_another_kind]
)
def test_what_may_mean_other_jobs_is_composed_anew(study: Study, change: Callable[[Study], None]) -> None:
    change(study)
    study.load()
    assert study.composed == 6


def test_data_that_changed_are_read_again(study: Study) -> None:
    file = study.cwd / "mine.npz"
    ids = set()
    for n in (6, 7):
        np.savez(file, x=np.ones((n, 2)), y=np.ones(n))
        study.write({"seed": "0,1"}, data={"path": "mine.npz"}, defaults=[{"override /data": "npz"}])
        ids |= {job.run_id for job in study.load()}
        assert study.composed == 2
        study.load()
        assert study.composed == 0
    os.utime(file, (1e9, 1e9))
    assert {job.run_id for job in study.load()} <= ids
    assert study.composed == 2
    assert len(ids) == 4


def test_data_in_the_place_of_others_with_their_size_and_time_are_read_again(study: Study) -> None:
    file, other = study.cwd / "mine.npz", study.cwd / "other.npz"
    for path, value in ((file, 1), (other, 2)):
        np.savez(path, x=np.ones((6, 2)), y=np.full(6, float(value)))
        os.utime(path, (1e9, 1e9))
    study.write({"seed": "0,1"}, data={"path": "mine.npz"}, defaults=[{"override /data": "npz"}])
    before = study.load()
    other.replace(file)
    npz._describe.cache_clear()  # a plan is of one process
    assert not {job.run_id for job in before} & {job.run_id for job in study.load()}


@pytest.mark.parametrize("name", ["mine.npz", "conf/training/base.yaml"])
def test_what_is_saved_while_a_sweep_is_expanded_is_not_kept_for_what_it_was(
    study: Study, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    np.savez(study.cwd / "mine.npz", x=np.ones((6, 2)), y=np.ones(6))
    study.write({"seed": "0,1"}, data={"path": "mine.npz"}, defaults=[{"override /data": "npz"}])
    make = expand.expand

    def saved_meanwhile(*of: Any) -> list[SweepJob]:
        jobs = make(*of)
        with (study.cwd / name).open("ab") as file:
            file.write(b"\n")
        return jobs

    monkeypatch.setattr(expand, "expand", saved_meanwhile)
    sweep.load("x", study.conf, study.cwd, study.keep)
    monkeypatch.setattr(expand, "expand", make)
    kept_jobs = json.loads((study.keep / "x.json").read_text())["jobs"]
    assert len(kept_jobs) == 6  # the plan before


def test_presets_in_a_folder_that_is_a_link_are_files_of_a_sweep(study: Study) -> None:
    presets = study.cwd / "presets"
    (study.conf / "training").rename(presets)
    (study.conf / "training").symlink_to(presets)
    before = study.load()
    study.load()
    assert study.composed == 0
    (presets / "base.yaml").write_text((presets / "base.yaml").read_text() + "steps: 77\n")
    assert not {job.run_id for job in before} & {job.run_id for job in study.load()}


def test_presets_that_are_looked_for_outside_conf_are_never_kept(study: Study) -> None:
    more = study.cwd / "more/training/mine.yaml"
    more.parent.mkdir(parents=True)
    path = study.conf / "config.yaml"
    path.write_text(path.read_text().replace("hydra:\n", f"hydra:\n  searchpath: ['file://{study.cwd}/more']\n"))
    ids = set()
    for steps in (77, 78):
        more.write_text(f"defaults: [base, _self_]\nsteps: {steps}\n")
        study.write({"seed": "0,1", "training": "mine"})
        ids |= {job.run_id for job in study.load()}
    assert len(ids) == 4


def test_a_value_of_the_body_that_is_a_points_by_an_anchor_is_seen(study: Study) -> None:
    for steps, composed in (("77", 1), ("78", 1)):
        hydra = f"hydra: {{sweeper: {{params: {{training.steps: &n {steps}}}}}}}"
        text = f"# @package _global_\n{hydra}\ntraining: {{polish_steps: *n}}\n"
        (study.conf / "sweep/x.yaml").write_text(text)
        study.load()
        assert study.composed == composed


def test_a_sweep_that_another_is_built_on_is_one_of_its_files(study: Study) -> None:
    study.write(training={"steps": 77})
    study.write({"seed": "0,1"}, "child", defaults=["x", "_self_"])
    study.write({"seed": "0,1,2"}, "grandchild", defaults=["child", "_self_"])
    before = {name: study.load(name) for name in ("child", "grandchild")}
    study.write(training={"steps": 78})
    for name, jobs in before.items():
        assert not {job.run_id for job in jobs} & {job.run_id for job in study.load(name)}
    study.write({"seed": "4"}, "another")
    study.load("child")
    assert study.composed == 0


@pytest.mark.parametrize(
    ("new", "name"), [("later.py", "later"), ("later/__init__.py", "later"), ("later/sub.py", "later.sub")]
)
def test_a_module_that_appears_where_another_is_imported_makes_other_jobs(study: Study, new: str, name: str) -> None:
    (study.cwd / "later").mkdir()
    (study.cwd / "later/other.py").touch()
    (study.cwd / "instead.py").write_text("width = 3\n")
    text = f"try:\n    from {name} import width\nexcept ImportError:\n    from instead import width\ndef net(): ...\n"
    (study.cwd / "mine.py").write_text(text)
    study.write({"seed": "0,1"}, defaults=[{"override /model": "own"}, {"override /data": "digits"}],
                model={"_target_": "mine.net"})  # fmt: skip
    before = study.load()
    (study.cwd / "results").mkdir()
    study.load()
    assert study.composed == 0
    (study.cwd / new).write_text("width = 4\n")
    for cached in (own._found, importable.find_module):
        cached.cache_clear()  # a plan is of one process
    assert not {job.run_id for job in before} & {job.run_id for job in study.load()}


def test_values_that_come_from_outside_the_files_are_never_kept(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = set()
    for gamma in ("3.0", "4.0"):
        monkeypatch.setenv("GAMMA", gamma)
        study.write({"seed": "0,1"}, posterior={"gamma": "${oc.decode:${oc.env:GAMMA}}"})
        ids |= {job.run_id for job in study.load()}
    assert len(ids) == 4


def test_a_plan_is_of_where_modules_of_users_are_looked_for(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(study.cwd / "elsewhere"))
    study.load()
    assert study.composed == 6


def test_rows_are_kept_as_a_grid_is(study: Study) -> None:
    file = study.conf / "sweep/y.csv"
    for rows, composed in (("0,1\n1,2\n", 2), ("0,1\n1,2\n", 0), ("1,2\n0,1\n2,\n", 1)):
        file.write_text(f"seed,posterior.gamma\n{rows}")
        study.load("y")
        assert study.composed == composed


def test_every_module_that_planning_imports_counts() -> None:
    plan = "import sys; from pathlib import Path; from llc.sweeps import sweep;"
    plan += "sweep.load('digits', Path('conf'), Path()); print(*sys.modules)"
    command = [sys.executable, "-c", plan]
    done = subprocess.run(command, cwd=CONF.parent, capture_output=True, text=True, check=True)
    used = {name for name in done.stdout.split() if name.startswith("llc.") and not name.startswith("llc.config")}
    assert {"llc.sweeps.expand", "llc.jobs.ids", "llc.jobs.sgld_defaults"} < used
    root = CONF.parent
    found = (path.relative_to(root).with_suffix("").parts for path in code.reached(["llc.sweeps.sweep"]))
    assert used <= {".".join(parts).removesuffix(".__init__") for parts in found}
