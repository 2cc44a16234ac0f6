"""Models: the keys of ``model``, what they mean and which values are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from llc.config.checks import are_integers, arguments, require, require_choice

ACTIVATIONS = ("tanh", "relu", "gelu", "identity")
DLN_TEACHERS = ("aligned", "reduced")
QUADRATIC_TEACHERS = ("zero", "random")


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
            ok = len(self.widths) >= 1 and are_integers(self.widths, 1)
            require(ok, "model.widths", self.widths, "a list of widths ≥ 1")
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
            ok = value is not None and len(value) == 2 and are_integers(value, 1) and value[0] < value[1]
            require(ok, key, value, "[lo, hi] with 1 ≤ lo < hi where model.widths is null")

    def check_widths(self) -> None:
        """Check the widths, once they are known, and the rank."""
        assert self.widths is not None
        ok = len(self.widths) >= 2 and are_integers(self.widths, 1)
        require(ok, "model.widths", self.widths, "two or more widths ≥ 1")
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


@dataclass
class OwnModel:
    """Any JAX ``init``/``apply`` pair, made by a user's own function or class; see docs/own-models.md."""

    kind: str = "own"
    _target_: str = MISSING  # its import path, such as mypackage.my_model
    args: Any = None  # it is called with: {name: value, …}
    target_params: int | None = None  # not known before it is made

    def __post_init__(self) -> None:
        self.args = arguments("model.args", self.args)
        require(self.target_params is None, "model.target_params", self.target_params, "null: the model itself says it")


MODELS = {
    "mlp": MlpModel, "dln": DlnModel, "quadratic": QuadraticModel, "crossing": CrossingModel, "own": OwnModel,
}  # fmt: skip
