"""Losses, and models and data of a user's own: what fits each other, and what is refused."""

from pathlib import Path

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from composing import TESTS, job

from llc.config import ConfigError
from llc.loss.likelihood import batch
from llc.targets import losses, target
from llc.targets.known import Known, answers

DATA = "data=own data._target_=cases.data"
TESTED = "data=own data._target_=cases.with_test_rows"
MODEL = "model=own model._target_=cases.Linear"
TOKENS = "data=own data._target_=cases.tokens model=own model._target_=cases.embedding loss=cases.token_loss"


def problem(overrides: str) -> target.Problem:
    return target.problem(job(*overrides.split(), cwd=TESTS))


def loss_of(found: target.Problem, w: jax.Array) -> float:
    return float(found.loss_fn(w, batch(found.data.x, found.data.y, found.data.sigma, "float32")))


def test_a_models_parameters_are_its_pytree_in_order_with_their_paths_as_names() -> None:
    model = problem(f"{DATA} {MODEL}").model
    assert model.layout == (("bias/0", (2,)), ("bias/1", ()), ("kernel", (3, 2)))
    w = model.init(jax.random.key(3))
    assert (model.n_params, w.shape, w.dtype) == (9, (9,), jnp.float32)
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(model.apply(w, jnp.asarray(x)), x @ w[3:].reshape(3, 2), rtol=1e-5)


@pytest.mark.parametrize("d_out", [1, 2])
def test_mse_is_the_mean_over_all_entries(d_out: int) -> None:
    found = problem(f"{DATA} data.args={{d_out:{d_out}}} {MODEL} model.args={{d_out:{d_out}}} loss=mse")
    w = found.model.init(jax.random.key(0))
    outputs = found.model.apply(w, jnp.asarray(found.data.x, jnp.float32))
    assert loss_of(found, w) == pytest.approx(float(np.mean((found.data.y - outputs) ** 2)), rel=1e-5)


def test_a_column_of_labels_may_be_flat() -> None:
    found = problem(f"{DATA} data.args={{d_out:1,flat:true}} {MODEL} model.args={{d_out:1}}")
    assert found.data.y.shape == (40, 1)


def test_a_users_loss_is_the_mean_of_its_rows_or_the_mean_that_it_returns() -> None:
    found = problem(TOKENS)
    w = found.model.init(jax.random.key(0))
    exact = np.mean(cases.token_loss(w.reshape(5, 5)[found.data.x], jnp.asarray(found.data.y)))
    assert loss_of(found, w) == pytest.approx(float(exact), rel=1e-6)
    assert found.data.x.dtype == found.data.y.dtype == np.int32
    assert len(found.data.x_test) == 6
    of = problem(f"{DATA} {MODEL} loss=cases.mean_loss")
    w = of.model.init(jax.random.key(0))
    outputs = of.model.apply(w, jnp.asarray(of.data.x, jnp.float32))
    assert loss_of(of, w) == pytest.approx(float(np.mean(np.abs(of.data.y - outputs))), rel=1e-5)


def test_a_users_loss_may_take_labels_that_are_no_classes() -> None:
    found = problem(f"data=own data._target_=cases.signs {MODEL} model.args={{column:false}} loss=cases.mean_loss")
    assert set(found.data.y) == {-1, 1}


def test_a_users_loss_may_be_infinite_on_test_rows(tmp_path: Path) -> None:
    of = job(*f"{TESTED} data.args={{label:99}} {MODEL} loss=cases.loss_of_what_was_seen".split(), cwd=TESTS)
    of.training.steps, of.training.polish_steps = 1, 0
    made = target.make(of, target.problem(of))
    target.save(made, of, tmp_path)
    assert made.test_loss is None


