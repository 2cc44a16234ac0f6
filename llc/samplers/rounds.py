"""Runs a sampler in rounds of draws, until there are as many as asked for or it has converged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from llc.diagnostics import Diagnosis, diagnose, faults, imbalance, rhat, settled, spreading, virial
from llc.equal import ready
from llc.limits import DIVERGENT_MAX, DRIFT_SETTLED, MCSE_TARGET
from llc.posterior import Posterior
from llc.samplers.chains import spread
from llc.samplers.trace import Trace

ROUND = 50  # draws of each chain between two looks; a compiled program is of one round
GROWTH = 1.25  # of a trace between two looks: each costs milliseconds
LOOKS = 2  # that must find it converged, one after the other: a lucky one is no proof
CAREFUL_SHARE = 1 / 2  # of the budget, at most, that was spent when it is decided

State = Any  # of all chains, with a leading axis of chains
Stats = dict[str, Shaped[np.ndarray, "chains draws"]]

# (share of the draws or of the budget that is done, nβ (L_n − L_n(w*)) of the draws of a round that are kept)
Look = Callable[[float, Float[np.ndarray, "chains draws"]], None]
_look: ContextVar[Look | None] = ContextVar("look", default=None)


@contextmanager
def watched(look: Look) -> Iterator[None]:
    """Call ``look`` after each round of the samplers that run in the block."""
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)


class Clock:
    """Seconds to compile and to run."""

    def __init__(self) -> None:
        self.compile_s = self.run_s = 0.0

    def compile(self, function: Any, *args: Any, **static: Any) -> Callable[..., Any]:
        """Return a jitted function compiled for these arguments; calls of it are timed."""
        start = time.perf_counter()
        compiled = ready(function, *args, **static)
        self.compile_s += time.perf_counter() - start

        def call(*args: Any) -> Any:
            start = time.perf_counter()
            result = jax.block_until_ready(compiled(*args))
            self.run_s += time.perf_counter() - start
            return result

        return call


def collect(
    key: Key[Array, ""],
    posterior: Posterior,
    state: State,
    advance: Any,
    hyper: tuple[Any, ...],
    clock: Clock,
    *,
    tuning: int,
    draws: int | None,
    budget: float,
    start_work: float = 0.0,
    again: float | None = None,
    share: Callable[[State], State] | None = None,
    **static: Any,
) -> tuple[State, Trace]:
    """Advance chains in rounds; return their last state and the trace.

    Parameters
    ----------
    advance
        ``(key, posterior, state, *hyper, draws=ROUND, **static) -> (state, stats)``, jitted. The
        stats have ``loss``, ``distance2``, which is ‖w − w*‖², and ``work``, the gradients of the full
        loss that each draw took, and are (chains, draws); they may have ``virial``, (w − w*)·∇U, and ``excess``.
    tuning
        Draws at the front that are always dropped.
    draws
        So many are kept, and no rule applies. None: draws are added until R-hat, ESS and drift
        are within their limits, the standard error is below 2 % of λ̂, the distance from w* has
        settled and the virial is not too low; what still remembers the start is dropped, and the ``budget`` is the end.
    budget
        Gradients of the full loss per chain; no round is begun that would exceed it if it took what the last one did.
    start_work
        Gradients per chain that were spent before.
    again
        End, for the caller to tune anew, at a look in the first half of the budget that finds more than this share of
        the draws diverging, or more than are too many when it has converged, or any while the virial alone stays too
        low: they are kept out of some place. None: whatever diverges.
    share
        What chains have in common once they are tuned, at the end of a round: then ``tuning`` is in whole rounds.
    """
    at_star = {"loss": jax.jit(Posterior.loss)(posterior, posterior.w_star)}  # of llc/polish.py too: one program
    if posterior.others:
        at_star |= jax.jit(Posterior.elsewhere)(posterior, posterior.w_star)
    star = {name: float(value) for name, value in at_star.items()}
    loss_star, spacing = star["loss"], float(np.spacing(np.abs(posterior.w_star).max()))
    advance, posterior, state, static = spread(advance, posterior, state, draws=ROUND, **static)
    if share is not None:
        tuning = -(-tuning // ROUND) * ROUND
    step = clock.compile(advance, key, posterior, state, *hyper, **static)
    rounds: list[Stats] = []
    spent, look, ended = start_work, 2 * ROUND, "draws"
    passed, at_rest, low = 0, 0, 0  # looks in a row that found λ̂ converged; all settled; the virial too low alone
    while True:
        state, found = step(jax.random.fold_in(key, len(rounds)), posterior, state, *hyper)
        rounds.append({name: np.asarray(values) for name, values in found.items()})
        if share is not None and ROUND * len(rounds) == tuning:
            state = share(state)
        last = float(rounds[-1]["work"].sum(axis=1).mean())
        spent += last
        kept = ROUND * len(rounds) - tuning
        if (look_on := _look.get()) is not None:
            done = spent / budget if draws is None else (tuning + kept) / (tuning + draws)
            new = rounds[-1]["loss"][:, ROUND - min(ROUND, max(kept, 0)) :].astype(np.float64)
            look_on(done, float(posterior.nbeta) * (new - loss_star))
        if not np.isfinite(rounds[-1]["loss"]).all():
            ended = "diverged"  # more draws change nothing
            break
        if draws is not None:
            if kept >= draws:
                break
            continue
        if kept >= look:
            look = int(GROWTH * kept)
            seen = {
                name: np.concatenate([r[name] for r in rounds], axis=1)[:, tuning:].astype(np.float64)
                for name in ("loss", "distance2", "excess", *(["virial"] if float(posterior.gamma) > 0 else []))
                if name in rounds[0]
            }
            llc = float(posterior.nbeta) * (seen.pop("loss") - loss_star)
            converged, rests, balanced = _verdict(llc, posterior.w_star.size, **seen)
            passed = (passed + 1) * converged
            at_rest = (at_rest + 1) * (converged and rests and balanced)
            low = (low + 1) * (converged and rests and not balanced)
            if at_rest == LOOKS:
                ended = "converged"
            if again is not None and spent < CAREFUL_SHARE * budget:
                diverging = np.mean([r["diverging"] for r in rounds[-(-tuning // ROUND) :]])
                kept_out = low >= LOOKS and diverging > 0
                if kept_out or diverging > (min(again, DIVERGENT_MAX) if ended == "converged" else again):
                    ended = "diverging"
            if ended != "draws":
                break
        if spent + last > budget:  # another such round would be over it
            ended = "metastable" if passed >= LOOKS else "budget" if kept > 0 else "warmup"
            break
    stats = {name: np.concatenate([r[name] for r in rounds], axis=1) for name in rounds[0]}
    work = float(stats.pop("work").sum(dtype=np.float64)) + start_work * len(stats["loss"])
    stats = {name: values[:, min(tuning, values.shape[1] - 1) :][:, :draws] for name, values in stats.items()}
    by_rule = draws is None and ended != "diverged"
    moved = [stats[name].astype(np.float64) for name in ("loss", "distance2")]
    dropped = _front(moved[0] - loss_star, moved[1]) if by_rule else 0
    stats = {name: values[:, dropped:] for name, values in stats.items()}
    trace = Trace(
        loss=stats.pop("loss"),
        n_grad_evals=work,
        excess=stats.pop("excess", None),
        stats=stats,
        ended=ended,
        dropped=dropped,
        star=star,
        spacing=spacing,
        time_compile_s=clock.compile_s,
        time_sample_s=clock.run_s,
    )
    return state, trace


def _front(llc: Float[np.ndarray, "chains draws"], distance2: Float[np.ndarray, "chains draws"]) -> int:
    """Return how many draws to drop: those in which λ̂ settles, or more where the distance from w* is then at rest.

    The way out from w* is seldom seen in λ̂, and the R-hat of the distance takes long to forget it: where fast
    directions make the distance's noise, twenty of its relaxation times with it and seven without.
    """
    dropped = settled(llc)
    farther = max(dropped, settled(distance2))
    gained = spreading(rhat(distance2[:, dropped:])) and not spreading(rhat(distance2[:, farther:]))
    return farther if gained and _converged(diagnose(llc[:, farther:])) else dropped


def _converged(found: Diagnosis) -> bool:
    precise = found.mcse is not None and found.mcse <= MCSE_TARGET * abs(found.mean)
    return precise and not faults(found, DRIFT_SETTLED)


def _verdict(
    llc: Float[np.ndarray, "chains draws"], dim: int, **stats: Float[np.ndarray, "chains draws"]
) -> tuple[bool, bool, bool]:
    """Return whether λ̂ has converged, the distance from w* has settled, and the virial is not too low."""
    dropped = _front(llc, stats["distance2"])
    found = diagnose(llc[:, dropped:])
    if not _converged(found):
        return False, False, False
    stats = {name: values[:, dropped:] for name, values in stats.items()}
    balance = virial(stats.get("virial"), stats.get("excess"), dim)
    return True, not spreading(rhat(stats["distance2"])), imbalance(balance, found.mean) >= 0
