"""Schema of ``conf/``: what each key means, its default, and which values are refused.

The dataclasses are Hydra's structured configs: a wrong type or an unknown key fails when a
configuration is composed, a wrong value when ``llc.compose.parse`` makes a Job of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

PRECISIONS = ("float32", "float64")
NOISES = ("none", "normal", "student_t")
X_DISTS = ("normal", "uniform")
ACTIVATIONS = ("tanh", "relu", "gelu", "identity")
DLN_TEACHERS = ("aligned", "reduced")
QUADRATIC_TEACHERS = ("zero", "random")
OPTIMIZERS = ("adam", "adamw", "sgd")


class ConfigError(ValueError):
    """A configuration that cannot run. The message names the key, the value and the fix."""


def require(ok: bool, key: str, value: object, must: str) -> None:
    """Raise ConfigError, naming the key, its value and what it must be, unless ``ok``."""
    if not ok:
        raise ConfigError(f"{key}={value!r}: must be {must}")


def require_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise ConfigError, naming the nearest choice, unless ``value`` is one of ``choices``."""
    choices = list(choices)
    if value not in choices:
        require(False, key, value, f"one of {', '.join(choices)}{nearest(value, choices)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" for the known word nearest to ``word``, or nothing."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {match[0]}?)" if match else ""


# ---------------------------------------------------------------------------------------- data


@dataclass
class TeacherData:
    """A random network of the job's own architecture labels random inputs."""

    kind: str = "teacher"
    n_data: int = 20_000
    x_dist: str = "normal"  # normal: N(0, x_scale²) per entry; uniform: U[-x_scale, x_scale]
    x_scale: float = 1.0
    noise: str = "normal"  # added to the labels: none, normal, student_t (3 degrees of freedom)
    noise_scale: float = 0.1  # in units of the labels
    sigma: float | None = None  # sd of the Gaussian likelihood; null: noise_scale, or 1 without noise
    mse: bool = False  # σ² is half the number of outputs: L_n is the mean squared error of all entries

    def __post_init__(self) -> None:
        require(self.n_data >= 2, "data.n_data", self.n_data, "at least 2")
        require(self.sigma is None or not self.mse, "data.sigma", self.sigma, "null with data.mse=true, which sets it")
        require_choice("data.x_dist", self.x_dist, X_DISTS)
        require(self.x_scale > 0, "data.x_scale", self.x_scale, "above 0")
        require_choice("data.noise", self.noise, NOISES)
        require(self.noise_scale >= 0, "data.noise_scale", self.noise_scale, "0 or more")
        # No noise has two spellings; both become one, so that both have one run id.
        if self.noise == "none" or self.noise_scale == 0:
            self.noise, self.noise_scale = "none", 0.0
        if self.sigma is None and not self.mse:
            self.sigma = self.noise_scale or 1.0
        require(self.sigma is None or self.sigma > 0, "data.sigma", self.sigma, "above 0")


@dataclass
class DigitsData:
    """The 1,797 handwritten digits, 8×8 pixels, that scikit-learn ships: ten classes."""

    kind: str = "digits"
    n_data: int = 1437  # training rows, drawn by seed; the other rows are the test set

    def __post_init__(self) -> None:
        require(10 <= self.n_data <= 1797, "data.n_data", self.n_data, "between 10 and 1797")


@dataclass
class NpzData:
    """A user's own arrays: ``x`` (n, d) and ``y`` (n,) classes or (n, m) real targets."""

    kind: str = "npz"
    path: str = MISSING  # relative to where the command is started
    n_data: int | None = None  # training rows, drawn by seed; null: all; the others are the test set
    sigma: float = 1.0  # sd of the Gaussian likelihood of real targets
    sha256: str | None = None  # of the file; filled in, and checked if given
    classes: bool | None = None  # whether y are classes; filled in

    def __post_init__(self) -> None:
        require(self.sigma > 0, "data.sigma", self.sigma, "above 0")


# --------------------------------------------------------------------------------------- model


@dataclass
class MlpModel:
    """A multilayer perceptron with biases."""

    kind: str = "mlp"
    depth: int = 3  # hidden layers
    activation: str = "tanh"
    widths: list[int] | None = None  # hidden widths; null: `depth` equal ones, solved for target_params
    target_params: int | None = 10_000  # with explicit widths: filled in with what they make
    d_in: int = 32  # with teacher data; other data bring their own
    d_out: int = 1

    def __post_init__(self) -> None:
        require_choice("model.activation", self.activation, ACTIVATIONS)
        require(self.depth >= 1, "model.depth", self.depth, "at least 1")
        require(min(self.d_in, self.d_out) >= 1, "model.d_in, model.d_out", (self.d_in, self.d_out), "at least 1")
        if self.widths is None:
            require((self.target_params or 0) >= 1, "model.target_params", self.target_params, "at least 1, or widths")
        else:
            require(
                len(self.widths) >= 1 and min(self.widths) >= 1, "model.widths", self.widths, "a list of widths ≥ 1"
            )
            self.depth = len(self.widths)


@dataclass
class DlnModel:
    """A deep linear network x ↦ W_L … W_1 x."""

    kind: str = "dln"
    widths: list[int] | None = field(default_factory=lambda: [20, 20, 20])  # all: d_0 (inputs) … d_L (outputs)
    layers: list[int] | None = None  # with widths null: their number is drawn by seed, from [0] to below [1]
    width: list[int] | None = None  # and so is each width; the widths drawn are filled in
    teacher: str = "aligned"  # layers of one rank, λ the global one; or reduced: random layers of random ranks
    rank: int = 5  # of the aligned teacher's product, and of each of its layers
    target_params: int | None = None  # filled in: the number of parameters

    def __post_init__(self) -> None:
        require_choice("model.teacher", self.teacher, DLN_TEACHERS)
        if self.widths is not None:
            self.check_widths()
            return
        for key, value in {"model.layers": self.layers, "model.width": self.width}.items():
            ok = value is not None and len(value) == 2 and 1 <= value[0] < value[1]
            require(ok, key, value, "[lo, hi] with 1 ≤ lo < hi where model.widths is null")

    def check_widths(self) -> None:
        """Check the widths, once they are known, and the rank."""
        assert self.widths is not None
        require(len(self.widths) >= 2 and min(self.widths) >= 1, "model.widths", self.widths, "two or more widths ≥ 1")
        if self.teacher == "aligned":
            least = min(self.widths)
            require(0 <= self.rank <= least, "model.rank", self.rank, f"in 0 … min(widths)={least}")


@dataclass
class QuadraticModel:
    """Linear regression x ↦ x·w: its loss is a quadratic, and it is a regular model."""

    kind: str = "quadratic"
    d_in: int = 10  # with teacher data; other data bring their own
    teacher: str = "random"  # weights N(0, 1/d_in); or zero
    target_params: int | None = None  # filled in: d_in

    def __post_init__(self) -> None:
        require(self.d_in >= 1, "model.d_in", self.d_in, "at least 1")
        require_choice("model.teacher", self.teacher, QUADRATIC_TEACHERS)


@dataclass
class CrossingModel:
    """x ↦ x · w1^a · w2^b of one input; the teacher is w = 0, where the lines w1 = 0 and w2 = 0 cross."""

    kind: str = "crossing"
    exponents: list[int] = field(default_factory=lambda: [1, 1])  # a, b
    target_params: int | None = None  # filled in: 2

    def __post_init__(self) -> None:
        ok = len(self.exponents) == 2 and 1 <= min(self.exponents) <= max(self.exponents) <= 10
        require(ok, "model.exponents", self.exponents, "two exponents of 1 to 10")


# ------------------------------------------------------------------------------------ training


@dataclass
class TrainingConfig:
    """How w* is found. The learning rate falls to 0 along a cosine over ``steps``."""

    w_star: str = "trained"  # or teacher: the teacher's own weights, no training
    optimizer: str = "adam"
    learning_rate: float = 1e-2
    momentum: float = 0.9  # sgd only
    weight_decay: float = 1e-4  # adamw only
    steps: int = 10_000  # at most
    batch_size: int | None = 2_048  # rows per gradient; null, or n_data or more: all
    grad_tol: float = 1e-4  # ends when ‖∇L_n(w)‖ is below it

    def __post_init__(self) -> None:
        require_choice("training.w_star", self.w_star, ("trained", "teacher"))
        require_choice("training.optimizer", self.optimizer, OPTIMIZERS)
        require(self.learning_rate > 0, "training.learning_rate", self.learning_rate, "above 0")
        require(0 <= self.momentum < 1, "training.momentum", self.momentum, "in [0, 1)")
        require(self.weight_decay >= 0, "training.weight_decay", self.weight_decay, "0 or more")
        require(self.steps >= 1, "training.steps", self.steps, "at least 1")
        require(
            self.batch_size is None or self.batch_size >= 1,
            "training.batch_size",
            self.batch_size,
            "at least 1, or null",
        )
        require(self.grad_tol >= 0, "training.grad_tol", self.grad_tol, "0 or more")


# ----------------------------------------------------------------------------------- posterior


@dataclass
class PosteriorConfig:
    """p(w) ∝ exp(−nβ L_n(w) − (γ/2)‖w − w*‖²)."""

    beta0: float = 1.0  # β = beta0 / log n
    beta: float | None = None  # a fixed β instead
    gamma: float = 1.0  # γ, a precision: 1/γ is the prior variance of each parameter about w*

    def __post_init__(self) -> None:
        require(self.beta0 > 0, "posterior.beta0", self.beta0, "above 0")
        require(self.beta is None or self.beta > 0, "posterior.beta", self.beta, "above 0, or null")
        require(self.gamma >= 0, "posterior.gamma", self.gamma, "0 or more")


# ------------------------------------------------------------------------------------ samplers


BUDGET = 200_000.0  # gradients of the full loss per chain, at most, where draws are added by rule


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
    batch_size: int = 64  # rows per gradient; n_data or more: all of them
    control_variates: bool = False  # take the labels' noise out of the gradients, for twice the work
    warmup: int = 0  # steps that are dropped in any case
    draws: int | None = None  # null: until converged
    thin: int = 100  # steps per draw
    chains: int = 4
    budget: float = BUDGET

    def __post_init__(self) -> None:
        number = isinstance(self.step_size, int | float) and not isinstance(self.step_size, bool)
        if number:
            self.step_size = float(self.step_size)
        ok = self.step_size == "auto" or (number and self.step_size > 0)
        require(ok, "sampler.sgld.step_size", self.step_size, "auto, or a number above 0")
        _check_counts("sgld", self, {"batch_size": 1, "warmup": 0, "thin": 1})


@dataclass
class HmcConfig:
    """Hamiltonian Monte Carlo, step size and diagonal mass adapted, trajectories jittered."""

    target_accept: float = 0.8
    trajectory_length: float = 1.6  # mean, in units of the adapted metric; each is U(0, 2) times it
    warmup: int = 500  # draws in which it is tuned
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

    target_accept: float = 0.8
    max_tree_depth: int = 10  # at most 2^depth − 1 gradients per draw
    warmup: int = 500  # draws in which it is tuned
    draws: int | None = None  # null: until converged
    chains: int = 4
    budget: float = BUDGET

    def __post_init__(self) -> None:
        require(0 < self.target_accept < 1, "sampler.nuts.target_accept", self.target_accept, "in (0, 1)")
        require(1 <= self.max_tree_depth <= 15, "sampler.nuts.max_tree_depth", self.max_tree_depth, "in 1 … 15")
        _check_counts("nuts", self, {"warmup": 1})


@dataclass
class MclmcConfig:
    """Microcanonical Langevin Monte Carlo, step size, L and diagonal mass tuned."""

    energy_error: float = 1e-6  # variance of the energy error, per step and dimension; sets the step
    warmup: int = 4_000  # tuning steps
    draws: int | None = None  # null: until converged
    thin: int = 20  # steps per draw
    chains: int = 4
    budget: float = BUDGET

    def __post_init__(self) -> None:
        require(self.energy_error > 0, "sampler.mclmc.energy_error", self.energy_error, "above 0")
        _check_counts("mclmc", self, {"warmup": 10, "thin": 1})


@dataclass
class GibbsConfig:
    """Block Gibbs sampling, exact: of deep linear networks with real targets only."""

    warmup: int = 0  # sweeps that are dropped in any case
    draws: int | None = None  # one sweep each; null: until converged
    chains: int = 4
    budget: float = BUDGET  # a sweep is a gradient for each layer

    def __post_init__(self) -> None:
        _check_counts("gibbs", self, {"warmup": 0})


@dataclass
class SamplerConfig:
    """Which samplers run, and their settings; the settings of the others count for nothing."""

    names: list[str] = field(default_factory=lambda: ["sgld", "nuts"])
    sgld: SgldConfig = field(default_factory=SgldConfig)
    hmc: HmcConfig = field(default_factory=HmcConfig)
    nuts: NutsConfig = field(default_factory=NutsConfig)
    mclmc: MclmcConfig = field(default_factory=MclmcConfig)
    gibbs: GibbsConfig = field(default_factory=GibbsConfig)

    def __post_init__(self) -> None:
        known = [f.name for f in fields(self) if f.name != "names"]
        for name in self.names:
            require_choice("sampler.names", name, known)
        once = 1 <= len(self.names) == len(set(self.names))
        require(once, "sampler.names", self.names, f"one or more of {', '.join(known)}, each once")


# ----------------------------------------------------------------------------------------- job


@dataclass
class Job:
    """One job. Above the line: what the numbers depend on. Below: where and how it runs."""

    data: Any = MISSING
    model: Any = MISSING
    training: TrainingConfig = field(default_factory=TrainingConfig)
    posterior: PosteriorConfig = field(default_factory=PosteriorConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    seed: int = 0
    precision: str = "float32"  # of training and sampling
    # --------------------------------------------------------------------
    threads: int = 1  # cores that the job may use
    stage: str = "run"  # target: stop when w* is saved
    target: str | None = None  # directory of a target made before; null: train one here
    expect_id: str | None = None  # refuse to run if the id differs; the workflow sets it

    def __post_init__(self) -> None:
        require(0 <= self.seed < 2**31, "seed", self.seed, "in 0 … 2³¹ − 1")
        require_choice("precision", self.precision, PRECISIONS)
        require(self.threads >= 1, "threads", self.threads, "at least 1")
        require_choice("stage", self.stage, ("run", "target"))


DATA = {"teacher": TeacherData, "digits": DigitsData, "npz": NpzData}
MODELS = {"mlp": MlpModel, "dln": DlnModel, "quadratic": QuadraticModel, "crossing": CrossingModel}
