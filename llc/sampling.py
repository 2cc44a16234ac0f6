"""From a posterior to an estimate, by the sampler of a name: what a job and a Python call share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from llc import samplers, seeds
from llc.config import PosteriorConfig
from llc.estimator import Estimate, estimate
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
    *,
    seed: int,
    loss_star: float,
    grad_norm: float,
    llc_deficit: float,
    llc_true: float | None = None,
    llc_exact: float | None = None,
    losses_elsewhere: Mapping[str, float] | None = None,
) -> Sampled:
    """Draw from ``posterior`` and estimate the LLC.

    Parameters
    ----------
    name, settings
        Of the sampler: ``nuts`` and what ``sampler.nuts`` has.
    config
        What ``posterior`` was made from, in full precision.
    seed
        Of the job; each sampler has its own stream of it.
    loss_star, grad_norm, llc_deficit, llc_true, llc_exact, losses_elsewhere
        As of ``llc.estimator.estimate``.
    """
    trace = samplers.load(name)(seeds.key(seed, f"sampler/{name}"), posterior, **settings)
    found = estimate(
        trace,
        loss_star=loss_star,
        grad_norm=grad_norm,
        llc_deficit=llc_deficit,
        n=posterior.n,
        beta=inverse_temperature(config, posterior.n),
        gamma=config.gamma,
        n_params=posterior.w_star.size,
        llc_true=llc_true,
        llc_exact=llc_exact,
        losses_elsewhere=losses_elsewhere,
    )
    return Sampled(found, trace)
