"""What is told of one sampler: the columns of ``metrics_summary.csv``. Without JAX."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One sampler's row of ``metrics_summary.csv``. None is an empty cell."""

    llc_mean: float | None = None
    llc_std: float | None = None  # posterior sd of nβ (L_n(w) − L_n(w*))
    llc_mcse: float | None = None  # standard error of llc_mean: from the ESS of the mean, and of what was subtracted
    llc_ci_low: float | None = None
    llc_ci_high: float | None = None
    ess: float | None = None
    ess_tail: float | None = None
    rhat: float | None = None  # rank-normalised, split
    rhat_distance: float | None = None  # the same of ‖w − w*‖²
    ess_distance: float | None = None  # and the ESS of its tails
    accept_rate: float | None = None
    n_divergent: int
    n_chains: int
    n_draws: int  # per chain
    n_grad_evals: float
    time_compile_s: float
    time_sample_s: float
    loss_star: float  # L_n(w*)
    grad_norm: float  # ‖∇L_n(w*)‖
    llc_deficit: float  # by how much λ̂ is too low, w* not being the minimum within reach; see llc/targets/polish.py
    beta: float
    gamma: float
    llc_true: float | None = None  # λ at w*, where it is known
    llc_exact: float | None = None  # what llc_mean is expected to be at this n, β and γ, where it is known
    n_dropped: int  # draws per chain that the rule for warm-up took from the front
    drift: float | None = None  # from the first half to the second, in standard errors
    llc_bias: float | None = None  # excess that the sampler predicts; llc_mean is without it if step_size is auto
    below: float | None = None  # share of draws with a loss below L_n(w*)
    virial: float | None = None  # ½(E[(w − w*)·∇U] − d) less llc_bias: 0 of the posterior; nothing at γ = 0
    virial_mcse: float | None = None
    reach: float | None = None  # γ E‖w − w*‖² / d: γ alone allows 1; nothing at γ = 0
    status: str = "ok"  # ok, not_converged, biased, negative, not_minimum, not_local, metastable, diverged
    reason: str = ""  # why it is not ok, for a person
    # Of each of the other data, by its name: nβ (E[L(w)] − L(w*)), its error, R-hat, and L(w*) there.
    elsewhere: dict[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the columns and their values."""
        row = asdict(self)
        return row | row.pop("elsewhere")
