"""The estimator from Python: known answers, the same numbers as a job, errors that help."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from composing import job

import llc
from llc import job as jobs
from llc.config import ConfigError
from llc.exact import expected
from llc.loss.likelihood import Batch
from llc.loss.mean_check import UNEVEN, is_mean
from llc.targets import target

RNG = np.random.default_rng(0)
N, SIGMA = 400, 0.7
X = RNG.normal(size=(N, 3))
DATA = {"inputs": X, "labels": X @ np.ones(3) + 1}
EXACT = {"inputs": X, "labels": X @ np.ones(3) + np.float32(1.2)}  # fitted by W_STAR
W_STAR = {"kernel": np.ones(3), "bias": np.float32(1.2)}  # off the minimum by 0.2 in the bias
FEW = {"warmup": 50, "draws": 20}


def regression_loss(w: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
    residual = batch["inputs"] @ w["kernel"] + w["bias"] - batch["labels"]
    return jnp.mean(residual**2) / (2 * SIGMA**2)


def test_importing_the_package_imports_nothing_else() -> None:
    script = (
        "import sys, llc; assert {'estimate', 'load_sweep'} <= set(dir(llc));"
        "print(*{'jax', 'numpy', 'pandas', 'omegaconf', 'llc.api'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_estimate_of_a_pytrees_loss_is_the_closed_form() -> None:
    estimate, trace = llc.estimate(regression_loss, W_STAR, DATA, sampler="nuts", gamma=20.0, beta0=2.0)
    design = np.column_stack([X, np.ones(N)])
    curvatures, basis = np.linalg.eigh(design.T @ design / N / SIGMA**2)
    nbeta = 2.0 * N / np.log(N)
    exact = expected.quadratic(curvatures, nbeta, 20.0, basis.T @ [0.0, 0.0, 0.0, 0.2])
    assert estimate.status == "negative"  # which is right: w* is off the minimum
    assert (estimate.beta, estimate.gamma, estimate.n_chains) == (2.0 / np.log(N), 20.0, 4)
    assert estimate.llc_mcse is not None
    assert estimate.llc_mcse < 0.02 * abs(exact)
    assert estimate.llc_mean == pytest.approx(exact, abs=4 * estimate.llc_mcse)
    assert trace.loss.shape == (4, estimate.n_draws)


def test_settings_may_be_numbers_of_numpy_and_jax() -> None:
    plain: dict[str, Any] = {"step_size": 2.0**-10, "draws": 20, "thin": 2}
    for kind in (np.float32, np.float64, jnp.float32):
        given = {name: kind(value) if isinstance(value, float) else np.int32(value) for name, value in plain.items()}
        seeded = ({**given, "seed": jnp.int32(3)}, {**plain, "seed": 3})
        found, as_plain = (llc.estimate(regression_loss, W_STAR, DATA, sampler="sgld", **s) for s in seeded)
        assert np.array_equal(found.trace.loss, as_plain.trace.loss)


def test_rounding_of_what_gamma_adds_is_not_taken_for_a_loss_below_that_at_w_star() -> None:
    # x w1⁴ w2, w around 0: of U, which is about 1, nβ L_n is 7e-5. A third of the draws was below L_n(w*) = 0.
    data = {"x": np.linspace(-1.0, 1.0, 345, dtype=np.float32)}

    def loss(w: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
        return jnp.mean((batch["x"] * w[0] ** 4 * w[1]) ** 2) / 2

    estimate, trace = llc.estimate(loss, jnp.zeros(2), data, sampler="hmc", gamma=67.5, draws=500, warmup=100)
    assert (trace.loss < 0).mean() > 0.1
    assert (estimate.below, estimate.status) == (0.0, "ok")


def test_the_same_call_has_the_same_numbers_and_another_of_its_loss_compiles_nothing() -> None:
    compiled: list[str] = []

    def count(event: str, _seconds: float, **_: Any) -> None:
        compiled.extend([event] if "backend_compile" in event else [])

    call = partial(llc.estimate, regression_loss, sampler="nuts", **FEW)
    first = call(W_STAR, DATA)
    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        again, other = (
            call(W_STAR, DATA),
            call({"kernel": np.zeros(3), "bias": 0.5}, DATA, gamma=3.0, seed=1),
        )
    finally:
        jax.monitoring.unregister_event_duration_listener(count)
    assert not compiled
    np.testing.assert_array_equal(first.trace.loss, again.trace.loss)
    assert not np.intersect1d(first.trace.loss, other.trace.loss).size


def test_a_job_and_a_call_share_every_number(tmp_path: Path) -> None:
    settings = {"draws": 16, "thin": 2, "chains": 2}
    names = [f"sampler.sgld.{key}={value}" for key, value in settings.items()]
    of = job("training=truth", "posterior.gamma=7", "sampler.names=[sgld]", "seed=5", *names)
    jobs.run(of, tmp_path)
    row = pd.read_csv(tmp_path / "metrics_summary.csv").iloc[0]
    problem = target.problem(of)
    w_star = np.load(tmp_path / "target.npz")["w_star"]
    rows = Batch(problem.data.x, problem.data.y, np.asarray(problem.data.sigma))
    found, _ = llc.estimate(problem.loss_fn, w_star, rows, "sgld", gamma=7.0, seed=5, **settings)
    for column in ("llc_mean", "llc_mcse", "loss_star", "n_grad_evals", "reach", "below", "llc_bias"):
        assert getattr(found, column) == row[column], column


def test_a_job_of_a_linear_model_draws_as_if_it_had_all_its_rows(tmp_path: Path) -> None:
    """It has few that are sufficient."""
    settings = {"draws": 16, "thin": 2, "chains": 2, "step_size": 1e-6, "batch_size": 500}
    names = [f"sampler.sgld.{key}={value}" for key, value in settings.items()]
    of = job("model=quadratic", "data.n_data=500", "training=truth", "sampler.names=[sgld]", *names)
    jobs.run(of, tmp_path)
    row = pd.read_csv(tmp_path / "metrics_summary.csv").iloc[0]
    problem = target.problem(of)
    rows = Batch(problem.data.x, problem.data.y, np.asarray(problem.data.sigma))
    w_star = np.load(tmp_path / "target.npz")["w_star"]
    found, _ = llc.estimate(problem.loss_fn, w_star, rows, "sgld", **settings)
    assert row["llc_mean"] == pytest.approx(found.llc_mean, rel=1e-3)
    assert row["llc_std"] == pytest.approx(found.llc_std, rel=1e-3)


def test_double_precision_is_double_and_the_trace_goes_to_arviz() -> None:
    found = llc.estimate(regression_loss, W_STAR, DATA, precision="float64", chains=2, beta=0.25, **FEW)
    assert found.trace.loss.dtype == np.float64
    assert found.estimate.beta == 0.25
    data = found.to_arviz()
    np.testing.assert_array_equal(data.posterior["loss"], found.trace.loss)
    assert data.sample_stats["diverging"].shape == (2, 20)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"beta": float("inf")}, ValueError, "posterior.beta=inf: must be finite"),
        ({"gamma": 1e39}, ValueError, "posterior.gamma=1e\\+39: must be finite, a number within float32"),
        ({"target_accept": "high"}, ValueError, "sampler.nuts.target_accept: Value 'high' .* to Float"),
        ({"evaluate": {"o": {"labels": np.ones(3)}}}, TypeError, r"evaluate\['o'\]: the loss fails on it.*inputs"),
        ({"evaluate": {"o": {**DATA, "labels": np.nan * DATA["labels"]}}}, ValueError, r"evaluate\['o'\]=nan: must be"),
    ],
)
def test_numbers_and_other_data_are_checked_before_sampling(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        llc.estimate(regression_loss, W_STAR, DATA, **wrong)


def test_parameters_without_numbers_cannot_be_all_that_move() -> None:
    with pytest.raises(ValueError, match="restrict='empty': must be of parameters that are numbers"):
        llc.estimate(
            lambda w, batch: regression_loss(w["own"], batch),
            {"own": W_STAR, "empty": np.zeros(0)},
            DATA,
            restrict="empty",
        )


def test_other_data_may_be_a_single_row() -> None:
    one = {"inputs": X[:1], "labels": DATA["labels"][:1]}
    found = llc.estimate(regression_loss, W_STAR, DATA, evaluate={"one": one}, **FEW)
    assert found.estimate.elsewhere["loss_star_one"] == pytest.approx(float(regression_loss(W_STAR, one)))


def test_a_loss_of_something_that_has_changed_since_is_refused() -> None:
    scale = {"sigma": 1.0}

    def loss(w: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
        return regression_loss(w, batch) / scale["sigma"]

    before = llc.estimate(loss, W_STAR, DATA, **FEW).estimate
    assert llc.estimate(loss, W_STAR, DATA, **FEW).estimate.llc_mean == before.llc_mean
    scale["sigma"] = 10.0
    with pytest.raises(ValueError, match="loss_fn: it reads what is neither in w nor in the batch"):
        llc.estimate(loss, W_STAR, DATA, **FEW)


def first(data: dict[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    return {name: array[:n] for name, array in data.items()}


def test_a_loss_in_bfloat16_is_the_same_loss_compiled_or_not() -> None:
    def loss(w: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
        w, batch = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (w, batch))
        return jnp.mean(((jnp.tanh(batch["inputs"] @ w) - batch["labels"]) ** 2).astype(jnp.float32))

    w, eight, four = (jax.tree.map(jnp.asarray, tree) for tree in (np.ones(3), first(DATA, 8), first(DATA, 4)))
    once, compiled = float(loss(w, four)), float(jax.jit(loss)(w, four))
    assert abs(once - compiled) > UNEVEN * compiled  # else this shows nothing
    assert is_mean("loss", loss, w, eight)


@pytest.mark.parametrize("step_size", [1e-4, "auto"])
def test_a_loss_may_have_another_precision_than_the_parameters(step_size: float | str) -> None:
    def loss(w: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
        return jnp.mean((batch["inputs"] @ w - batch["labels"]) ** 2).astype(jnp.float32)

    data = {"inputs": np.random.default_rng(0).normal(size=(50, 3)), "labels": np.zeros(50)}
    settings = {"step_size": step_size, "draws": 50, "warmup": 0}
    found = llc.estimate(loss, np.zeros(3), data, sampler="sgld", gamma=1.0, precision="float64", **settings)
    assert found.estimate.llc_mean is not None


def test_a_sum_is_noticed_where_the_loss_is_not_defined_everywhere() -> None:
    def loss(w: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
        return jnp.sum(batch["x"] ** 2 / (2 * w[batch["kind"]] ** 2) + jnp.log(w[batch["kind"]]))

    sigma, kind = np.full(5, 0.05), np.arange(N) % 5
    with pytest.raises(ValueError, match="is their sum"):
        llc.estimate(loss, sigma, {"x": 0.05 * X[:, 0], "kind": kind})


def summed(w: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
    return len(batch["inputs"]) * regression_loss(w, batch)


def per_row(w: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
    return batch["labels"]


class Holding(list[float]):
    __call__ = staticmethod(regression_loss)


def masked(w: dict[str, Any], batch: dict[str, jax.Array]) -> jax.Array:
    residual = batch["inputs"] @ w["kernel"] + w["bias"] - batch["labels"]
    return jnp.sum(batch["mask"] * residual**2) / jnp.sum(batch["mask"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sampler": "nutz"}, ConfigError, r"sampler='nutz'.*did you mean nuts\?"),
        ({"sampler": "gibbs"}, ConfigError, "sampler='gibbs'.*one of sgld, hmc, nuts, mclmc"),
        ({"warmupp": 3}, ConfigError, r"warmupp=3: sampler nuts has no such setting \(did you mean warmup\?\)"),
        ({"draws": 3}, ConfigError, "sampler.nuts.draws=3: must be at least 8"),
        ({"draws": 50.0}, ConfigError, "sampler.nuts.draws: Value '50.0' .* to Integer"),
        ({"draws": True}, ConfigError, "sampler.nuts.draws: Value 'True' .* to Integer"),
        (
            {"sampler": "sgld", "control_variates": "maybe"},
            ConfigError,
            "control_variates: .* not a valid bool",
        ),
        ({"seed": 2**32}, ConfigError, "seed=4294967296: must be an integer in 0 … 2³¹"),
        ({"gamma": -1.0}, ConfigError, "posterior.gamma=-1.0: must be 0 or more"),
        (
            {"restrict": "kernels"},
            ConfigError,
            "restrict='kernels': must be a pattern that matches one of bias, kernel",
        ),
        ({"restrict": "bias", "sampler": "mclmc"}, ValueError, "mclmc: needs two parameters that move"),
        ({"evaluate": {"a": {"inputs": X, "labels": np.zeros(7)}}}, ValueError, r"evaluate\['a'\]: .*'labels': 7"),
        ({"precision": "float16"}, ConfigError, "precision='float16'"),
        ({"loss_fn": summed}, ValueError, "must be the mean over rows and is their sum"),
        ({"loss_fn": summed, "data": EXACT}, ValueError, "must be the mean over rows and is their sum"),
        (
            {"loss_fn": masked, "data": {**DATA, "mask": np.arange(1.0, N + 1)}},
            ValueError,
            "each by itself: of 256 rows",
        ),
        (
            {"loss_fn": masked, "data": {**DATA, "mask": np.arange(N) < N / 2}},
            ValueError,
            "of 4 of them nan on average",
        ),
        (
            {"loss_fn": masked, "data": {**DATA, "mask": np.where(np.arange(N) % 50, 1.0, 50.0)}},
            ValueError,
            "by itself",
        ),
        ({"data": {**DATA, "id": 2**40 + np.arange(N)}}, ValueError, "data: id has integers beyond 32 bits"),
        ({"evaluate": {"distance": DATA}}, ConfigError, "evaluate='distance': must be names .* not distance"),
        ({"loss_fn": Holding()}, TypeError, "loss_fn: must be hashable, as a function is"),
        ({"loss_fn": per_row}, TypeError, r"must return one real number.*shape=\(400,\)"),
        ({"w_star": {"kernel": np.arange(3), "bias": 0.0}}, TypeError, "w_star: kernel is of int64"),
        (
            {"w_star": {"kernel": np.full(3, np.nan), "bias": 0.0}},
            ConfigError,
            r"loss_fn\(w_star, data\)=nan",
        ),
        ({"data": {**DATA, "labels": np.zeros(7)}}, ValueError, "'inputs': 400, 'labels': 7"),
        ({"data": {k: v[:1] for k, v in DATA.items()}}, ValueError, "it has 1 rows, 2 are needed"),
        ({"data": {**DATA, "labels": np.full(N, "a")}}, TypeError, "data: labels is of <U1"),
        ({"data": {"inputs": 1.0}}, ValueError, "one leading axis of n rows, got lengths {}"),
    ],
)
def test_a_wrong_call_is_an_error_that_names_what_is_wrong(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    call = {"loss_fn": regression_loss, "w_star": W_STAR, "data": DATA} | change
    with pytest.raises(error, match=message):
        llc.estimate(**call)
