"""Runs a sampler in rounds of draws, until there are as many as asked for or it has converged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from llc.compiled.program_cache import exported
from llc.compiled.programs import compile_once
from llc.estimates.trace import Ends, Trace
from llc.posterior import Posterior, loss_at
from llc.samplers.chains import compiled_with, spread
from llc.samplers.stopping import ROUND, Rule, Stats, front, joined, per_chain

State = Any  # of all chains, with a leading axis of chains
# (state, rounds whose draws are kept, gradients of a chain so far) -> whether to end
Slow = Callable[[State, list[Stats], float], bool]

# (share of the draws or of the budget that is done, nβ (L_n − L_n(w*)) of the draws of a round that are kept, whether
# they are the first: a sampler may begin anew)
Look = Callable[[float, Float[np.ndarray, "chains draws"], bool], None]
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

    def compile(self, function: Any, /, *args: Any, **static: Any) -> Callable[..., Any]:
        """Return a jitted function compiled for these arguments; calls of it are timed."""
        start = time.perf_counter()
        compiled = compile_once(function, *args, **static)
        self.compile_s += time.perf_counter() - start

        def call(*args: Any) -> Any:
            start = time.perf_counter()
            result = jax.block_until_ready(compiled(*args))
            self.run_s += time.perf_counter() - start
            return result

        return call

    def compile_round(
        self, function: Any, /, *args: Any, options: Mapping[str, int] | None, **static: Any
    ) -> Callable[..., Any]:
        """Like ``compile``, but load a trace that another process has stored, if there is one."""
        start = time.perf_counter()
        stored = exported(function, args, static)
        self.compile_s += time.perf_counter() - start
        if stored is None:
            return self.compile(function, *args, options=options, **static)
        return self.compile(stored, *args, options=options)


def collect(
    key: Key[Array, ""],
    posterior: Posterior,
    state: State,
    advance: Any,
    hyper: tuple[Any, ...],
    clock: Clock,
    *,
    weights: Callable[[State], Array],
    tuning: int,
    draws: int | None,
    budget: float,
    start_work: float = 0.0,
    again: float | None = None,
    slow: Slow | None = None,
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
    weights
        Returns w of all chains, (chains, dim), from their state.
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
        Share of draws that diverge above which it ends, for the caller to tune anew, as they keep chains out of some
        place. It also ends when it has converged with more of them than a verdict allows, and where any diverge and
        the virial alone stays too low; all at looks in the first half of the budget. None: it never does.
    slow
        End, for the caller to go on with other settings, at a look where this says so.
    share
        What chains have in common once they are tuned, at the end of a round: then ``tuning`` is in whole rounds.
    """
    at_star = {"loss": loss_at(posterior, posterior.w_star)}
    if posterior.others:
        at_star |= jax.jit(Posterior.elsewhere)(posterior, posterior.w_star)
    star = {name: float(value) for name, value in at_star.items()}
    spacing = float(np.spacing(np.abs(posterior.w_star).max()))
    advance, posterior, state, static = spread(advance, posterior, state, draws=ROUND, **static)
    if share is not None:
        tuning = -(-tuning // ROUND) * ROUND
    step = clock.compile_round(advance, key, posterior, state, *hyper, options=compiled_with(posterior), **static)
    rule = Rule(posterior, star["loss"], tuning, draws, budget, again)
    rounds: list[Stats] = []
    spent, ended = start_work, None
    while ended is None:
        state, found = step(jax.random.fold_in(key, len(rounds)), posterior, state, *hyper)
        rounds.append({name: np.asarray(values) for name, values in found.items()})
        if share is not None and ROUND * len(rounds) == tuning:
            state = share(state)
        spent += per_chain(rounds[-1])
        if (look_on := _look.get()) is not None:
            kept = rule.kept(rounds)
            new = rounds[-1]["loss"][:, ROUND - min(ROUND, max(kept, 0)) :]
            look_on(rule.done(rounds, spent), rule.llc(new), kept <= ROUND)
        looks = rule.next_look
        ended = rule.ended(rounds, spent)
        if ended is None and slow is not None and rule.next_look > looks:
            ended = "slow" if slow(state, rounds[-(-tuning // ROUND) :], spent) else None
    ends = Ends(np.asarray(weights(state)), rounds[-1]["loss"][:, -1])
    stats = joined(rounds)
    work = float(stats.pop("work").sum(dtype=np.float64)) + start_work * len(stats["loss"])
    stats = {name: values[:, min(tuning, values.shape[1] - 1) :][:, :draws] for name, values in stats.items()}
    by_rule = draws is None and ended != "diverged"
    moved = [stats[name].astype(np.float64) for name in ("loss", "distance2")]
    dropped = front(moved[0] - star["loss"], moved[1], stats.get("step_size")) if by_rule else 0
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
        ends=ends,
        time_compile_s=clock.compile_s,
        time_sample_s=clock.run_s,
    )
    return state, trace
