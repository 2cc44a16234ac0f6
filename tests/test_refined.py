"""Refined LLCs: only some parameters move, or the draws are evaluated on other data. Against closed forms."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from composing import CONF, job
from pages import DOCS, run_blocks

import llc
from llc import job as jobs
from llc.config import ConfigError
from llc.jobs import restrict
from llc.jobs.ids import run_id, target_id
from llc.posterior import inverse_temperature
from llc.sweeps import sweep
from llc.targets import elsewhere, known, target
from llc.targets.data import Dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
W_STAR = {"kernel": np.array([1.0, -1.0, 0.5, 0.0]), "bias": np.array(0.3)}
DATA = {"x": X, "y": X @ W_STAR["kernel"] + 0.3 + 0.1 * RNG.normal(size=200)}


def loss_fn(w: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
    return jnp.mean((batch["x"] @ w["kernel"] + w["bias"] - batch["y"]) ** 2) / 2


# ----------------------------------------------------------------------------- weight-refined


def gaussian_integral(of: Any, problem: target.Problem, w_star: np.ndarray, moving: np.ndarray) -> float:
    """Return λ̂ of the parameters that move, from the Hessian and gradient that JAX has of a quadratic loss."""
    n, gamma = len(problem.data.x), of.posterior.gamma
    nbeta = n * inverse_temperature(of.posterior, n)
    with jax.enable_x64(True):
        rows = (problem.data.x, problem.data.y, problem.data.sigma)

        def loss(v: jax.Array) -> jax.Array:
            w = jnp.asarray(w_star).at[moving].set(v)
            return (
                jnp.mean(jnp.sum((rows[1] - problem.model.apply(w, jnp.asarray(rows[0]))) ** 2, axis=1))
                / 2
                / rows[2] ** 2
            )

        at = jnp.asarray(w_star)[moving]
        hessian, gradient = map(np.asarray, jax.jit(lambda v: (jax.hessian(loss)(v), jax.grad(loss)(v)))(at))
    covariance = np.linalg.inv(nbeta * hessian + gamma * np.eye(len(at)))
    shift = -nbeta * covariance @ gradient
    return float(nbeta * (0.5 * np.trace(hessian @ covariance) + gradient @ shift + 0.5 * shift @ hessian @ shift))


@pytest.mark.parametrize(
    ("overrides", "patterns", "llc_true"),
    [
        ("model=quadratic data.noise=none training=truth", "w/[0-2]", 1.5),
        ("model=quadratic training=truth", "w/[0-2]", None),
        ("model=dln model.widths=[4,3,5,2] model.rank=2 data=linear data.n_data=50 training=truth", "layers/1/*", 2.0),
        ("model=dln model.widths=[4,3,5,2] model.rank=1 data=linear data.n_data=50 training=truth", "layers/0/*", 2.0),
        ("model=dln model.widths=[4,3,2] model.rank=1 data=small training=truth", "layers/1/kernel", None),
    ],
)
def test_the_exact_value_where_the_restricted_loss_is_a_quadratic(
    overrides: str, patterns: str, llc_true: float | None
) -> None:
    of = job(*overrides.split(), f"posterior.restrict='{patterns}'", "posterior.gamma=3")
    problem = target.problem(of)
    w_star = np.asarray(problem.data.w_true)
    about = target.Target(w_star, 0.0, 0.0, 0, 0, "teacher", "", None, None, {})
    n = len(problem.data.x)
    found = known.answers(of, problem, about, n * inverse_temperature(of.posterior, n))
    moving = restrict.moving(of.posterior.restrict, problem.model.layout)
    assert found.llc_exact == pytest.approx(gaussian_integral(of, problem, w_star, moving), rel=1e-8)
    assert found.llc_true == llc_true


def test_nothing_is_known_where_more_of_a_network_moves_than_one_layer() -> None:
    of = job(
        "model=dln",
        "data=linear",
        "training=truth",
        "posterior.restrict='layers/[01]/*'",
        "model.widths=[4,4,4,4]",
        "model.rank=2",
    )
    problem = target.problem(of)
    about = target.Target(np.asarray(problem.data.w_true), 0.0, 0.0, 0, 0, "teacher", "", None, None, {})
    assert known.answers(of, problem, about, 100.0) == known.Known()


def test_a_job_moves_one_layer_and_finds_its_exact_value(tmp_path: Path) -> None:
    of = job(
        "model=dln", "model.widths=[4,3,5,2]", "model.rank=2", "data=linear", "data.n_data=100", "training=truth",
        "posterior.restrict=layers/1/*", "posterior.gamma=10", "sampler.names=[nuts]", "sampler.nuts.max_tree_depth=7",
    )  # fmt: skip
    jobs.run(of, tmp_path)
    row = pd.read_csv(tmp_path / "metrics_summary.csv").iloc[0]
    assert row["status"] == "ok"
    assert row["llc_true"] == 2.0
    assert row["llc_mcse"] < 0.025 * row["llc_exact"]
    assert row["llc_mean"] == pytest.approx(row["llc_exact"], abs=4 * row["llc_mcse"])
    assert json.loads((tmp_path / "run_info.json").read_text())["n_moving"] == 15
    # Of 15 directions the data see 4: the others have γ alone, and reach is of those that move.
    assert 11 / 15 < row["reach"] < 1.0


def test_the_others_stay_as_if_they_were_no_parameters() -> None:
    """The same draws as of a loss of the kernel alone, at the same bias."""

    def of_kernel(w: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
        return loss_fn({**w, "bias": jnp.float32(off["bias"])}, batch)

    off = {"kernel": W_STAR["kernel"] + 0.1, "bias": W_STAR["bias"] + 0.1}

    few: dict[str, Any] = {"draws": 30, "chains": 2, "step_size": 1e-3, "sampler": "sgld", "thin": 5}
    restricted = llc.estimate(loss_fn, off, DATA, restrict="ker*", **few)
    alone = llc.estimate(of_kernel, {"kernel": off["kernel"]}, DATA, **few)
    np.testing.assert_allclose(restricted.trace.loss, alone.trace.loss, rtol=1e-5)
    assert restricted.estimate.reach == pytest.approx(alone.estimate.reach, rel=1e-4)
    # The kernel is off its minimum, and what lacks is of that alone: the bias, which is off too, stays.
    assert restricted.estimate.llc_deficit > 0.1
    assert restricted.estimate.llc_deficit == pytest.approx(alone.estimate.llc_deficit, rel=1e-2)


def test_a_restriction_is_the_parameters_that_match_and_all_of_them_are_none() -> None:
    by_name = job("posterior.restrict=[layers/0/bias,layers/0/kernel]")
    assert by_name.posterior.restrict == ["layers/0/kernel", "layers/0/bias"]
    assert run_id(job("posterior.restrict=layers/0/*")) == run_id(by_name)
    assert run_id(job("posterior.restrict='*'")) == run_id(job()) != run_id(by_name)
    assert target_id(by_name) == target_id(job())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("posterior.restrict=layer/0/*", r"restrict='layer/0/\*': must be a pattern that matches one of layers/0/"),
        ("posterior.restrict=[]", r"posterior\.restrict=\[\]: must be a pattern, a list of some, or null"),
        ("posterior.restrict=3", r"posterior\.restrict=3: must be a pattern"),
        ("model=dln posterior.restrict=layers/0/* sampler.names=[gibbs]", "null with gibbs: it draws all layers"),
        ("posterior.restrict=layers/1/bias sampler.names=[mclmc]", "without mclmc: it needs two parameters"),
    ],
)  # fmt: skip
def test_a_wrong_restriction_is_an_error_before_a_job_starts(overrides: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        job(*overrides.split())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("posterior.restrict=layers/0/*", "a pattern that matches one of hidden/kernel, output/kernel"),
        ("evaluate={a: examples.robust.line}", "evaluate.a=.*: must be as the rows trained on: .* labels int32"),
    ],
)
def test_what_is_wrong_for_ones_own_code_is_an_error_of_the_job_before_it_trains(
    override: str, message: str, tmp_path: Path
) -> None:
    of = job("data=digits", "model=own", "model._target_=examples.plain_jax.mlp", override, cwd=CONF.parent)
    with pytest.raises(ConfigError, match=message):
        jobs.run(of, tmp_path)
    assert not (tmp_path / "target.json").exists()
    of.training.steps, of.training.polish_steps = 1, 0
    jobs.run(replace(of, stage="target"), tmp_path)  # other runs share it


# ------------------------------------------------------------------------------- data-refined


def test_the_loss_on_other_data_is_the_closed_form() -> None:
    """E[L_B] over a Gaussian posterior of data A: ½ tr(H_B Σ) + L_B(mean) − L_B(w*)."""
    other_x = RNG.normal(size=(50, 4)) * [3.0, 1.0, 0.1, 1.0]
    other = {"x": other_x, "y": other_x @ [1.1, -1.0, 0.0, 0.0] + 0.3}
    found = llc.estimate(loss_fn, W_STAR, DATA, "nuts", gamma=5.0, evaluate={"other": other, "same": DATA}).estimate
    design, other_design = (np.column_stack([np.ones(len(x)), x]) for x in (X, other_x))  # in the order of the pytree
    w_star = np.array([0.3, *W_STAR["kernel"]])
    nbeta = 200 / np.log(200)
    covariance = np.linalg.inv(nbeta * design.T @ design / 200 + 5.0 * np.eye(5))
    mean = w_star - covariance @ (nbeta * design.T @ (design @ w_star - DATA["y"]) / 200)

    def loss(w: np.ndarray) -> float:
        return 0.5 * float(np.mean((other_design @ w - other["y"]) ** 2))

    exact = nbeta * (0.5 * np.trace(other_design.T @ other_design @ covariance) / 50 + loss(mean) - loss(w_star))
    here = found.elsewhere
    assert here["loss_star_other"] == pytest.approx(loss(w_star), rel=1e-6)
    assert here["llc_mcse_other"] is not None
    assert here["llc_mcse_other"] < 0.1 * abs(exact)
    assert here["llc_mean_other"] == pytest.approx(exact, abs=4 * here["llc_mcse_other"])
    assert here["llc_mean_same"] == pytest.approx(found.llc_mean, rel=1e-4)
    assert here["rhat_same"] == pytest.approx(found.rhat, rel=1e-3)


FEW = ["sampler.names=[sgld]", "sampler.sgld.step_size=1e-6", "sampler.sgld.draws=16", "sampler.sgld.thin=2"]


def test_a_job_evaluates_on_a_file_a_function_and_the_test_rows(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(30, 64)), RNG.integers(0, 10, 30)
    np.savez(tmp_path / "noise.npz", x=x, y=y)
    (tmp_path / "made_here.py").write_text(
        "import numpy as np\ndef noise():\n    with np.load('noise.npz') as f:\n        return f['x'], f['y']\n"
    )
    sources = ["evaluate={noise: noise.npz, made: made_here.noise, held_out: test}"]
    of = job("data=digits", "data.n_data=100", "model=small", "training.steps=50", *FEW, *sources, cwd=tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        jobs.run(of, tmp_path)
    row = pd.read_csv(tmp_path / "metrics_summary.csv").iloc[0]
    about = json.loads((tmp_path / "run_info.json").read_text())
    assert row["loss_star_held_out"] == pytest.approx(about["target"]["test_loss"], rel=1e-6)
    assert row["loss_star_noise"] > row["loss_star_held_out"] > row["loss_star"]
    assert row["llc_mean_noise"] == row["llc_mean_made"] != row["llc_mean_held_out"]
    table = llc.load_sweep(_as_multirun(tmp_path)).table
    assert table["sgld_llc_mean_noise"][0] == row["llc_mean_noise"]


def test_other_labels_are_classes_of_the_model_and_may_be_a_column(tmp_path: Path) -> None:
    def load(*overrides: str) -> Dataset:
        of = job("data=own", "model=own", "model._target_=cases.Linear", *overrides, cwd=Path(__file__).parent)
        return elsewhere.load(of, target.problem(of))["a"]

    of_classes = ["data._target_=cases.with_test_rows", "data.args={label:1}", "evaluate={a: cases.signs}"]
    with pytest.raises(ConfigError, match=r"evaluate\.a: labels='-1 … 1': must be classes 0 … 1"):
        load(*of_classes)
    # A user's loss has labels as they are, a file has them in columns.
    np.savez(tmp_path / "columns.npz", x=np.ones((5, 3)), y=np.arange(5.0))
    of_numbers = ["data._target_=cases.flat", "model.args={column:false}", "loss=cases.mean_loss"]
    flat = load(*of_numbers, f"evaluate={{a: {tmp_path}/columns.npz}}")
    np.testing.assert_array_equal(flat.y, np.arange(5.0))
    likewise = load("data._target_=cases.flat", "model.args={d_out:1}", "loss=mse", "evaluate={a: cases.flat}")
    assert likewise.sigma == np.sqrt(0.5)  # of the data sampled on, as the loss has it


def _as_multirun(run: Path) -> Path:
    folder = run / "multirun"
    (folder / "0/.hydra").mkdir(parents=True)
    (folder / "0/.hydra/overrides.yaml").write_text("[seed=0]")
    for name in ("config.yaml", "metrics_summary.csv", "run_info.json", "traces.nc"):
        (run / name).rename(folder / "0" / name)
    return folder


def test_other_data_count_in_the_run_and_not_in_its_target(tmp_path: Path) -> None:
    for name, value in {"a": 0.0, "b": 1.0, "same": 0.0}.items():
        np.savez(tmp_path / f"{name}.npz", x=np.ones((5, 3)), y=np.full(5, value))
    a, b, same = (job(f"evaluate={{other: {name}.npz}}", cwd=tmp_path) for name in ("a", "b", "same"))
    assert run_id(a) == run_id(same)
    assert len({run_id(a), run_id(b), run_id(job()), run_id(job("evaluate={it: a.npz}", cwd=tmp_path))}) == 4
    assert target_id(a) == target_id(b) == target_id(job())
    own = job("evaluate={other: examples.robust.line}", cwd=CONF.parent)
    assert target_id(own) == target_id(job())
    assert run_id(own) != run_id(job())
    again = job(f"evaluate={{other: {{path: {tmp_path}/a.npz, sha256: {a.evaluate['other']['sha256']}}}}}")
    assert run_id(again) == run_id(a)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("evaluate=3", "evaluate=3: must be {name: data, …}, or null"),
        ("evaluate={a b: test}", "evaluate='a b': must be names of letters"),
        ("evaluate={a: 3}", "evaluate.a=3: must be test, a file.npz, or the import path of a function"),
        ("evaluate={a: nowhere.npz}", "evaluate.a=.*nowhere.npz'?: no such file"),
        ("evaluate={a: nowhere.data}", "evaluate.a='nowhere.data': there is no module nowhere"),
        ("evaluate={a: {rows: train}}", "evaluate.a.rows='train': must be test"),
        ("data=digits data.n_data=1797 evaluate={a: test}", "data.n_data=1797 leaves no rows"),
        ("data=npz data.path=wide.npz evaluate={a: test}", "data.n_data=5 leaves no rows"),
        ("evaluate={a: test}", "evaluate.a='test': must be an npz file or a function: data.kind=teacher has no rows"),
        ("evaluate={a: wide.npz}", "wide.npz: 4 inputs, 1 outputs': must be data of 3 inputs and 1 outputs"),
        ("data=digits evaluate={a: wide.npz}", "must be data of 64 inputs and 10 classes"),
        ("evaluate={a: {path: wide.npz, sha256: '0'}}", "evaluate.a.sha256='0': must be the digest of"),
    ],
)
def test_wrong_other_data_are_an_error_before_a_job_starts(overrides: str, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "wide.npz", x=np.ones((5, 4)), y=np.ones(5))
    of, _, sources = overrides.rpartition("evaluate=")
    with pytest.raises(ConfigError, match=message):
        job(*of.split(), f"evaluate={sources}", cwd=tmp_path)


def test_the_page_on_refined_llcs_does_what_it_says(tmp_path: Path) -> None:
    by_layer = run_blocks("refined.md")["by_layer"]
    assert all(0 < found.llc_mean < d / 2 for found, d in zip(by_layer.values(), (6, 3), strict=True))
    shutil.copytree(CONF, tmp_path / "conf")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (DOCS / "refined.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "conf/sweep/layers.yaml").write_text(block)
    found = sweep.load("layers", tmp_path / "conf", tmp_path)
    assert [row.swept["posterior.restrict"] for row in found] == ["layers/0/*"] * 2 + ["layers/1/*"] * 2
    assert len({row.run_id for row in found}) == 4
    assert len({row.target_id for row in found}) == 2
