"""Samplers of one job are checks of each other."""

from pathlib import Path

import numpy as np
import pytest
from composing import job
from fabricating import estimate_of

from llc import job as jobs
from llc import records
from llc.estimates import agreement
from llc.estimates.agreement import held_together
from llc.estimates.metrics import Estimate
from llc.samplers import Trace

GAMMA, LOSS_STAR, NBETA = 2.0, 0.5, 100.0


def trace_of(energies: np.ndarray, share: float = 0.25) -> Trace:
    """Return a trace with these values of U − U(w*), of which γ makes a share of those above 0."""
    ours = share * np.maximum(energies, 0.0)
    loss = LOSS_STAR + (energies - ours) / NBETA
    return Trace(loss=loss, n_grad_evals=1.0, stats={"distance2": 2 * ours / GAMMA})


def held(traces: dict[str, np.ndarray], **estimates: dict) -> dict[str, Estimate]:
    """Return the estimates of samplers with these energies, ok unless they say otherwise."""
    alone = {name: estimate_of({"loss_star": LOSS_STAR, **estimates.get(name, {"llc_mean": 5.0})}) for name in traces}
    return held_together(alone, {name: trace_of(energies) for name, energies in traces.items()}, NBETA, GAMMA)


def basin(dim: float, lowest: float = 0.0, seed: int = 0, draws: int = 500) -> np.ndarray:
    """Return U − U(w*) of draws around a minimum."""
    return np.random.default_rng(seed).gamma(dim / 2, size=(4, draws)) + lowest


@pytest.mark.parametrize("dim", [1, 20, 10_000])
def test_a_sampler_that_has_been_far_below_w_star_makes_the_others_metastable(dim: int) -> None:
    escaped = basin(dim, seed=1)
    escaped[3, 400:] = basin(dim, -100.0 - dim, seed=2)[3, 400:]
    found = held({"hmc": basin(dim), "sgld": basin(dim, seed=3), "nuts": escaped}, nuts={"status": "not_converged"})
    assert [found[name].status for name in ("hmc", "sgld", "nuts")] == ["metastable", "metastable", "not_converged"]
    assert found["hmc"].reason.startswith("nuts has been ")
    assert found["hmc"].llc_mean == 5.0


@pytest.mark.parametrize("dim", [1, 20, 10_000])
@pytest.mark.parametrize("lowest", [0.0, -30.0, -9000.0])  # of a w* that training left, before a minimum
def test_samplers_that_have_been_in_the_same_places_stay_as_they_are(dim: int, lowest: float) -> None:
    few, many = basin(dim, lowest, draws=50), basin(dim, lowest, seed=1, draws=20_000)
    found = held({"sgld": few, "nuts": many})
    assert {estimate.status for estimate in found.values()} == {"ok"}


@pytest.mark.parametrize(("lowest", "status"), [(-9.0, "ok"), (-11.0, "metastable")])
def test_a_little_below_w_star_is_not_another_basin(lowest: float, status: str) -> None:
    other = basin(1_000, seed=1)
    other[0, 0] = lowest
    assert held({"hmc": basin(1_000), "nuts": other})["hmc"].status == status


def test_a_chain_that_left_the_finite_numbers_says_nothing() -> None:
    lost = basin(20)
    lost[0, 10:] = -np.inf
    lost[1, 10:] = np.nan
    found = held({"hmc": basin(20), "sgld": lost}, sgld={"llc_mean": None})
    assert [found[name].status for name in ("hmc", "sgld")] == ["ok", "diverged"]


@pytest.mark.parametrize(("apart", "status"), [(4.9, "ok"), (5.1, "not_converged")])
def test_two_that_are_ok_and_far_apart_are_told(apart: float, status: str) -> None:
    energies = {name: basin(20) for name in ("nuts", "sgld")}
    own = {"llc_mean": 5.0, "llc_mcse": 0.3}
    found = held(energies, nuts=own, sgld=own | {"llc_mean": 5.0 - apart * 0.3 * 2**0.5})
    assert {estimate.status for estimate in found.values()} == {status}
    if status != "ok":
        assert found["sgld"].reason == "nuts, ok too, has 5 ± 0.3, 5.1 standard errors away: one of them is wrong"


def test_one_that_is_not_ok_does_not_make_another_so_by_its_distance() -> None:
    energies = {name: basin(20) for name in ("nuts", "sgld")}
    found = held(energies, nuts={"llc_mean": 5.0}, sgld={"llc_mean": 9.0, "status": "not_converged"})
    assert found["nuts"].status == "ok"


def test_a_job_writes_the_verdict_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(agreement, "APART_MAX", 0.0)
    settings = ["model=rrr", "model.widths=[2,1,2]", "data=linear", "data.n_data=200", "training=truth"]
    jobs.run(job(*settings, "sampler.names=[gibbs,sgld]", "posterior.gamma=10"), tmp_path)
    rows = records.read_metrics(tmp_path / records.METRICS)
    assert rows["sgld"]["status"] == "not_converged"
    assert str(rows["sgld"]["reason"]).startswith("gibbs, ok too, has ")
    assert "sgld: beside the others not_converged" in caplog.text
