"""What sgld does where it is not told, which ids must know too. Without JAX."""

from __future__ import annotations

MOMENTUM = 0.97  # with step_size auto: a step remembers the 33 before it
# With auto, data are a batch where they are at most so many times its size: of 51 parameters and 100 rows a step of all
# took half of the time of one of 64, without rows to pick and noise to measure.
WHOLE = 2


def takes_all(step_size: float | str, batch_size: int, n: int | float) -> bool:
    """Return whether a step of ``sgld`` takes all ``n`` rows."""
    return batch_size * (WHOLE if step_size == "auto" else 1) >= n


def momentum_of(step_size: float | str, momentum: float | None) -> float:
    """Return the momentum of ``sgld``, null replaced by what it stands for."""
    if momentum is None:
        return MOMENTUM if step_size == "auto" else 0.0
    return momentum + 0.0  # no negative zero
