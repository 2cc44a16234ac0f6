"""The zeros of a deep linear network's loss near given weights, as representations of a quiver.

Layers W_1 … W_L in which only the hidden coordinates may change fall apart into intervals [i, j]:
vectors that appear at node i and vanish after node j. How many there are of each follows from the
ranks of the products of adjacent layers, and names a stratum, a manifold. Weights in one stratum
are limits of weights in another where two intervals are glued, or chains of them.

References
----------
Abeasis and Del Fra (1985), Journal of Algebra 93(2), 376–412: degenerations. Pepin Lehalleur and
Rimányi (2024), arXiv 2411.19920: the strata of one product; λ is half the least codimension.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

MOST_GLUINGS = 800  # with more, from 11 layers on, looking at pairs of them takes minutes
Counts = Int[np.ndarray, " intervals"]


class _Quiver(NamedTuple):
    ext: Int[np.ndarray, "intervals intervals"]  # 1 where the first interval can be glued to the second
    gluings: Int[np.ndarray, "moves intervals"]  # what each changes of the counts; none makes [0, L]
    to_ranks: Int[np.ndarray, "ranks intervals"]  # of every product, as sums of counts


def codimension(ranks: Int[np.ndarray, "nodes nodes"]) -> int:
    """Return the codimension of a manifold of zeros, the largest that was found, through or next to weights.

    Parameters
    ----------
    ranks
        R[i, j] is the rank of the product from node i to node j, R[i, i] the width d_i.

    Notes
    -----
    A stratum has codimension Σ n_I n_J ext(I, J) among all weights, and the products of its rank r
    are r(d_0 + d_L − r) dimensions. The least over the strata in reach is an integer quadratic
    program; it is descended by gluings, then by any one or two gluings and their reverses that
    stay in reach. At aligned weights that finds the known minimum. Any stratum is a valid bound.
    """
    n = len(ranks)
    padded = np.zeros((n + 2, n + 2), int)
    padded[1:-1, 1:-1] = np.triu(ranks)
    intervals = [(i, j) for i in range(n) for j in range(i, n)]
    counts = np.array(
        [padded[i + 1, j + 1] - padded[i, j + 1] - padded[i + 1, j + 2] + padded[i, j + 2] for i, j in intervals]
    )
    quiver = _quiver(intervals)
    start = counts
    if len(quiver.gluings):
        counts = _glue(start, quiver)
        if len(quiver.gluings) <= MOST_GLUINGS:
            counts = _exchange(counts, start, quiver)
    r = int(ranks[0, -1])
    return int(counts @ quiver.ext @ counts) + r * int(ranks[0, 0] + ranks[-1, -1] - r)


def _quiver(intervals: list[tuple[int, int]]) -> _Quiver:
    place = {interval: at for at, interval in enumerate(intervals)}
    ext = np.array([[i < k <= j + 1 <= last for k, last in intervals] for i, j in intervals], int)
    gluings = []
    for first, second in np.argwhere(ext):
        (i, j), (k, last) = intervals[first], intervals[second]
        if (i, last) == (0, intervals[-1][1]):
            continue  # the rank of the product would grow
        change = np.zeros(len(intervals), int)
        change[[first, second]] = -1
        change[place[i, last]] += 1
        if k <= j:
            change[place[k, j]] += 1
        gluings.append(change)
    to_ranks = np.array([[k <= i and j <= last for k, last in intervals] for i, j in intervals], int)
    return _Quiver(ext, np.array(gluings, int).reshape(-1, len(intervals)), to_ranks)


def _glue(counts: Counts, quiver: _Quiver) -> Counts:
    """Glue what lowers the codimension most, until nothing is left to be glued."""
    moves, ext = quiver.gluings, quiver.ext
    own = np.einsum("mi,ij,mj->m", moves, ext, moves)
    while True:
        possible = (counts + moves >= 0).all(axis=1)
        change = np.where(possible, moves @ (ext + ext.T) @ counts + own, 0)
        best = int(change.argmin())
        if change[best] >= 0:
            return counts
        counts = counts + moves[best]


def _exchange(counts: Counts, start: Counts, quiver: _Quiver, most: int = 300) -> Counts:
    """Take one or two gluings or reverses at a time that lower the codimension, at most ``most`` times.

    What is reached must have ``start`` as a limit: no product may have a smaller rank than there.
    """
    moves = np.concatenate([quiver.gluings, -quiver.gluings])
    both = quiver.ext + quiver.ext.T
    own = np.einsum("mi,ij,mj->m", moves, quiver.ext, moves)
    cross = moves @ both @ moves.T
    # A move of nothing, so that pairs with it are single moves.
    moves = np.concatenate([moves, np.zeros((1, moves.shape[1]), int)])
    own, cross = np.append(own, 0), np.pad(cross, (0, 1))
    for _ in range(most):
        single = moves @ both @ counts + own
        change = single[:, None] + single[None, :] + cross
        firsts, seconds = np.nonzero(change < 0)
        for at in np.argsort(change[firsts, seconds], kind="stable"):
            new = counts + moves[firsts[at]] + moves[seconds[at]]
            if new.min() >= 0 and (quiver.to_ranks @ (new - start)).min() >= 0:
                counts = new
                break
        else:
            return counts
    return counts
