"""A sampler's bar is for a terminal, and shows λ̂ so far."""

import io

import numpy as np
import pytest
from problems import ISOTROPIC, run_drifting

from llc.samplers import rounds
from llc.samplers.rounds import watched
from llc.samplers.stopping import ROUND
from llc.terminal import bar


class Terminal(io.StringIO):
    """Standard error, of a terminal or not."""

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


def test_a_terminal_has_a_bar_with_the_draws_and_the_estimate_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(tty=True)
    monkeypatch.setattr("sys.stderr", terminal)
    with bar("nuts"):
        trace = run_drifting(draws=130, tuning=20)
    found = ISOTROPIC.a * (float(trace.loss.mean()) - ISOTROPIC.loss_star())
    shown = terminal.getvalue().rsplit("\r", 1)[-1]
    assert shown.startswith("nuts")
    assert "100 %" in shown
    assert f"130 draws, λ̂ = {found:.4g}" in shown


def test_draws_that_a_sampler_begins_anew_without_are_not_in_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(tty=True)
    monkeypatch.setattr("sys.stderr", terminal)
    with bar("sgld"):
        run_drifting(draws=250)
        run_drifting(draws=130, tuning=20)
    assert "130 draws, λ̂ = " in terminal.getvalue().rsplit("\r", 1)[-1]


def test_a_log_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(tty=False)
    monkeypatch.setattr("sys.stderr", terminal)
    with bar("nuts"):
        run_drifting(draws=130)
    assert terminal.getvalue() == ""


def test_who_looks_is_told_of_each_round_and_changes_nothing() -> None:
    seen: list[tuple[float, int]] = []
    with watched(lambda share, llc, _: seen.append((share, llc.shape[1]))):
        trace = run_drifting(budget=1000.0, tuning=75)
    again = run_drifting(budget=1000.0, tuning=75)
    assert np.array_equal(trace.loss, again.loss)
    shares, kept = zip(*seen, strict=True)
    assert kept[:3] == (0, 25, ROUND)
    assert shares[0] == pytest.approx(ROUND / 1000)
    assert list(shares) == sorted(shares)
    assert rounds._look.get() is None
