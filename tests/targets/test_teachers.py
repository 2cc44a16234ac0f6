"""Weights of deep linear teachers."""

from itertools import pairwise

import numpy as np
import pytest

from llc import seeds
from llc.targets import teachers


def layers_of(w: np.ndarray, widths: list[int]) -> list[np.ndarray]:
    layers = []
    for d_in, d_out in pairwise(widths):
        layers.append(w[: d_in * d_out].reshape(d_in, d_out))
        w = w[d_in * d_out :]
    assert len(w) == 0
    return layers


def test_layers_of_an_aligned_teacher_and_their_product_have_its_rank() -> None:
    layers = layers_of(teachers.aligned(seeds.rng(1, "teacher"), [6, 9, 7, 5], rank=3), [6, 9, 7, 5])
    matrices = [*layers, np.linalg.multi_dot(layers)]
    assert [np.linalg.matrix_rank(m, tol=1e-9) for m in matrices] == [3, 3, 3, 3]


def test_half_the_layers_of_a_reduced_teacher_lose_rank_and_by_any_number() -> None:
    widths = [6] * 2001
    ranks = [np.linalg.matrix_rank(m, tol=1e-9) for m in layers_of(teachers.reduced(seeds.rng(0, "t"), widths), widths)]
    shares = np.bincount(ranks, minlength=7) / len(ranks)
    # Of the half that is reduced U{0 … 5} go: one in twelve layers for each rank from 1 to 5, and one more of 6.
    expected = np.array([0, 1, 1, 1, 1, 1, 7]) / 12
    assert shares == pytest.approx(expected, abs=5 * np.sqrt(1 / 12 / len(ranks)))


def test_a_reduced_layer_keeps_its_largest_singular_values() -> None:
    widths = [20, 30]
    drawn = [teachers.reduced(seeds.rng(seed, "t"), widths).reshape(20, 30) for seed in range(40)]
    full = [m for m in drawn if np.linalg.matrix_rank(m, tol=1e-9) == 20]
    reduced = [m for m in drawn if np.linalg.matrix_rank(m, tol=1e-9) < 20]
    largest = [np.mean([np.linalg.norm(m, 2) for m in group]) for group in (full, reduced)]
    assert largest[0] == pytest.approx(largest[1], rel=0.05)


def test_entries_are_normals_cut_at_two_and_scaled_by_the_inputs() -> None:
    for seed in range(40):
        layer = teachers.reduced(seeds.rng(seed, "t"), [100, 200]).reshape(100, 200)
        if np.linalg.matrix_rank(layer, tol=1e-9) == 100:
            break
    assert np.abs(layer).max() <= 2 / np.sqrt(100)
    # The variance of a standard normal within ±2 is 0.774.
    assert layer.var() * 100 == pytest.approx(0.7737, rel=5 * np.sqrt(2 / layer.size))
