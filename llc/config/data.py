"""Data: the keys of ``data``, what they mean and which values are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from llc.config.checks import arguments, require, require_choice

NOISES = ("none", "normal", "student_t")
X_DISTS = ("normal", "uniform")
DIGITS_ROWS = 1797


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

    def __post_init__(self) -> None:
        require(self.n_data >= 2, "data.n_data", self.n_data, "at least 2")
        require_choice("data.x_dist", self.x_dist, X_DISTS)
        require(self.x_scale > 0, "data.x_scale", self.x_scale, "above 0")
        require_choice("data.noise", self.noise, NOISES)
        require(self.noise_scale >= 0, "data.noise_scale", self.noise_scale, "0 or more")
        # No noise has two spellings; both become one, so that both have one run id.
        if self.noise == "none" or self.noise_scale == 0:
            self.noise, self.noise_scale = "none", 0.0
        require(self.sigma is None or self.sigma > 0, "data.sigma", self.sigma, "above 0, or null")


@dataclass
class DigitsData:
    """The 1,797 handwritten digits, 8×8 pixels, that scikit-learn ships: ten classes."""

    kind: str = "digits"
    n_data: int = 1437  # training rows, drawn by seed; the other rows are the test set

    def __post_init__(self) -> None:
        require(10 <= self.n_data <= DIGITS_ROWS, "data.n_data", self.n_data, "between 10 and 1797")


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


@dataclass
class OwnData:
    """What a user's own function returns: ``x, y`` or ``x, y, x_test, y_test``; see docs/own-models.md."""

    kind: str = "own"
    _target_: str = MISSING  # its import path, such as mypackage.my_data
    args: Any = None  # it is called with: {name: value, …}; and with the job's seed if it takes `seed`
    n_data: int | None = None  # training rows, drawn by seed; null: all; the others are the test set
    sigma: float = 1.0  # sd of the Gaussian likelihood of real targets

    def __post_init__(self) -> None:
        self.args = arguments("data.args", self.args)
        require(self.n_data is None or self.n_data >= 2, "data.n_data", self.n_data, "at least 2, or null")
        require(self.sigma > 0, "data.sigma", self.sigma, "above 0")


DATA = {"teacher": TeacherData, "digits": DigitsData, "npz": NpzData, "own": OwnData}
