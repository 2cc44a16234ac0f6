"""Stochastic gradient Langevin dynamics, plain or with a step size that is chosen by itself."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

import jax
import numpy as np
from jaxtyping import Array, Key

from llc.estimates.trace import Trace
from llc.jobs.sgld_defaults import BATCH, momentum_of, takes_all
from llc.loss.rows import n_rows
from llc.posterior import Posterior, loss_at
from llc.samplers import langevin, steps
from llc.samplers.full_batch import widened
from llc.samplers.langevin import State
from llc.samplers.rounds import Clock, Slow, collect
from llc.samplers.stopping import ROUND

FLAT = 1.0  # the step where no curvature is found, as at a degenerate w*, until the chain has moved


def sgld(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    step_size: float | str,
    batch_size: int | None,
    control_variates: bool,
    preconditioner: str,
    momentum: float | None,
    warmup: int,
    draws: int | None,
    thin: int | None,
    chains: int,
    budget: float,
) -> Trace:
    r"""Draw chains of SGLD, all started at w*.

    .. math:: w_{t+1} = w_t - \tfrac{\epsilon}{2}\,\hat\nabla U(w_t) + \sqrt{\epsilon}\,\zeta_t

    with :math:`\hat\nabla U = nβ ∇L_B(w) + γ(w − w^*)`, L_B the mean over a minibatch B drawn
    with replacement. L_n over all the data is recorded at every kept draw.

    With a number as ``step_size`` it is plain SGLD, :math:`\zeta_t = \xi_t` standard normal. On a
    quadratic U of curvature q its variance is 1/(q(1 − εq/4)) instead of 1/q, and minibatch
    noise of variance C heats it by 1 + εC/4. Both together add ε E‖∇̂U‖²/8 to nβ L_n, to first
    order, which is recorded as ``excess`` and left in the estimate.

    With ``auto`` it is the underdamped scheme BAOAB, with ``momentum`` c:

    .. math:: r_t = c\,(r_{t-1} - \sqrt\epsilon\,\hat\nabla U(w_t)) + \sqrt{1 - c^2}\,\xi_t,
        \quad \zeta_t = (r_t + r_{t-1})/2

    On a quadratic the variance is then 1/q at every stable step size; elsewhere the error of the step is of first order
    in ε, and of second order at c = 0, where :math:`\zeta_t = (\xi_t + \xi_{t-1})/2`. So ε is 1/(4q), and 1/q without
    momentum, q the largest curvature of U about the chain, as far away as a step goes, see
    ``llc.samplers.steps.curvature``. Each chain looks it up when a round begins; ε only ever falls. Slow directions
    move as if ε were (1 + c)/(1 − c) times as large, 66 times at 0.97.

    What is left is the heat of the minibatches, for which ε counts as much larger too: their error ν of ∇U is white
    noise of variance ε²C/4 a step, which adds ε E‖ν‖²/(8(1 − εq/4)) to nβ L_n of a quadratic, q the curvature along ν,
    times (1 + c)/(1 − c); to that of a singular loss less, down to a quarter of it. It is measured at each draw from
    three batches, kept near 1 % of λ̂ by ε, and subtracted from the estimate. Where it is what limits ε momentum gains
    nothing. The first draw, before it is known, is taken with (1 − c)/(1 + c) of ε.

    A ``preconditioner`` is a diagonal G that is found in the first round, which is dropped, and
    then frozen, see ``llc.samplers.preconditioner``. All of the above is then of z in
    w = √G z. The smallest G_i is 1: ε is the step along the largest gradients, and ε G_i along
    parameter i.

    Where the curvature grows faster than that, a step can be unstable before the next look: a
    chain whose U has exploded is set back by a draw, at rest, its step is halved, and the draw counts as
    divergent. With a number as step it is left to diverge.

    Parameters
    ----------
    step_size
        ε, in units of w², or ``auto``.
    batch_size
        Rows per gradient. With n or more, with ``auto`` half of n, the gradient is exact and no rows are drawn.
        None: 64; with ``auto`` all rows where few are sufficient, and with no ``draws`` asked for those of up to 2,000,
        and of more once they get farther (``llc.samplers.full_batch``).
    control_variates
        Use ∇L_B(w) − ∇L_B(w*) + ∇L_n(w*) for ∇L_B(w): twice the work, and no noise of the labels
        near w*.
    preconditioner
        ``none``, ``rmsprop`` or ``adam``, whose averages remember about 100 and 1,000 steps. Adam's
        momentum is ``momentum``.
    momentum
        c, in [0, 1). None: 0.97 with ``auto``. With a numeric ``step_size`` it must be 0, or None.
    warmup
        Steps before the first draw, rounded up to whole draws; after those that find G.
    thin
        Steps per draw. None: by ``llc.samplers.steps.thinning``.

    References
    ----------
    Welling and Teh (2011), ICML, eq. 4, with their factor N/n inside nβ∇L_B. Leimkuhler and
    Matthews (2013), Applied Mathematics Research eXpress 2013(1), 34–56, for ζ and BAOAB. Baker,
    Fearnhead, Fox and Nemeth (2019), Statistics and Computing 29, for control variates at a mode.
    Lau et al. (2023), arXiv 2308.12108, for SGLD in LLC estimation.
    """
    auto = step_size == "auto"
    batch = (
        None if takes_all(step_size, batch_size, draws, posterior.n, n_rows(posterior.full)) else batch_size or BATCH
    )
    clock = Clock()
    key_start, key_first, key_widened = jax.random.split(key, 3)
    loss_star = loss_at(posterior, posterior.w_star)
    scaled = preconditioner != "none"
    epsilon = FLAT if auto else float(step_size)
    start = langevin.start(key_start, posterior.w_star, loss_star, epsilon, scaled=scaled, chains=chains)
    momentum = momentum_of(step_size, momentum)
    hyper = (np.asarray(momentum, posterior.w_star.dtype), loss_star)

    def steps_of(batch: int | None) -> int:
        return steps.thinning(posterior, batch, draws, budget) if thin is None else thin

    def run(state: State, batch: int | None, done: float = 0.0, slow: Slow | None = None) -> tuple[State, Trace]:
        of_draw = steps_of(batch)
        return collect(
            key_widened if done else key_first,
            posterior,
            state,
            langevin.advance,
            hyper,
            clock,
            weights=attrgetter("w"),
            tuning=0 if done else -(-warmup // of_draw) + ROUND * scaled,
            draws=draws,
            budget=budget,
            start_work=done,
            slow=slow,
            auto=auto,
            batch=batch,
            control=control_variates and batch is not None,
            preconditioner=preconditioner,
            thin=of_draw,
        )

    if auto and batch is not None and batch_size is None and draws is None:
        cost = (1 + control_variates) * batch / posterior.n
        trace, batch = widened(run, start, batch, cost, steps_of(None), momentum, budget)
    else:
        _, trace = run(start, batch)
    tuned = {"step_size": trace.stats["step_size"][:, -1], "batch_size": np.full(chains, batch or posterior.n)}
    return replace(trace, correct=auto, tuned=tuned)
