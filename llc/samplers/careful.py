"""Runs a sampler again, with smaller steps, where too many of its draws diverge."""

from __future__ import annotations

from collections.abc import Callable

from llc.estimates.limits import DIVERGENT_MAX
from llc.estimates.trace import Trace
from llc.samplers.rounds import State

CAREFUL = (0.99, 0.998)  # acceptance to tune for where too many draws diverge
SMALLEST = 1 / 4  # step of a draw, over what it was tuned to, there


def carefully(run: Callable[..., tuple[State, Trace]], target_accept: float, draws: int | None) -> tuple[State, Trace]:
    """Run a sampler, and again with smaller steps of many sizes if too many of its draws diverge.

    A step that is too large for a narrow place keeps chains out of it, and they agree: leapfrog is unstable where the
    curvature is above 4 over its square. On w1 w2³ that is 6 % of λ̂ for a step of 0.1 in the adapted metric. A few
    draws with a step that is several times smaller reach it, and each size leaves the posterior as it is (Neal 2011,
    arXiv 1206.1901, section 5.4). What was spent counts against the budget.

    Parameters
    ----------
    run
        ``(target_accept, smallest, start_work=, again=) -> (state, trace)``; each draw has a step between ``smallest``
        times the one that was tuned, and that.
    draws
        So many were asked for: then nothing is run again.
    """
    attempts: list[tuple[float, float, float | None]] = [(target_accept, 1.0, DIVERGENT_MAX / 2)]
    # These visit narrow places, seldom and for long: early on their share is chance.
    attempts += [(accept, SMALLEST, 1.0) for accept in sorted({max(target_accept, accept) for accept in CAREFUL})]
    spent = 0.0
    for number, (accept, smallest, again) in enumerate(attempts, 1):
        last = draws is not None or number == len(attempts)
        state, trace = run(accept, smallest, start_work=spent, again=None if last else again)
        if trace.ended != "diverging":
            break
        spent = trace.n_grad_evals / len(trace.loss)
    return state, trace
