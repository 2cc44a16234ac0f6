"""The No-U-Turn sampler."""

from __future__ import annotations

from jaxtyping import Array, Key

from llc.estimates.trace import Trace
from llc.posterior import Posterior
from llc.samplers.hmc import advance
from llc.samplers.trajectories import sample


def nuts(
    key: Key[Array, ""],
    posterior: Posterior,
    *,
    target_accept: float,
    max_tree_depth: int,
    warmup: int,
    draws: int | None,
    chains: int,
    budget: float,
) -> Trace:
    """Draw chains with the No-U-Turn sampler, diagonal mass adapted per chain, and a step size that they share.

    Parameters
    ----------
    target_accept
        Mean acceptance that the step size is adapted to.
    max_tree_depth
        A draw takes at most 2^depth − 1 gradients; in warm-up at most 127.
    warmup
        Adaptation draws, dropped.

    References
    ----------
    Hoffman and Gelman (2014), JMLR 15, algorithm 6; Betancourt (2017), arXiv 1701.02434, for
    the multinomial variant that NumPyro has. Phan et al. (2019), arXiv 1912.11554.
    """
    return sample(
        key, posterior, advance, target_accept, None,
        warmup=warmup, draws=draws, chains=chains, budget=budget, max_tree_depth=max_tree_depth,
    )  # fmt: skip
