"""A sweep file becomes the jobs that train.py -m would run."""

import csv
import io
import itertools
import subprocess
import sys

import numpy as np
import pytest
from composing import CONF, job
from studies import Study, study, swept

from llc.jobs.ids import run_id, target_id
from llc.sweeps import sweepjob

__all__ = ["study"]  # a fixture


# --------------------------------------------------------------------------------- the product


def test_jobs_come_in_the_order_of_the_product(study: Study) -> None:
    jobs = study.yaml({"seed": "0,1", "model": "small,base", "data.n_data": "50,60,70"})
    expected = list(itertools.product([0, 1], ["small", "base"], [50, 60, 70]))
    assert swept(jobs, "seed", "model", "data.n_data") == expected
    assert [job.number for job in jobs] == list(range(12))


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("seed", "3", [3]),
        ("seed", "3,1", [3, 1]),
        ("seed", "choice(3,1)", [3, 1]),
        ("seed", "range(3)", [0, 1, 2]),
        ("seed", "range(1,6,2)", [1, 3, 5]),
        ("posterior.gamma", "1e-3,2,0.5", [0.001, 2.0, 0.5]),
        ("model", "glob([s*,b*])", ["base", "small"]),
        ("model", "glob(*,exclude=[c*,d*,o*,q*,r*])", ["base", "small"]),
        ("data.x_dist", "'uniform',\"normal\"", ["uniform", "normal"]),
        ("model.widths", "[8],[8,8]", [[8], [8, 8]]),
        ("sampler.names", "[sgld],[nuts,hmc]", [["sgld"], ["nuts", "hmc"]]),
        ("posterior.beta", "null,0.5", [None, 0.5]),
    ],
)
def test_values_are_those_of_hydras_syntax(study: Study, key: str, values: str, expected: list) -> None:
    assert [job.swept[key] for job in study.yaml({key: values})] == expected


BODY = {
    "defaults": [{"override /sampler": "fast"}, {"override /model": "base"}],
    "posterior": {"gamma": 30},
    "data": {"noise": "none"},
}


@pytest.mark.parametrize("data", ["linear", "small"])
def test_ids_are_those_of_the_jobs_that_hydra_composes(study: Study, data: str) -> None:
    params = {
        "model": "small,dln",
        "data": data,
        "model.widths": "[64,10],[64,16,10]",
        "training": "fast",
        "sampler.names": "[nuts],[sgld,hmc]",
        "posterior.gamma": "1,1e1",
    }
    jobs = study.yaml(params, **BODY)
    assert len(jobs) == 16
    for point in jobs[::5]:
        composed = job(*point.overrides, conf=study.conf)
        assert (point.n_data, point.target_params) == (composed.data.n_data, composed.model.target_params)
        assert (point.run_id, point.target_id) == (run_id(composed), target_id(composed))


def test_ids_of_real_data_are_those_of_the_jobs_that_hydra_composes(study: Study) -> None:
    for point in study.load("digits")[::3]:
        assert point.run_id == run_id(job(*point.overrides, conf=study.conf))


def test_jobs_that_differ_in_sampling_share_their_target(study: Study) -> None:
    jobs = study.yaml({"seed": "0,1", "posterior.gamma": "1,2"})
    assert len({job.run_id for job in jobs}) == 4
    assert len({job.target_id for job in jobs}) == 2


def test_another_value_leaves_the_other_ids_alone(study: Study) -> None:
    before = {job.run_id for job in study.yaml({"seed": "0,1", "data.n_data": "50,60"})}
    after = {job.run_id for job in study.yaml({"data.n_data": "60,70,50", "seed": "range(3)"})}
    assert before < after


def test_relative_paths_start_where_the_command_is_started(study: Study) -> None:
    np.savez(study.cwd / "my.npz", x=np.ones((4, 2)), y=np.ones(4))
    (point,) = study.yaml({"data": "npz", "data.path": "my.npz"})
    assert point.files == [str(study.cwd / "my.npz")]


def test_a_row_of_the_job_table_says_what_was_resolved(study: Study) -> None:
    np.savez(study.cwd / "my.npz", x=np.ones((4, 2)), y=np.ones(4))
    (point,) = study.yaml(
        {"model.widths": "[5]", "seed": "3"}, defaults=[{"override /data": "npz"}], data={"path": "my.npz"}
    )
    row = point.row()
    assert (row["n_data"], row["target_params"], row["seed"]) == (4, 2 * 5 + 5 + 5 + 1, 3)
    assert (row["samplers"], row["overrides"]) == ("nuts sgld", "+sweep=x 'model.widths=[5]' seed=3")


def test_swept_presets_of_samplers_have_a_column_beside_that_of_the_sampler(study: Study) -> None:
    jobs = study.yaml({"sampler": "base,fast"})
    assert [job.row()["sampler_preset"] for job in jobs] == ["base", "fast"]
    assert "sampler" not in jobs[0].row()


def test_a_value_of_the_file_that_refers_to_a_swept_key_is_each_jobs_own(study: Study) -> None:
    jobs = study.yaml({"data.n_data": "50,60"}, posterior={"gamma": "${data.n_data}"})
    expected = study.yaml({"data.n_data": "60"}, posterior={"gamma": 60})
    assert jobs[1].run_id == expected[0].run_id


@pytest.mark.parametrize("name", ["a b", "v1.2", "a-b+c", "x2"])
def test_a_name_may_have_spaces_inside(study: Study, name: str) -> None:
    study.write(f"{name}.yaml", "# @package _global_\nhydra: {sweeper: {params: {seed: '1,2'}}}\n")
    assert len(study.load(name)) == 2


# --------------------------------------------------------------------------------- the command


def test_the_table_of_jobs_has_a_row_for_each(study: Study) -> None:
    jobs = study.yaml({"seed": "0,1", "model.widths": "[4],[4,4]"})
    rows = list(csv.DictReader(io.StringIO(sweepjob.table(jobs), newline="")))
    assert rows == [{key: str(value) for key, value in job.row().items()} for job in jobs]


def test_planning_and_summarising_import_no_jax() -> None:
    code = (
        "import sys; from pathlib import Path; from llc import summary; from llc.sweeps import sweep;"
        f"sweep.load('digits', Path({str(CONF)!r}), Path.cwd());"
        "print(sorted({'jax', 'numpyro', 'blackjax', 'scipy', 'arviz', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
