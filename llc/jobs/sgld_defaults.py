"""What sgld does where it is not told, which ids must know too. Without JAX."""

from __future__ import annotations

BATCH = 64  # rows of a gradient
MOMENTUM = 0.97  # with step_size auto: a step remembers the 33 before it
# With auto, data are a batch where they are at most so many times its size: of 51 parameters and 100 rows a step of all
# took half of the time of one of 64, without rows to pick and noise to measure.
WHOLE = 2
# Rows that are all taken where nobody said how many. In batches of 64 a gradient of as many took 3.6 times as long:
# eight jobs of digits, 300 and 600 parameters, 400 and 1,200 rows, four chains, converged in 0.4 of the time with all.
FEW = 2_000


def takes_all(
    step_size: float | str, batch_size: int | None, draws: int | None, n: int | float, sufficient: int | None = None
) -> bool:
    """Return whether a step of ``sgld`` takes all ``n`` rows from the first.

    Where nobody said how many, all are taken of few, if nobody said how many draws either; and where few rows are
    ``sufficient``, whose mean loss is that of all: batches are no cheaper.
    """
    if step_size != "auto":
        return (batch_size or BATCH) >= n
    if batch_size is not None:
        return batch_size * WHOLE >= n
    needed = n if sufficient is None else sufficient
    return needed <= BATCH * WHOLE or (draws is None and n <= FEW)


def momentum_of(step_size: float | str, momentum: float | None) -> float:
    """Return the momentum of ``sgld``, null replaced by what it stands for."""
    if momentum is None:
        return MOMENTUM if step_size == "auto" else 0.0
    return momentum + 0.0  # no negative zero
