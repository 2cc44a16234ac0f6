"""What a person at a terminal sees of a sampler that runs: a bar with λ̂ so far. Elsewhere nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float

FORMAT = "{desc:<6}{percentage:4.0f} % {bar} {elapsed}{postfix}"


@contextmanager
def bar(sampler: str) -> Iterator[None]:
    """Show a bar while the block samples, if standard error is a terminal.

    It is full when the draws asked for are there or, where draws are added by rule, when the
    budget is spent: most often it ends before that.
    """
    if not sys.stderr.isatty():
        yield
        return
    from tqdm import tqdm

    from llc.samplers import rounds  # seconds, which a target has no use for

    with tqdm(total=1.0, desc=sampler, bar_format=FORMAT, file=sys.stderr, dynamic_ncols=True) as shown:
        total, count = 0.0, 0

        def look(share: float, llc: Float[np.ndarray, "chains draws"], first: bool) -> None:
            nonlocal total, count
            if first:
                total, count = 0.0, 0
            total, count = total + float(llc.sum(dtype=np.float64)), count + llc.size
            found = f"{count // len(llc)} draws, λ̂ = {total / count:.4g}" if count else "warm-up"
            shown.set_postfix_str(found, refresh=False)
            shown.update(min(share, 1.0) - shown.n)

        with rounds.watched(look):
            yield
