"""What is known of an estimate before it is made: λ at w*, and the exact value at its nβ and γ."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from llc import finite, local, losses, truth
from llc.config import Job
from llc.target import Problem, Target

EXCESS_MAX = 1e-3  # share of λ that nβ (L_n(w*) − min L_n) may be where w* is called a minimum


class Known(NamedTuple):
    """None is not known."""

    llc_true: float | None = None  # λ at w*, which λ̂ tends to as n grows
    llc_exact: float | None = None  # λ̂ itself, at this n, β and γ and on these data


def answers(job: Job, problem: Problem, target: Target, nbeta: float) -> Known:
    """Return what is known of the estimates of ``job``.

    λ is known at a minimum of L_n alone. The teacher's own weights are one if its labels have no
    noise: else λ̂ there is lower by a term of the order of λ / log n. With fewer rows than inputs
    the data do not see all directions. The λ of a point is also not that of its basin, which is
    what λ̂ tends to where γ is too small to keep the posterior at the point.
    """
    model, gamma = job.model, job.posterior.gamma
    regression = model.kind == "quadratic" or (model.kind == "dln" and len(model.widths) == 2)
    if not losses.squares(job, problem.data):
        return Known()
    if regression:
        return _linear_regression(problem, target.w_star, nbeta, gamma)
    if job.training.w_star != "teacher" or job.data.noise != "none" or job.data.n_data < problem.model.widths[0]:
        return Known()
    if model.kind == "crossing":
        # L_n(w) = c w1^2a w2^2b
        c = float(np.mean(problem.data.x**2)) / (2 * problem.data.sigma**2)
        exact = finite.monomial(model.exponents, nbeta * c, gamma) if gamma > 0 else None
        return Known(truth.monomial(model.exponents).value, exact)
    if model.kind == "dln" and model.teacher == "aligned":
        return Known(truth.deep_linear(model.widths, model.rank).value)
    if model.kind == "dln":
        lower, upper = local.at_weights(_layers(problem))
        return Known(lower if lower == upper else None)
    return Known()


def _linear_regression(problem: Problem, w_star: Float[np.ndarray, " dim"], nbeta: float, gamma: float) -> Known:
    """Return both for least squares, whose loss is a quadratic whatever the labels and w* are.

    With G = XᵀX/(nσ²) every output has the curvatures of G, and in the coordinates of its
    eigenvectors the gradient at w* is curvature times offset from the minimum.
    """
    x, y = problem.data.x, problem.data.y.reshape(len(problem.data.x), -1)
    scale = len(x) * problem.data.sigma**2
    h, basis = np.linalg.eigh(x.T @ x / scale)
    gradient = basis.T @ (x.T @ (x @ w_star.astype(float).reshape(x.shape[1], -1) - y)) / scale
    seen = h > h.max() * len(h) * np.finfo(float).eps  # directions that no row has are flat
    curvatures = np.repeat(h[seen], y.shape[1])
    offset = (gradient[seen] / h[seen, None]).ravel()
    exact = finite.quadratic(curvatures, nbeta, gamma, offset)
    coefficient = truth.regular(len(curvatures)).value
    excess = 0.5 * nbeta * float(np.sum(curvatures * offset**2))
    return Known(coefficient if excess <= EXCESS_MAX * coefficient else None, exact)


def _layers(problem: Problem) -> list[Float[np.ndarray, "_ _"]]:
    """Return the teacher's layers, in the precision that they were drawn in: rounding gives every layer full rank."""
    assert problem.data.w_true is not None  # w* is the teacher's
    shapes = list(pairwise(problem.model.widths))
    ends = np.cumsum([d_in * d_out for d_in, d_out in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(problem.data.w_true, ends), shapes, strict=True)]
