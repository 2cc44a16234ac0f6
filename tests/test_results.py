"""A sweep's results in a notebook."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from composing import job
from pages import run_blocks

import llc
from llc import job as jobs
from llc import records
from llc.config import ConfigError
from llc.jobs.ids import run_id, target_id
from llc.records import BadTarget

TINY = ["training=truth", "sampler.names=[sgld]", "sampler.sgld.draws=16", "sampler.sgld.thin=2"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of a sweep of three jobs, of which job 1 is not finished."""
    folder = tmp_path_factory.mktemp("project") / "results"
    rows = []
    for number in range(3):
        of = job(*TINY, f"seed={number}")
        rows.append({"job_id": number, "run_id": run_id(of), "target_id": target_id(of), "n_data": 100,
                     "target_params": 50, "seed": number, "samplers": "sgld", "overrides": ""})  # fmt: skip
        if number != 1:
            trained, run = folder / "targets" / target_id(of), folder / "runs" / run_id(of)
            for path in (trained, run):
                path.mkdir(parents=True)
            jobs.run(replace(of, stage="target"), trained)
            jobs.run(replace(of, target=str(trained)), run)
    (folder / "sweeps/digits").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(folder / "sweeps/digits/jobs.csv", index=False)
    return folder


def test_a_sweep_is_its_tables_and_its_runs(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results.parent)
    sweep = llc.load_sweep("digits")
    assert list(sweep.table["job_id"]) == list(sweep.estimates["job_id"]) == list(sweep.runs) == [0, 2]
    assert repr(sweep).startswith("<Sweep of 2 finished jobs")
    run = sweep.runs[2]
    assert run.run_id == sweep.table["run_id"][1]
    assert run.config["seed"] == 2
    assert run.config["sampler"]["sgld"]["thin"] == 2
    assert run.info["target"]["stopped"] == "teacher"
    mean = run.estimates.loc["sgld", "llc_mean"]
    assert mean == sweep.table["sgld_llc_mean"][1]
    traces = run.traces("sgld")
    row = run.estimates.loc["sgld"]
    llc_trace = 100 * row["beta"] * (traces.posterior["loss"].to_numpy().astype(float) - row["loss_star"])
    assert llc_trace.mean() - row["llc_bias"] == pytest.approx(mean)  # sgld subtracts what it predicts
    assert run.w_star.shape == (run.info["target"]["n_params"],)
    assert not np.array_equal(run.w_star, sweep.runs[0].w_star)


def test_the_page_on_python_does_what_it_says(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results.parent)
    assert run_blocks("python.md")["job_id"] == 2


def test_a_multirun_by_hand_has_its_weights_beside_it(results: Path, tmp_path: Path) -> None:
    of, run = job(*TINY), tmp_path / "0"
    run.mkdir()
    jobs.run(of, run)
    (run / ".hydra").mkdir()
    (run / ".hydra/overrides.yaml").write_text("[seed=0]")
    sweep = llc.load_sweep(tmp_path)
    np.testing.assert_array_equal(sweep.runs[0].w_star, llc.load_sweep("digits", results).runs[0].w_star)
    assert list(sweep.table["seed"]) == [0]


def test_a_folder_that_is_not_of_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(FileNotFoundError, match="there are no runs in it; give a sweep's name, or multirun/DATE/TIME"):
        llc.load_sweep(tmp_path)
    (tmp_path / "0").mkdir()  # of a multirun in which nothing is finished
    assert llc.load_sweep(tmp_path).runs == {}


def test_what_is_not_there_is_an_error_that_names_what_is(results: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no sweep 'digit'.*only digits \(did you mean digits\?\)"):
        llc.load_sweep("digit", results)
    with pytest.raises(FileNotFoundError, match="there is nothing; run it"):
        llc.load_sweep("digits", tmp_path)
    run = llc.load_sweep("digits", results).runs[0]
    with pytest.raises(ConfigError, match="sampler='nuts': must be one of sgld"):
        run.traces("nuts")
    copy = tmp_path / "results"
    shutil.copytree(results, copy)
    (first,) = (p for p in (copy / "targets").iterdir() if p.name == run.info["target_id"])
    shutil.rmtree(first)
    with pytest.raises(BadTarget, match="there is no such folder"):
        _ = llc.load_sweep("digits", copy).runs[0].w_star
    shutil.copytree(next(p for p in (copy / "targets").iterdir()), first)
    with pytest.raises(BadTarget, match=f"the run is of {first.name}"):
        _ = llc.load_sweep("digits", copy).runs[0].w_star
    shutil.rmtree(first)
    shutil.copytree(results / "targets" / first.name, first)
    about, other = json.loads((first / "target.json").read_text()), records.read_target(first)[1] * 2
    np.savez(first / "target.npz", w_star=other)
    (first / "target.json").write_text(
        json.dumps(about | {"w_star_sha256": hashlib.sha256(other.tobytes()).hexdigest()})
    )
    with pytest.raises(BadTarget, match="it was trained anew after the run"):
        _ = llc.load_sweep("digits", copy).runs[0].w_star
