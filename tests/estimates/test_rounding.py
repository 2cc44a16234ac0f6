"""Numbers that are too coarse for an estimate are told, though all samplers agree in them."""

import math
from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import llc
from llc.estimates.estimator import AtEnds, AtStar, estimate
from llc.estimates.trace import Ends, Trace

NBETA, DIM = 100.0, 3
DRAWS = np.random.default_rng(0).gamma(1.5, size=(4, 2000))
MCSE = float(DRAWS.std()) / np.sqrt(DRAWS.size)


def verdict(
    star: float = 0.0, spacing: float = 0.0, step_size: float | None = None, off: Sequence[float] = ()
) -> tuple[str, str]:
    """Return the verdict on independent draws, of an sd of 1 in each parameter."""
    stats = {"distance2": np.random.default_rng(1).chisquare(DIM, size=DRAWS.shape)}
    excess = None
    if step_size is not None:
        stats["step_size"], excess = np.full(DRAWS.shape, step_size), np.zeros(DRAWS.shape)
    trace = Trace(
        DRAWS / NBETA, n_grad_evals=1.0, stats=stats, star={"loss": star / NBETA}, spacing=spacing, excess=excess
    )
    n = 1000
    at_ends = None
    if off:
        trace = replace(trace, ends=Ends(np.zeros((4, DIM)), trace.loss[:, -1]))
        at_ends = AtEnds(trace.loss[:, -1] - np.array(off) / NBETA)
    found = estimate(trace, AtStar(0.0, 0.0, 0.0), n=n, beta=NBETA / n, gamma=1.0, n_params=DIM, at_ends=at_ends)
    return found.status, found.reason


def test_a_loss_at_w_star_that_is_off_by_more_than_the_error_is_told() -> None:
    assert verdict(star=0.7 * MCSE)[0] == "ok"
    status, reason = verdict(star=-1.5 * MCSE)
    assert status == "not_converged"
    assert reason.startswith(f"nβ L_n(w*) is off by {1.5 * MCSE:.2g}")
    assert reason.endswith("must be drawn from a seed")  # as no rounding of a loss of 0 is


def test_parameters_that_move_by_few_of_the_numbers_there_are_are_told() -> None:
    assert verdict(spacing=0.04)[0] == "ok"
    status, reason = verdict(spacing=0.06)
    assert (status, reason[:21]) == ("not_converged", "w is rounded to 0.06,")
    assert verdict(spacing=0.04, step_size=0.1)[0] == "not_converged"  # the noise of a step is smaller than the sd


@pytest.mark.parametrize(
    ("off", "status"),
    [
        ([0.1, -0.1, 0.1, -0.1], "ok"),  # noise of single draws, which their mean has little of
        ([1.0, 0.0, 0.0, 0.0], "not_converged"),
        ([0.1, 0.1, 0.1, 0.101], "not_converged"),  # in all of them alike, and 7 of the standard errors
        ([0.01, 0.01, 0.01, 0.01], "ok"),
        ([math.nan, 0.0, 0.0, 0.0], "not_converged"),
    ],
)
def test_draws_whose_loss_is_another_in_float64_are_told(off: list[float], status: str) -> None:
    found = verdict(off=off)
    assert found[0] == status
    assert ("where the chains ended: precision=float64" in found[1]) == (status != "ok")


def of_time(w: dict[str, jax.Array], batch: dict[str, jax.Array]) -> jax.Array:
    """Squares of a line that is level at w*, where times in seconds do not matter."""
    z = (batch["t"] - batch["mean"]) / batch["sd"]
    return jnp.mean((w["a"] + w["b"] * z - batch["y"]) ** 2) / 2


@pytest.mark.parametrize("name", ["sgld", "nuts"])
@pytest.mark.parametrize(("precision", "status"), [("float32", "not_converged"), ("float64", "ok")])
def test_digits_that_matter_only_away_from_w_star_are_told(name: str, precision: str, status: str) -> None:
    rng, n = np.random.default_rng(1), 1000
    t = 1.7e9 + rng.uniform(0, 60, n)
    z, e = (t - t.mean()) / t.std(), rng.normal(size=n)
    e -= e.mean() + z * (z @ e) / (z @ z)  # a and b are those of least squares
    data = {"t": t, "y": 0.3 + e, "mean": np.array(t.mean()), "sd": np.array(t.std())}
    w_star = {"a": np.array(0.3), "b": np.array(0.0)}
    found = llc.estimate(of_time, w_star, data, name, precision=precision).estimate
    assert found.status == status, found.reason
    if status == "ok":
        nbeta = n / math.log(n)
        assert found.llc_mean == pytest.approx(nbeta / (nbeta + 1), abs=4 * found.llc_mcse)
    else:
        assert "where the chains ended" in found.reason


def in_seconds(w: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
    """Squares of a line in time, which is given in seconds since long ago: 128 of them are one in float32."""
    return jnp.mean((batch["y"] - w * (batch["t"] - batch["t0"]) / 1000) ** 2) / 0.18


@pytest.mark.parametrize(("precision", "status"), [("float32", "not_converged"), ("float64", "ok")])
def test_data_that_lose_their_digits_are_told_and_keep_them_in_float64(precision: str, status: str) -> None:
    t = 1.7e9 + 2.0 * np.arange(1800)
    u = (t - 1.7e9 - 1800) / 1000
    y = 1.5 * u + 0.3 * np.random.default_rng(0).normal(size=len(u))
    data = {"y": y, "t": t, "t0": np.array(1.7e9 + 1800)}
    w_star = np.array(u @ y / (u @ u))
    found = llc.estimate(in_seconds, w_star, data, "hmc", evaluate={"same": data}, precision=precision).estimate
    others = found.elsewhere
    assert found.status == status, found.reason
    assert (others["llc_mean_same"] is None) == (status != "ok")
    if status == "ok":
        assert found.llc_mean == pytest.approx(0.5, abs=4 * found.llc_mcse)
        assert others["llc_mean_same"] == pytest.approx(found.llc_mean)


def half_rounded(w: jax.Array, batch: jax.Array) -> jax.Array:
    """Squares of ten weights, five of them rounded to eighths: their gradient is 0 wherever there is one."""
    return jnp.sum(jnp.concatenate([jnp.round(8 * w[:5]) / 8, w[5:]]) ** 2) * jnp.mean(batch) / 2


def test_a_loss_with_jumps_is_not_left_to_a_sampler_that_has_its_gradient_alone() -> None:
    w_star, data = np.zeros(10), np.full(500, 5 * math.log(500) / 500)  # a curvature of 5, of nβ L_n
    found = llc.estimate(half_rounded, w_star, data, "sgld").estimate
    assert found.llc_mean is not None
    assert found.llc_mean > 10  # far above: 4.2 is right
    assert found.status == "biased"
    assert found.reason.endswith("that its gradient does not know: take nuts or hmc")
    smooth = llc.estimate(lambda w, batch: jnp.sum(w**2) * jnp.mean(batch) / 2, w_star, data, "sgld").estimate
    assert smooth.status == "ok", smooth.reason
