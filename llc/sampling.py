"""From a posterior to an estimate, by the sampler of a name: what a job and a Python call share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from llc import samplers, seeds
from llc.config import PosteriorConfig
from llc.estimates.estimator import AtEnds, AtStar, estimate
from llc.estimates.metrics import Estimate
from llc.posterior import Posterior, inverse_temperature
from llc.samplers import Trace

if TYPE_CHECKING:
    import arviz


class Sampled(NamedTuple):
    """What one sampler found."""

    estimate: Estimate  # λ̂, its error, diagnostics, status and reason
    trace: Trace  # L_n at each kept draw, the sampler's statistics, the work done

    def to_arviz(self) -> arviz.InferenceData:
        """Return the trace as ArviZ has it: L_n in ``posterior``, the statistics in ``sample_stats``."""
        import arviz
        import xarray

        from llc.artifacts import DIMS, trace_groups

        groups: dict[str, Any] = {}
        for group, variables in trace_groups(self.trace).items():
            coords = {dim: range(size) for dim, size in zip(DIMS, self.trace.loss.shape, strict=True)}
            groups[group] = xarray.Dataset({k: (DIMS[: v.ndim], v) for k, v in variables.items()}, coords)
        return arviz.InferenceData(**groups)


def sample(
    name: str,
    settings: Mapping[str, Any],
    posterior: Posterior,
    config: PosteriorConfig,
    at_star: AtStar,
    exact: Callable[[Float[np.ndarray, "chains dim"]], AtEnds],
    *,
    seed: int,
) -> Sampled:
    """Draw from ``posterior`` and estimate the LLC.

    Parameters
    ----------
    name, settings
        Of the sampler: ``nuts`` and what ``sampler.nuts`` has.
    config
        What ``posterior`` was made from, in full precision.
    exact
        What is known in float64 where the chains ended, by the parameters that move.
    seed
        Of the job; each sampler has its own stream of it.
    """
    trace = samplers.load(name)(seeds.key(seed, f"sampler/{name}"), posterior, **settings)
    found = estimate(
        trace,
        at_star,
        n=posterior.n,
        beta=inverse_temperature(config, posterior.n),
        gamma=config.gamma,
        n_params=posterior.w_star.size,
        at_ends=exact(trace.ends.w) if trace.ends and np.isfinite(trace.ends.w).all() else None,
    )
    return Sampled(found, trace)
