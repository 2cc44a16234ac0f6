"""What is known of an estimate before it is made: λ at w*, and the exact value at its nβ and γ."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from llc.config import Job
from llc.exact import expected, local, truth
from llc.targets import losses
from llc.targets.target import Problem, Target

FLAT = 1e-12  # share of the largest eigenvalue below which one is 0 but for rounding
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
    if not losses.squares(job, problem.data):
        return Known()
    quadratic = _least_squares(job, problem, target.w_star.astype(float))
    if quadratic is not None:
        return _of_least_squares(quadratic, nbeta, gamma)
    if job.posterior.restrict is not None:
        return Known()
    if job.training.w_star != "teacher" or job.data.noise != "none" or job.data.n_data < problem.model.widths[0]:
        return Known()
    if model.kind == "crossing":
        # L_n(w) = c w1^2a w2^2b
        c = float(np.mean(problem.data.x**2)) / (2 * problem.data.sigma**2)
        exact = expected.monomial(model.exponents, nbeta * c, gamma) if gamma > 0 else None
        return Known(truth.monomial(model.exponents).value, exact)
    if model.kind == "dln" and model.teacher == "aligned":
        return Known(truth.deep_linear(model.widths, model.rank).value)
    if model.kind == "dln":
        assert problem.data.w_true is not None  # w* is the teacher's
        lower, upper = local.at_weights(_layers(problem, problem.data.w_true))
        return Known(lower if lower == upper else None)
    return Known()


class LeastSquares(NamedTuple):
    """A loss ‖y − x W s‖²/(2nσ²) of a matrix W, which is at ``w``."""

    x: Float[np.ndarray, "n d_in"]
    s: Float[np.ndarray, "d_out m"]
    y: Float[np.ndarray, "n m"]
    w: Float[np.ndarray, "d_in d_out"]
    sigma: float


def _least_squares(job: Job, problem: Problem, w_star: Float[np.ndarray, " dim"]) -> LeastSquares | None:
    """Return the loss as one of least squares in the parameters that move, if it is one.

    It is in linear regression, whichever coefficients move, and in a deep linear network of which one layer
    moves: in that layer the product is linear.
    """
    data, layout = problem.data, problem.model.layout
    chosen = [name for name, _ in layout] if job.posterior.restrict is None else job.posterior.restrict
    y = data.y.reshape(len(data.x), -1)
    if job.model.kind == "quadratic":
        moves = np.isin([name for name, _ in layout], chosen)
        y = y - data.x[:, ~moves] @ w_star[~moves, None]
        return LeastSquares(data.x[:, moves], np.eye(1), y, w_star[moves, None], data.sigma)
    if job.model.kind != "dln" or len(chosen) != 1:
        return None
    # A teacher's layers in the precision they were drawn in: rounding gives every layer full rank.
    layers = _layers(problem, w_star if job.training.w_star != "teacher" or data.w_true is None else data.w_true)
    at = [name for name, _ in layout].index(chosen[0])
    before, after = (
        reduce(np.matmul, part) for part in ([data.x, *layers[:at]], [*layers[at + 1 :], np.eye(y.shape[1])])
    )
    return LeastSquares(before, after, y, _layers(problem, w_star)[at], data.sigma)


def _of_least_squares(found: LeastSquares, nbeta: float, gamma: float) -> Known:
    """Return both for least squares, whose loss is a quadratic whatever the labels and w* are.

    With x = U diag(a) Vᵀ and s = P diag(b) Qᵀ the loss has curvature a_i² b_j²/(nσ²) along V_i P_jᵀ,
    where the gradient at w* is curvature times offset from the minimum.
    """
    x, s, y, w, sigma = found
    scale = len(x) * sigma**2
    a2, v = np.linalg.eigh(x.T @ x)
    b2, p = np.linalg.eigh(s @ s.T)
    gradient = v.T @ (x.T @ (x @ w @ s - y) @ s.T) @ p / scale
    a2, b2 = (np.where(e > FLAT * e.max(), e, 0.0) for e in (a2, b2))
    h = np.outer(a2, b2) / scale
    seen = h > 0  # directions that no row sees are flat
    curvatures, offset = h[seen], gradient[seen] / h[seen]
    exact = expected.quadratic(curvatures, nbeta, gamma, offset)
    coefficient = truth.regular(len(curvatures)).value
    excess = 0.5 * nbeta * float(np.sum(curvatures * offset**2))
    return Known(coefficient if excess <= EXCESS_MAX * coefficient else None, exact)


def _layers(problem: Problem, w: Float[np.ndarray, " dim"]) -> list[Float[np.ndarray, "_ _"]]:
    ends = np.cumsum([np.prod(shape) for _, shape in problem.model.layout])[:-1]
    return [part.reshape(shape) for part, (_, shape) in zip(np.split(w, ends), problem.model.layout, strict=True)]
