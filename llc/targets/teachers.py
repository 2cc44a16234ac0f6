"""Weights of deep linear teachers, in one flat vector: first layer first, each of shape (d_in, d_out)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

Weights = Float[np.ndarray, " dim"]


def aligned(rng: np.random.Generator, widths: Sequence[int], rank: int) -> Weights:
    """Draw aligned layers: each maps a subspace of ``rank`` dimensions onto the next layer's.

    Every layer and the product then have exactly this rank, where the local learning
    coefficient is the known global one. Singular values are U(0.5, 1.5), away from zero.
    """
    bases = [np.linalg.qr(rng.normal(size=(d, d)))[0][:, :rank] for d in widths]
    layers = [
        (a * rng.uniform(0.5, 1.5, size=rank)) @ b.T
        for a, b in pairwise(bases)  # (d_in, d_out)
    ]
    return np.concatenate([layer.ravel() for layer in layers])


def reduced(rng: np.random.Generator, widths: Sequence[int]) -> Weights:
    """Draw random layers, each of which with probability ½ loses some of its singular values.

    It is the smallest that go, U{0 … rank − 1} of them. Entries are N(0, 1/d_in) cut off at two
    standard deviations, which is how the released code's library, Haiku, starts a linear layer.

    References
    ----------
    Lau et al. (2023), arXiv 2308.12108; the code is github.com/edmundlth/validating_lambdahat,
    ``true_param_config.method=rand_rank``. There one random key serves all the layers, so that
    their losses of rank are alike; here the layers are independent.
    """
    layers = []
    for d_in, d_out in pairwise(widths):
        layer = _cut_normal(rng, (d_in, d_out)) / np.sqrt(d_in)
        if rng.random() < 0.5:
            u, values, vt = np.linalg.svd(layer, full_matrices=False)
            kept = len(values) - rng.integers(len(values))
            layer = (u[:, :kept] * values[:kept]) @ vt[:kept]
        layers.append(layer.ravel())
    return np.concatenate(layers)


def _cut_normal(rng: np.random.Generator, shape: tuple[int, int]) -> Float[np.ndarray, "d_in d_out"]:
    """Draw standard normals again until each is within 2."""
    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(int(far.sum()))
    return values
