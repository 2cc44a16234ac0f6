"""A job: its training, its posterior, and the whole of its keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from llc.config.checks import are_integers, require, require_choice
from llc.config.samplers import SamplerConfig

PRECISIONS = ("float32", "float64")
LOSSES = ("nll", "mse", "cross_entropy", "module.function")
OPTIMIZERS = ("adam", "adamw", "sgd")


@dataclass
class TrainingConfig:
    """How w* is found: an optimizer whose learning rate falls to 0 along a cosine over ``steps``, then polishing.

    Polishing is L-BFGS on all the rows, to the minimum within reach of where the optimizer ended, see
    ``llc/targets/polish.py``. λ̂ of a w* that is none is too low: the column ``llc_deficit`` says by how much.
    """

    w_star: str = "trained"  # or, without training, teacher: the teacher's own weights; file: those in path
    path: str | None = None  # npz or safetensors, an array per parameter; relative to where the command is started
    sha256: str | None = None  # of the file; filled in, and checked if given
    optimizer: str = "adam"
    learning_rate: float = 1e-2
    momentum: float = 0.9  # sgd only
    weight_decay: float = 1e-4  # adamw only
    steps: int = 10_000  # at most
    checkpoints: list[int] | None = None  # steps after which w is kept, for `checkpoint` to choose from; 0: as begun
    batch_size: int | None = 2_048  # rows per gradient; null, or n_data or more: all
    grad_tol: float = 1e-4  # the optimizer ends when ‖∇L_n(w)‖ is below it
    polish_steps: int = 1_000  # at most; 0: w* is where the optimizer ended, as for an early checkpoint

    def __post_init__(self) -> None:
        require_choice("training.w_star", self.w_star, ("trained", "teacher", "file"))
        where = (
            "of the file with training.w_star=file" if self.w_star == "file" else "null without training.w_star=file"
        )
        require((self.path is not None) == (self.w_star == "file"), "training.path", self.path, where)
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
        kept = self.checkpoints
        ok = kept is None or (
            self.w_star == "trained" and len(kept) > 0 and are_integers(kept, 0) and max(kept) <= self.steps
        )
        must = f"null, or steps of 0 … training.steps={self.steps} with training.w_star=trained"
        require(ok, "training.checkpoints", kept, must)
        self.checkpoints = sorted(set(kept)) if kept else None
        require(self.grad_tol >= 0, "training.grad_tol", self.grad_tol, "0 or more")
        require(self.polish_steps >= 0, "training.polish_steps", self.polish_steps, "0 or more")


@dataclass
class PosteriorConfig:
    """p(w) ∝ exp(−nβ L_n(w) − (γ/2)‖w − w*‖²)."""

    beta0: float = 1.0  # β = beta0 / log n
    beta: float | None = None  # a fixed β instead
    gamma: float = 1.0  # γ, a precision: 1/γ is the prior variance of each parameter about w*
    restrict: Any = None  # only parameters whose name matches move, as layers/0/*: a pattern or several; null: all

    def __post_init__(self) -> None:
        require(self.beta0 > 0, "posterior.beta0", self.beta0, "above 0")
        require(self.beta is None or self.beta > 0, "posterior.beta", self.beta, "above 0, or null")
        require(self.gamma >= 0, "posterior.gamma", self.gamma, "0 or more")
        if isinstance(self.restrict, str):
            self.restrict = [self.restrict]
        ok = self.restrict is None or (
            isinstance(self.restrict, list) and all(isinstance(p, str) for p in self.restrict)
        )
        require(ok and self.restrict != [], "posterior.restrict", self.restrict, "a pattern, a list of some, or null")


@dataclass
class OwnConfig:
    """A user's own modules, which ``model._target_``, ``data._target_`` and ``loss`` name by import path."""

    folder: str | None = None  # where they are looked for first; null: where the command is started
    sha256: str | None = None  # of their code and what they import; filled in, and checked if given


@dataclass
class Job:
    """One job. The keys up to ``precision`` change its numbers, the others say where and how it runs."""

    data: Any = MISSING
    model: Any = MISSING
    loss: str = "nll"  # Gaussian with sd data.sigma, of classes cross_entropy; or mse; or a function's import path
    own: OwnConfig = field(default_factory=OwnConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    checkpoint: int | None = None  # w* is where training was after so many steps; null: where it ended
    posterior: PosteriorConfig = field(default_factory=PosteriorConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    evaluate: Any = None  # {name: data}: L of each draw on other data too: an npz file, a function, or test
    seed: int = 0
    precision: str = "float32"  # of training and sampling
    # --------------------------------------------------------------------
    threads: int = 1  # cores that the job may use; chains of large networks are spread over them
    batch: int = 1  # jobs of a sweep that share a process, at most, so that small ones start and compile once
    stage: str = "run"  # target: stop when w* is saved
    target: str | None = None  # directory of a target made before; null: train one here
    expect_id: str | None = None  # refuse to run if the id differs; the workflow sets it

    def __post_init__(self) -> None:
        require(0 <= self.seed < 2**31, "seed", self.seed, "in 0 … 2³¹ − 1")
        if "." not in self.loss:
            require_choice("loss", self.loss, LOSSES)
        require_choice("precision", self.precision, PRECISIONS)
        require(self.threads >= 1, "threads", self.threads, "at least 1")
        require(self.batch >= 1, "batch", self.batch, "at least 1")
        require_choice("stage", self.stage, ("run", "target"))
