"""R-hat, ESS and the standard error of a mean are ArviZ' own."""

from collections.abc import Callable

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.signal import lfilter

from llc.estimates import mixing

ARVIZ: dict[Callable[[np.ndarray], float], Callable[[np.ndarray], float]] = {
    mixing.rhat: array_stats.rhat,
    mixing.ess_bulk: lambda draws: array_stats.ess(draws, method="bulk"),
    mixing.ess_tail: lambda draws: array_stats.ess(draws, method="tail", prob=(0.05, 0.95)),
    mixing.mcse: lambda draws: array_stats.mcse(draws, method="mean"),
}

MADE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda draws: draws,
    "with ties": lambda draws: np.round(draws),
    "of two values": lambda draws: (draws > 0).astype(float),
    "with a heavy tail": lambda draws: np.exp(2 * draws),
    "a random walk": lambda draws: np.cumsum(draws, axis=1),
    "chains apart": lambda draws: draws + 3 * np.arange(len(draws))[:, None],
    "half of them equal": lambda draws: np.where(np.arange(draws.shape[1]) < draws.shape[1] // 2, draws[0, 0], draws),
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("carried_on", [-0.9, 0.0, 0.5, 0.99])
def test_they_are_those_of_arviz(kind: str, carried_on: float) -> None:
    rng = np.random.default_rng(0)
    for chains, n in (2, 4), (2, 5), (3, 8), (4, 9), (2, 50), (4, 101), (8, 1000):
        draws = rng.normal(size=(chains, n))
        for t in range(1, n):
            draws[:, t] += carried_on * draws[:, t - 1]
        draws = MADE[kind](draws)
        with np.errstate(divide="ignore", invalid="ignore"):  # ArviZ' own, of chains that do not move
            expected = [arviz(draws) for arviz in ARVIZ.values()]
        np.testing.assert_allclose([ours(draws) for ours in ARVIZ], expected, rtol=1e-9, err_msg=f"{chains} × {n}")


def test_of_fewer_draws_than_can_be_split_there_are_none() -> None:
    assert all(np.isnan(ours(np.ones((4, 3)))) for ours in ARVIZ)


@pytest.mark.parametrize("chains", [1, 3, 4])
def test_the_error_by_parts_is_that_of_the_mean(chains: int) -> None:
    draws = lfilter([1.0], [1.0, -0.8], np.random.default_rng(1).normal(size=(200, chains, 4_000)))
    errors = np.array([mixing.mcse_of_parts(each) for each in draws])
    exact = 5 / np.sqrt(chains * 4_000)  # of long chains: 1/(1 − 0.8) of independent draws
    # Of 40 means or 42, each relative error is 1/√78, and parts of 100 draws lack 2 % of the error, half of 1/25.
    assert np.mean(errors) / exact == pytest.approx(0.98, abs=4 / np.sqrt(78 * 200))
    assert np.std(errors) / exact == pytest.approx(1 / np.sqrt(78), rel=0.25)
    assert np.isnan(mixing.mcse_of_parts(draws[0, :, :9]))
