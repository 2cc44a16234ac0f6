"""Takes all rows in a step, once the noise of minibatches has proved to be what holds the chains up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llc.estimates.diagnostics import diagnose, settled
from llc.estimates.trace import Trace
from llc.samplers.rounds import State
from llc.samplers.steps import ROUNDS_MIN
from llc.samplers.stopping import CAREFUL_SHARE, ROUND, Stats, joined

FARTHER = 2.0  # that all rows get for a gradient, at least, if they are to take over
MEMORIES = 1.5  # of momentum, 1/(1 − c) steps, that are the least for an independent draw: 50 steps at 0.97


def widened(
    run: Callable[..., tuple[State, Trace]],
    start: State,
    batch: int,
    cost: float,
    thin: int,
    momentum: float,
    budget: float,
) -> tuple[Trace, int | None]:
    """Run a sampler with minibatches, and if all rows get farther go on with these from where the chains are.

    For a gradient of the full loss a step of all rows goes as far as curvature allows. One of a minibatch is cut for
    its noise, and costs less. The draws of the minibatches are then dropped, but count as work.

    Parameters
    ----------
    run
        ``(state, batch, done=, slow=) -> (state, trace)``; ``done`` are the gradients of a chain before it, and without
        a ``batch`` it takes all rows.
    cost
        Of a step of a minibatch, in gradients of the full loss.
    thin
        Steps of a draw of all rows.
    momentum
        c.

    Returns
    -------
    The trace, and the batch that it is of: None for all rows.
    """

    def slow(state: State, rounds: list[Stats], spent: float) -> bool:
        if not ROUND * thin <= spent <= min(CAREFUL_SHARE * budget, budget - ROUNDS_MIN * ROUND * thin):
            return False
        allowed = np.asarray(state.step_size)  # 0 where explosions have halved it away
        cut = np.divide(rounds[-1]["step_size"][:, -1], allowed, out=np.ones_like(allowed), where=allowed > 0)
        if FARTHER * float(np.median(cut)) > cost:
            return False
        return _price(rounds, spent) > FARTHER * max(MEMORIES / (1 - momentum), thin)

    state, trace = run(start, batch, slow=slow)
    if trace.ended == "slow":
        return run(state, None, done=trace.n_grad_evals / len(trace.loss))[1], None
    return trace, batch


def _price(rounds: list[Stats], spent: float) -> float:
    """Return the gradients that an independent draw of a chain took."""
    of_both = joined(rounds, ["loss", "distance2"]).values()
    found = [diagnose(draws[:, settled(draws) :]) for draws in (values.astype(np.float64) for values in of_both)]
    return spent * len(rounds[0]["loss"]) / max(min(one.ess or 0.0 for one in found), 1.0)