def test_nothing_is_known_of_a_loss_of_ones_own() -> None:
    for loss, known in (("nll", True), ("cases.mean_loss", False)):
        of = job(*DATA.split(), "data.args={d_out:1}", "model=quadratic", "model.d_in=3", f"loss={loss}", cwd=TESTS)
        found = target.problem(of)
        assert losses.squares(of, found.data) == known
        w_star = np.zeros(3, np.float32)
        about = target.Target(w_star, 1.0, 1.0, 0, 0, "polished", "", None, None, {})
        assert (answers(of, found, about, 10.0) != Known()) == known


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (f"{DATA} model=own model._target_=cases.nothing", TypeError, "must return an object with init.*NoneType"),
        (f"{DATA} model=own model._target_=cases.counter", TypeError, "what init returns: count is of int32"),
        (f"{DATA} {MODEL} model.args={{d_out:1}}", ConfigError, r"outputs=\(40, 1\): must be of the shape"),
        (f"{DATA} {MODEL} model.args={{column:false}}", ConfigError, r"outputs=\(40,\)"),
        (f"{DATA} data.args={{kind:int}} {MODEL}", ConfigError, r"outputs=\(40, 2\): must be \(n, classes ≥ 3\)"),
        (f"{DATA} data.args={{kind:int}} {MODEL} loss=mse", ConfigError, "loss='mse': must be nll or cross_entropy"),
        (f"{DATA} {MODEL} loss=cross_entropy", ConfigError, "loss='cross_entropy': must be nll or mse"),
        (f"{DATA} model.d_in=4 model.d_out=2", ConfigError, r"inputs=\(4,\): must be those of.*\(40, 3\)"),
        (f"{DATA} data.n_data=50 {MODEL}", ConfigError, "data.n_data=50: must be between 2 and the 40 rows"),
        (f"data=own data._target_=cases.signs {MODEL}", ConfigError, r"data: labels='-1 … 1': must be classes 0 … 1"),
        (f"{TESTED} data.args={{label:2}} {MODEL}", ConfigError, r"data: test rows: labels='2 … 2': must be classes"),
        (f"{TESTED} data.args={{column:true}} {MODEL}", ConfigError, r"test rows='.*\(5, 1\)': must be as.*\(40,\)"),
        (f"data=own data._target_=cases.ragged {MODEL}", ValueError, r"got float64 \(5, 2\) and float64 \(4,\)"),
        (f"data=own data._target_=cases.alone {MODEL}", TypeError, "must return x, y or.*it returned ndarray"),
        (f"{DATA} {MODEL} loss=cases.sum_loss", ValueError, "loss='cases.sum_loss': must be the mean over rows"),
        (f"{DATA} {MODEL} loss=cases.entries_loss", TypeError, r"a number a row, \(40,\), or their mean.*\(40, 2\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_that_says_what_would(
    overrides: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        problem(overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("loss=nil", r"loss='nil': must be one of nll, mse, cross_entropy, module\.function"),
        ("loss=cross_entropy", "loss='cross_entropy': must be nll or mse: the labels of data.kind=teacher are real"),
        ("data=digits loss=mse", "loss='mse': must be nll: the labels of data.kind=digits are classes"),
        ("data.sigma=0.3 loss=mse", "data.sigma=0.3: must be left out with loss=mse"),
        ("data.sigma=0.1 loss=mse", "data.sigma=0.1: must be left out with loss=mse"),  # the default of nll
        ("model=own model._target_=cases.Linear", "data.kind='teacher': must be digits, npz or own"),
        ("model=dln data=linear sampler.names=[gibbs] loss=cases.mean_loss", "loss=cases.mean_loss is not of squares"),
        ("data=digits model=own model._target_=cases.Linear model.args=3", "model.args=3: must be {name: value, …}"),
        ("data=digits model=own model._target_=cases.Linear model.args={d_out:nan}", "args.d_out=nan: must be finite"),
        ("data=digits model=own", "model._target_: .*missing mandatory value"),
    ],
)  # fmt: skip
def test_what_is_known_to_be_wrong_is_an_error_before_a_job_starts(overrides: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        job(*overrides.split(), cwd=TESTS)
