"""Every file of examples/ is run, as small as it goes."""

import importlib
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from composing import CONF, job
from pages import DOCS

from llc import job as jobs

ROOT = CONF.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FEW = [
    "sampler.names=[sgld]",
    "sampler.sgld.step_size=1e-6",
    "sampler.sgld.draws=16",
    "sampler.sgld.thin=2",
    "sampler.sgld.chains=2",
]


def command(text: str) -> list[str]:
    """Return the overrides of the command that a text has."""
    found = re.search(r"python train\.py ((?:.*\\\n)*.*)", text)
    assert found is not None
    return shlex.split(found[1].replace("\\\n", " "))


@pytest.mark.parametrize("name", ["plain_jax", "flax_mlp", "equinox_mlp", "robust"])
def test_a_model_or_data_of_ones_own_is_a_job(name: str, tmp_path: Path) -> None:
    given = command((ROOT / f"examples/{name}.py").read_text(encoding="utf-8"))
    less = ["data.n_data=100"] if "data=digits" in given else []
    of = job(*given, *less, "training.steps=100", *FEW, cwd=ROOT)
    jobs.run(of, tmp_path)
    row = pd.read_csv(tmp_path / "metrics_summary.csv").iloc[0]
    assert row["n_draws"] == 16
    assert np.isfinite(row["llc_mean"])
    assert row["status"] != "diverged"


def test_a_classifier_of_digits_is_trained_saved_and_estimated_by_call_and_by_job_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from examples import digits

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digits, "N", 100)
    found = digits.main(steps=200, step_size=1e-6, draws=16, thin=2, chains=2)
    given = command(capsys.readouterr().out)
    of = job(*given, *FEW[1:], cwd=tmp_path)
    assert of.own.folder == str(tmp_path)  # examples/ is found beside train.py
    (tmp_path / "run").mkdir()
    jobs.run(of, tmp_path / "run")
    row = pd.read_csv(tmp_path / "run/metrics_summary.csv").iloc[0]
    # The rows of the job are in another order, so that its minibatches are others.
    assert row["loss_star"] == pytest.approx(found.estimate.loss_star, rel=1e-6)
    assert row["beta"] == found.estimate.beta
    assert np.isfinite(row["llc_mean"])


def test_no_example_is_left_out() -> None:
    assert {file.stem for file in EXAMPLES} == {"plain_jax", "flax_mlp", "equinox_mlp", "robust", "digits"}


def test_the_page_on_own_models_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write its files, run its commands in order, and compose its preset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    shutil.copytree(CONF, tmp_path / "conf")
    text = (DOCS / "own-models.md").read_text(encoding="utf-8")
    done = 0
    for kind, block in re.findall(r"^```(python|bash|yaml)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if kind == "python":
            name = re.match(r"# (\w+)\.py", block)[1]  # type: ignore[index]
            (tmp_path / f"{name}.py").write_text(block)
            importlib.import_module(name)
        elif kind == "yaml":
            (tmp_path / "conf/model/mynet.yaml").write_text(block)
            of = job("model=mynet", "data=digits", "model.args.width=3", conf=tmp_path / "conf", cwd=tmp_path)
            assert of.model.args == {"width": 3}
        else:
            overrides = [*command(block), "training.steps=50", *FEW]
            overrides += ["data.n_data=100"] * ("data=digits" in overrides)
            done += 1
            jobs.run(job(*overrides, cwd=tmp_path), tmp_path / f"run {done}")
            assert np.isfinite(pd.read_csv(tmp_path / f"run {done}/metrics_summary.csv")["llc_mean"].iloc[0])
    assert done == 4
