"""The LLC over training: one training, and w* at checkpoints of it."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from composing import CONF, job
from pages import DOCS

import llc
from llc import job as jobs
from llc import seeds
from llc.config import ConfigError, Job, QuadraticModel, TeacherData, TrainingConfig
from llc.jobs.ids import run_id, target_id
from llc.records import BadTarget
from llc.sweeps import sweep
from llc.targets import target

STEPS = [0, 3, 50, 101, 120]


def regression(**training: object) -> tuple[Job, target.Problem]:
    job = Job(
        data=TeacherData(n_data=200, sigma=1.0),
        model=QuadraticModel(d_in=4),
        training=TrainingConfig(**{"steps": 120, "batch_size": None, **training}),  # type: ignore[arg-type]
    )
    return job, target.problem(job)


def test_a_checkpoint_is_where_descent_is_after_so_many_steps() -> None:
    """Gradient descent by hand, the learning rate along its cosine."""
    of = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1, "grad_tol": 0.0}
    made, problem = regression(checkpoints=STEPS, **of)
    found = target.make(made, problem)
    x, y = problem.data.x, problem.data.y[:, 0]
    w = np.asarray(found.checkpoints[0].w_star, float)
    for step in range(121):
        if step in STEPS:
            np.testing.assert_allclose(found.at(step).w_star, w, atol=1e-5)
            assert found.at(step).loss == pytest.approx(float(np.mean((x @ w - y) ** 2)) / 2, rel=1e-4)
            assert (found.at(step).steps, found.at(step).stopped) == (step, "checkpoint")
        w -= 0.1 * 0.5 * (1 + np.cos(np.pi * step / 120)) * x.T @ (x @ w - y) / len(x)
    assert found.at(None) is found
    assert found.stopped == "polished"


@pytest.mark.parametrize("of", [{"batch_size": 20, "grad_tol": 0.0}, {"grad_tol": 0.1, "learning_rate": 0.05}])
def test_checkpoints_change_nothing_of_what_comes_after_them(of: dict[str, object]) -> None:
    alone, kept, other = (target.make(*regression(checkpoints=steps, **of)) for steps in (None, STEPS, [7, 101]))
    for found in (kept, other):
        np.testing.assert_array_equal(found.w_star, alone.w_star)
        assert (found.steps, found.stopped) == (alone.steps, alone.stopped)
    np.testing.assert_array_equal(kept.at(101).w_star, other.at(101).w_star)


def test_a_checkpoint_past_the_end_is_where_training_ended() -> None:
    found = target.make(*regression(grad_tol=0.1, learning_rate=0.05, polish_steps=0, checkpoints=STEPS))
    assert found.stopped == "grad_tol"
    assert found.steps < 120
    assert found.at(120).steps == found.steps
    np.testing.assert_array_equal(found.at(120).w_star, found.w_star)


def test_checkpoints_are_kept_and_read_back_each(tmp_path: Path) -> None:
    made, problem = regression(checkpoints=STEPS)
    found = target.make(made, problem)
    target.save(found, made, tmp_path)
    for step in (None, *STEPS):
        again = target.load(tmp_path, replace(made, checkpoint=step), problem)
        np.testing.assert_array_equal(again.w_star, found.at(step).w_star)
        assert again._replace(w_star=0, checkpoints={}) == found.at(step)._replace(w_star=0, checkpoints={})
    with np.load(tmp_path / "target.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "target.npz", **{**arrays, "checkpoint_3": arrays["checkpoint_50"]})
    target.load(tmp_path, replace(made, checkpoint=50), problem)
    with pytest.raises(BadTarget, match="not those that were saved"):
        target.load(tmp_path, replace(made, checkpoint=3), problem)


def test_a_run_depends_on_its_checkpoint_and_its_target_on_all_that_are_kept() -> None:
    none, few, more = job(), job("training.checkpoints=[0,10]"), job("training.checkpoints=[10,5,0,10]")
    assert run_id(none) == run_id(few) == run_id(more)
    assert len({target_id(none), target_id(few), target_id(more)}) == 3
    at_10, again, at_0 = (
        job(f"training.checkpoints={kept}", f"checkpoint={step}")
        for kept, step in (("[0,10]", 10), ("[10]", 10), ("[0,10]", 0))
    )
    assert run_id(at_10) == run_id(again)
    assert len({run_id(none), run_id(at_10), run_id(at_0)}) == 3
    assert target_id(at_10) == target_id(at_0) == target_id(few)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("checkpoint=3", r"checkpoint=3: must be one of training\.checkpoints=None"),
        ("training.checkpoints=[0,4] checkpoint=3", r"checkpoint=3: must be one of training\.checkpoints=\[0, 4\]"),
        ("training.checkpoints=[0,400] training.steps=300", r"checkpoints=\[0, 400\]: must be .*steps=300"),
        ("training.checkpoints=[-1]", r"checkpoints=\[-1\]: must be null, or steps"),
        ("training.checkpoints=[0] training.w_star=teacher", r"checkpoints=\[0\]: must be .*w_star=trained"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_is_not_kept_is_an_error_before_a_job_starts(overrides: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        job(*overrides.split())


def test_runs_at_checkpoints_share_one_training(tmp_path: Path) -> None:
    few = ["sampler.names=[sgld]", "sampler.sgld.step_size=1e-6", "sampler.sgld.draws=16", "sampler.sgld.thin=2"]
    of = ["training.checkpoints=[0,20]", "training.steps=100", *few]
    trained = tmp_path / "results/targets" / target_id(job(*of))
    trained.mkdir(parents=True)
    jobs.run(replace(job(*of, "checkpoint=20"), stage="target"), trained)
    rows = []
    for number, checkpoint in enumerate((0, 20)):
        made = job(*of, f"checkpoint={checkpoint}")
        run = tmp_path / "results/runs" / run_id(made)
        run.mkdir(parents=True)
        jobs.run(replace(made, target=str(trained)), run)
        rows.append({"job_id": number, "run_id": run_id(made), "target_id": target_id(made), "checkpoint": checkpoint,
                     "n_data": 100, "target_params": 50, "seed": 0, "samplers": "sgld", "overrides": ""})  # fmt: skip
    (tmp_path / "results/sweeps/over").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(tmp_path / "results/sweeps/over/jobs.csv", index=False)
    found = llc.load_sweep("over", tmp_path / "results")
    assert list(found.table["checkpoint"]) == [0, 20]
    losses = found.estimates["loss_star"]
    assert losses[0] > losses[1] > 0
    with np.load(trained / "target.npz") as file:
        for number, name in enumerate(("checkpoint_0", "checkpoint_20")):
            np.testing.assert_array_equal(found.runs[number].w_star, file[name])
    assert found.runs[0].info["target"]["stopped"] == "checkpoint"
    jobs.run(job(*of, "checkpoint=20"), tmp_path / "by_hand")
    by_hand = pd.read_csv(tmp_path / "by_hand/metrics_summary.csv")
    assert tuple(by_hand[["loss_star", "llc_mean"]].iloc[0]) == (losses[1], found.estimates["llc_mean"][1])
    at_start = target.problem(job(*of)).model.init
    np.testing.assert_array_equal(found.runs[0].w_star, at_start(seeds.key(0, "init")))


def test_the_sweep_over_training_is_one_training_a_seed() -> None:
    found = sweep.load("digits_training", CONF, CONF.parent)
    n_seeds = len({row.seed for row in found})
    assert len({row.target_id for row in found}) == n_seeds
    assert len({row.run_id for row in found}) == len(found) > 3 * n_seeds


def test_the_page_on_training_has_a_sweep_that_trains_once_a_seed(tmp_path: Path) -> None:
    shutil.copytree(CONF, tmp_path / "conf")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (DOCS / "training.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "conf/sweep/mine.yaml").write_text(block)
    found = sweep.load("mine", tmp_path / "conf", tmp_path)
    assert len({row.target_id for row in found}) == 2
    assert [row.swept["checkpoint"] for row in found[::2]] == [0, 10, 100, 1000]
