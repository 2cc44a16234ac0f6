"""Samplers: the keys of ``sampler``, what they mean and which values are refused."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from llc.config.checks import require, require_choice

BUDGET = 200_000.0  # gradients of the full loss per chain, at most, where draws are added by rule
MOMENTUM_MAX = 0.9999  # 1 is no dynamics, and what is nearer is 1 in float32
PRECONDITIONERS = ["none", "rmsprop", "adam"]


def _check_counts(name: str, config: Any, minimum: dict[str, int]) -> None:
    for key, least in {"chains": 1, **minimum}.items():
        value = getattr(config, key)
        require(value >= least, f"sampler.{name}.{key}", value, f"at least {least}")
    require(config.draws is None or config.draws >= 8, f"sampler.{name}.draws", config.draws, "at least 8, or null")
    require(config.budget > 0, f"sampler.{name}.budget", config.budget, "above 0")


@dataclass
class SgldConfig:
    """Stochastic gradient Langevin dynamics. Counts are per chain."""

    step_size: Any = "auto"  # from curvature and gradient noise; or ε, in units of w²; see llc/samplers/sgld.py
    batch_size: int | None = None  # rows per gradient; null: 64; with auto and no draws all, if few or faster
    control_variates: bool = False  # take the labels' noise out of the gradients, for twice the work
    preconditioner: str = "none"  # rmsprop, adam: a step for each parameter, found in the first 50 draws, then frozen
    momentum: float | None = None  # 0 or more, below 1; Adam's is 0.9; null: 0.97 with step_size auto, else 0
    warmup: int = 0  # steps that are dropped in any case
    draws: int | None = None  # null: until converged
    thin: int | None = None  # steps per draw; null: 50 of all rows if draws are null, else 100 to 1,000
    chains: int = 4
    budget: float = BUDGET

    def __post_init__(self) -> None:
        number = isinstance(self.step_size, int | float) and not isinstance(self.step_size, bool)
        if number:
            self.step_size = float(self.step_size)
        ok = self.step_size == "auto" or (number and self.step_size > 0)
        require(ok, "sampler.sgld.step_size", self.step_size, "auto, or a number above 0")
        require_choice("sampler.sgld.preconditioner", self.preconditioner, PRECONDITIONERS)
        ok = self.momentum is None or 0 <= self.momentum <= MOMENTUM_MAX
        require(ok, "sampler.sgld.momentum", self.momentum, f"in 0 … {MOMENTUM_MAX}, or null")
        plain = self.step_size == "auto" or not self.momentum
        require(plain, "sampler.sgld.momentum", self.momentum, "0 with a number as step_size: that is plain SGLD")
        require(self.thin is None or self.thin >= 1, "sampler.sgld.thin", self.thin, "at least 1, or null")
        ok = self.batch_size is None or self.batch_size >= 1
        require(ok, "sampler.sgld.batch_size", self.batch_size, "at least 1, or null")
        _check_counts("sgld", self, {"warmup": 0})


@dataclass
class HmcConfig:
    """Hamiltonian Monte Carlo, step size and diagonal mass adapted, trajectories jittered."""

    target_accept: float = 0.8  # the least: more where over 0.5 % of the draws diverge
    trajectory_length: float = 1.6  # mean, in units of the adapted metric; each is U(0, 2) times it
    warmup: int = 500  # draws in which it is tuned; dropped in whole fifties
    draws: int | None = None  # null: until converged
    chains: int = 4
    budget: float = BUDGET

    def __post_init__(self) -> None:
        require(0 < self.target_accept < 1, "sampler.hmc.target_accept", self.target_accept, "in (0, 1)")
        require(self.trajectory_length > 0, "sampler.hmc.trajectory_length", self.trajectory_length, "above 0")
        _check_counts("hmc", self, {"warmup": 1})


@dataclass
class NutsConfig:
    """No-U-Turn sampler, step size and diagonal mass adapted."""

    target_accept: float = 0.8  # the least: more where over 0.5 % of the draws diverge
    max_tree_depth: int = 10  # at most 2^depth − 1 gradients per draw
    warmup: int = 500  # draws in which it is tuned; dropped in whole fifties
    draws: int | None = None  # null: until converged
    chains: int = 4
    budget: float = BUDGET

    def __post_init__(self) -> None:
        require(0 < self.target_accept < 1, "sampler.nuts.target_accept", self.target_accept, "in (0, 1)")
        require(1 <= self.max_tree_depth <= 15, "sampler.nuts.max_tree_depth", self.max_tree_depth, "in 1 … 15")
        _check_counts("nuts", self, {"warmup": 1})


@dataclass
class MclmcConfig:
    """Metropolis-adjusted microcanonical Monte Carlo, step size and diagonal mass adapted."""

    target_accept: float = 0.9  # the least: more where over 0.5 % of the draws diverge
    trajectory_length: float = 1.6  # mean, in units of the adapted metric; each is U(0, 2) times it
    warmup: int = 500  # draws in which it is tuned; dropped in whole fifties
    draws: int | None = None  # null: until converged
    chains: int = 4
    budget: float = BUDGET

    def __post_init__(self) -> None:
        require(0 < self.target_accept < 1, "sampler.mclmc.target_accept", self.target_accept, "in (0, 1)")
        require(self.trajectory_length > 0, "sampler.mclmc.trajectory_length", self.trajectory_length, "above 0")
        _check_counts("mclmc", self, {"warmup": 1})


@dataclass
class GibbsConfig:
    """Block Gibbs sampling, exact: of deep linear networks with real targets only."""

    warmup: int = 0  # passes over the layers that are dropped in any case
    draws: int | None = None  # one pass each; null: until converged
    chains: int = 4
    budget: float = BUDGET  # a pass is a gradient for each layer

    def __post_init__(self) -> None:
        _check_counts("gibbs", self, {"warmup": 0})


@dataclass
class SamplerConfig:
    """Which samplers run, and their settings; the settings of the others count for nothing."""

    names: list[str] = field(
        default_factory=lambda: ["sgld", "nuts"]
    )  # sgld, hmc, nuts, mclmc, gibbs: which, each once
    sgld: SgldConfig = field(default_factory=SgldConfig)
    hmc: HmcConfig = field(default_factory=HmcConfig)
    nuts: NutsConfig = field(default_factory=NutsConfig)
    mclmc: MclmcConfig = field(default_factory=MclmcConfig)
    gibbs: GibbsConfig = field(default_factory=GibbsConfig)

    def __post_init__(self) -> None:
        for name in self.names:
            require_choice("sampler.names", name, SAMPLERS)
        once = 1 <= len(self.names) == len(set(self.names))
        require(once, "sampler.names", self.names, f"one or more of {', '.join(SAMPLERS)}, each once")


SAMPLERS = tuple(f.name for f in fields(SamplerConfig) if f.name != "names")
