"""Streams depend on the seed and on their own name, and on nothing else."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

from llc import seeds

Stream = Callable[[int, str], tuple]
NAMES = ["data", "noise", "teacher", "init", "training"]
NAMES += [f"sampler/{name}" for name in ("sgld", "nuts", "hmc", "mclmc", "gibbs")]


def drawn(seed: int, name: str) -> tuple[float, ...]:
    return tuple(seeds.rng(seed, name).random(3))


def bits(seed: int, name: str) -> tuple[int, ...]:
    return tuple(int(word) for word in jax.random.key_data(seeds.key(seed, name)))


def test_streams_are_the_same_everywhere_and_whatever_was_drawn_before() -> None:
    # A change of these makes all results anyone has stale, and nothing says so.
    seeds.rng(7, "noise").random(5)
    np.random.default_rng(7).random(5)
    jax.random.normal(seeds.key(7, "training"), 5)
    assert drawn(7, "data") == (0.5271884525513809, 0.2509993358492797, 0.20334128893662917)
    assert bits(7, "init") == (84463273, 254242907)


@pytest.mark.parametrize("stream", [drawn, bits])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_streams_differ_by_name(stream: Stream, seed: int) -> None:
    assert len({stream(seed, name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("stream", [drawn, bits])
@pytest.mark.parametrize("name", NAMES)
def test_streams_differ_by_seed(stream: Stream, name: str) -> None:
    assert len({stream(seed, name) for seed in range(50)}) == 50
