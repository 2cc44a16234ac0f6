"""When a sampler has drawn enough, or draws in vain: what is asked between rounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from llc.estimates.diagnostics import Diagnosis, diagnose, distance, faults, imbalance, settled
from llc.estimates.diagnostics import virial as balance
from llc.estimates.limits import DIVERGENT_MAX, DRIFT_SETTLED, MCSE_TARGET
from llc.posterior import Posterior

ROUND = 50  # draws of each chain between two looks; a compiled program is of one round
GROWTH = 1.25  # of a trace between two looks: each costs milliseconds
LOOKS = 2  # that must find it converged, one after the other: a lucky one is no proof
# Times the last step of its chain, a quarter of the inverse of the largest curvature: the inverse heats by 3 % or more.
# Of digits with 610 parameters a sixth of the draws; λ̂ was 1.6 ± 0.4 % high with them, 0.3 ± 0.4 % without (24 runs).
TOO_LARGE = 4.0
CAREFUL_SHARE = 1 / 2  # of the budget, at most, that was spent when it is decided

Stats = dict[str, Shaped[np.ndarray, "chains _"]]  # of one round or of many


@dataclass
class Rule:
    """Decides when a run of a sampler ends; for its settings see ``llc.samplers.rounds.collect``."""

    posterior: Posterior
    loss_star: float
    tuning: int
    draws: int | None
    budget: float
    again: float | None
    next_look: int = 2 * ROUND
    # Looks, one after the other, that found λ̂ converged; all settled; all but the virial, which is too low.
    converged: int = 0
    settled: int = 0
    low: int = 0
    off: float = 0.0  # by how much the virial was, at the last look: above 0 may be chance, which more draws tell

    def ended(self, rounds: list[Stats], spent: float) -> str | None:
        """Return why no more draws are taken after these rounds, which took so many gradients of a chain, or None."""
        kept = self.kept(rounds)
        if not np.isfinite(rounds[-1]["loss"]).all():
            return "diverged"  # more draws change nothing
        if self.draws is not None:
            return "draws" if kept >= self.draws else None
        if kept >= self.next_look:
            self.next_look = int(GROWTH * kept)
            self._look(rounds)
            if self._in_vain(rounds, spent):
                return "diverging"
            if self.settled == LOOKS:
                return "converged"
        if spent + per_chain(rounds[-1]) > self.budget:  # another such round would be over it
            unsettled = self.converged >= LOOKS and not self.settled and self.off <= 0
            return "metastable" if unsettled else "budget" if kept > 0 else "warmup"
        return None

    def done(self, rounds: list[Stats], spent: float) -> float:
        """Return the share that is done of the draws that were asked for, or of the budget."""
        return spent / self.budget if self.draws is None else ROUND * len(rounds) / (self.tuning + self.draws)

    def kept(self, rounds: list[Stats]) -> int:
        """Return the draws of each chain after those that tune; below 0: so many are to come."""
        return ROUND * len(rounds) - self.tuning

    def llc(self, loss: Float[np.ndarray, "chains draws"]) -> Float[np.ndarray, "chains draws"]:
        """Return nβ (L_n(w) − L_n(w*))."""
        return float(self.posterior.nbeta) * (loss.astype(np.float64) - self.loss_star)

    def _look(self, rounds: list[Stats]) -> None:
        names = ("loss", "distance2", "excess", "step_size", *(["virial"] if float(self.posterior.gamma) > 0 else []))
        drawn = joined(rounds, [name for name in names if name in rounds[0]])
        kept = {name: values[:, self.tuning :].astype(np.float64) for name, values in drawn.items()}
        seen = look(self.llc(kept.pop("loss")), self.posterior.w_star.size, **kept)
        self.off = seen.off
        self.converged = (self.converged + 1) * seen.converged
        self.settled = (self.settled + 1) * (seen.at_rest and seen.off == 0)
        self.low = (self.low + 1) * (seen.at_rest and seen.off < 0)

    def _in_vain(self, rounds: list[Stats], spent: float) -> bool:
        if self.again is None or spent >= CAREFUL_SHARE * self.budget:
            return False
        diverging = float(np.mean([r["diverging"] for r in rounds[-(-self.tuning // ROUND) :]]))
        kept_out = self.low >= LOOKS and diverging > 0
        return kept_out or diverging > (min(self.again, DIVERGENT_MAX) if self.settled == LOOKS else self.again)


def per_chain(stats: Stats) -> float:
    """Return the gradients that a round took, of a chain on average."""
    return float(stats["work"].sum(axis=1).mean())


def joined(rounds: list[Stats], names: Iterable[str] | None = None) -> Stats:
    """Return the rounds as one."""
    return {name: np.concatenate([r[name] for r in rounds], axis=1) for name in names or rounds[0]}


def front(
    llc: Float[np.ndarray, "chains draws"],
    distance2: Float[np.ndarray, "chains draws"],
    step_size: Float[np.ndarray, "chains draws"] | None = None,
) -> int:
    """Return how many draws to drop: those in which λ̂ settles, or more where the distance from w* is then at rest.

    And those with steps that were far too large, as the chains have found since.

    The way out from w* is seldom seen in λ̂, and the R-hat of the distance takes long to forget it: where fast
    directions make the distance's noise, twenty of its relaxation times with it and seven without.
    """
    dropped = max(settled(llc), 0 if step_size is None else too_large(step_size))
    farther = max(dropped, settled(distance2))
    gained = distance(distance2[:, farther:]).at_rest and not distance(distance2[:, dropped:]).at_rest
    return farther if gained and _converged(diagnose(llc[:, farther:])) else dropped


def too_large(step_size: Float[np.ndarray, "chains draws"]) -> int:
    """Return after how many draws most chains have steps that are not many times their last, or half of the draws."""
    share = np.mean(step_size > TOO_LARGE * step_size[:, -1:], axis=0)
    return min(int(np.flatnonzero(share >= 1 / 2).max(initial=-1)) + 1, len(share) // 2)


def _converged(found: Diagnosis) -> bool:
    precise = found.mcse is not None and found.mcse <= MCSE_TARGET * abs(found.mean)
    return precise and not faults(found, DRIFT_SETTLED)


class Look(NamedTuple):
    """What is seen of all draws so far."""

    converged: bool  # λ̂
    at_rest: bool = False  # and the distance from w*
    off: float = 0.0  # by how much the virial is surely not 0


def look(
    llc: Float[np.ndarray, "chains draws"],
    dim: int,
    distance2: Float[np.ndarray, "chains draws"],
    step_size: Float[np.ndarray, "chains draws"] | None = None,
    virial: Float[np.ndarray, "chains draws"] | None = None,
    excess: Float[np.ndarray, "chains draws"] | None = None,
) -> Look:
    """Look at the draws of ``dim`` parameters after those that tune."""
    dropped = front(llc, distance2, step_size)
    found = diagnose(llc[:, dropped:])
    if not _converged(found):
        return Look(False)
    virial, excess = (values if values is None else values[:, dropped:] for values in (virial, excess))
    return Look(True, distance(distance2[:, dropped:]).at_rest, imbalance(balance(virial, excess, dim), found.mean))
