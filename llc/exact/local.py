"""The learning coefficient of a deep linear network at given weights: exact, or between bounds.

K(w) = ‖W_1 ⋯ W_L − W_1* ⋯ W_L*‖², W_k of shape (d_{k−1}, d_k). Everything depends on the ranks of
the products of adjacent layers alone, an array R: R[i, j] is the rank of the product from node i to
node j, R[i, i] the width d_i. The global coefficient is the least of these, over all weights with
one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from llc.exact.strata import codimension
from llc.exact.truth import LearningCoefficient, deep_linear, reduced_rank_regression, regular

Ranks = Int[np.ndarray, "nodes nodes"]
RANK_TOL = 1e-9  # a singular value below this share of the layer's largest is 0


class Bounds(NamedTuple):
    """A lower and an upper bound of λ; equal where it is known."""

    lower: float
    upper: float


def product_ranks(layers: Sequence[Float[np.ndarray, "_ _"]]) -> Ranks:
    """Return the array R of the layers.

    A basis of the row space is carried from layer to layer, so that the singular values of a long
    product, which spread without limit, do not decide its rank.
    """
    n = len(layers)
    ranks = np.zeros((n + 1, n + 1), int)
    norms = [np.linalg.norm(layer, 2) for layer in layers]
    for i, first in enumerate(layers):
        rows = np.eye(len(first))
        ranks[i, i] = len(first)
        for j in range(i, n):
            _, values, basis = np.linalg.svd(rows @ layers[j], full_matrices=False)
            rows = basis[values > RANK_TOL * norms[j]]
            ranks[i, j + 1] = len(rows)
    ranks[n, n] = layers[-1].shape[1]
    return ranks


def at_weights(layers: Sequence[Float[np.ndarray, "_ _"]]) -> Bounds:
    """Return λ at these weights: exact with one or two layers, and with those that can be merged to two."""
    ranks = merged(product_ranks(layers))
    if len(ranks) == 2:
        exact = regular(int(ranks[0, 0] * ranks[1, 1])).value
    elif len(ranks) == 3:
        exact = two_layers(ranks).value
    else:
        return bounds(ranks)
    return Bounds(exact, exact)


def merged(ranks: Ranks) -> Int[np.ndarray, "kept kept"]:
    """Return R with every layer merged into its neighbour that can be, which changes no λ.

    A product of two layers is a submersion at weights where the first has full row rank or the
    second full column rank: near them it is a coordinate, a free matrix like any other, and K
    depends on the two layers through it alone.
    """
    nodes = list(range(len(ranks)))

    def free(i: int) -> bool:
        before, node, after = nodes[i - 1 : i + 2]
        return bool(ranks[before, node] == ranks[before, before] or ranks[node, after] == ranks[after, after])

    while True:
        inner = [i for i in range(1, len(nodes) - 1) if free(i)]
        if not inner:
            return ranks[np.ix_(nodes, nodes)]
        del nodes[inner[0]]


def two_layers(ranks: Ranks) -> LearningCoefficient:
    """Return λ of y = BAx at weights with a = rank A, b = rank B, r = rank BA, exactly.

    Notes
    -----
    A is (H, M), B (N, H). Split the hidden space into im A ∩ ker B, its complements in im A and in
    ker B, and the rest: a − r, r, H − a − b + r and b − r dimensions. Near the weights a change of
    hidden coordinates makes the first a columns of A constant. Then the first a columns of BA are
    those of B, N a coordinates. In the others, the b rows where B has full rank are solved for
    b(M − a) entries of A. So NM − (N−b)(M−a) of the equations BA = B*A* are coordinates, and what
    is left of the others is a product of two free matrices that are 0 at the weights: reduced rank
    regression of M − a inputs, H − a − b + r hidden units, N − b outputs and rank 0, at its
    deepest point. λ is half the number of the former plus the coefficient of the latter.
    """
    m, h, n = (int(d) for d in np.diag(ranks))
    a, b, r = int(ranks[0, 1]), int(ranks[1, 2]), int(ranks[0, 2])
    rest = reduced_rank_regression(m - a, h - a - b + r, n - b, 0)
    return LearningCoefficient((n * m - (n - b) * (m - a)) / 2 + rest.value, rest.multiplicity)


def jacobian_rank(ranks: Ranks) -> int:
    """Return the rank of the derivative of the product by the weights.

    Layer k moves the product within im(before) ⊗ im(after): with the ranks of what is before and
    after as sides, these are rectangles in one corner, the one growing as the other shrinks. The
    rank is the area that they cover together.
    """
    after = [0, *ranks[1:, -1]]
    return int(sum((after[k + 1] - after[k]) * ranks[0, k] for k in range(len(ranks) - 1)))


def bounds(ranks: Ranks) -> Bounds:
    """Return a lower and an upper bound of λ, for any number of layers.

    Notes
    -----
    Below: λ is at least its minimum over all weights with the same product, and at least half the
    rank of the Jacobian, since K is at least the sum of squares of that many coordinates. Above: λ
    is at most its value at other zeros of K as near as one likes, and there at most half the
    codimension of a manifold of zeros.
    """
    lower = max(deep_linear(np.diag(ranks).tolist(), int(ranks[0, -1])).value, jacobian_rank(ranks) / 2)
    return Bounds(lower, codimension(ranks) / 2)
