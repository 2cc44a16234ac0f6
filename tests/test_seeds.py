"""Streams depend on the seed and on their own name, and on nothing else."""

from collections.abc import Callable

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llc import seeds

Stream = Callable[[int, str], tuple]
SEEDS = st.integers(0, 2**31 - 1)
NAMES = ["data", "noise", "teacher", "init", "training"]
NAMES += [f"sampler/{name}" for name in ("sgld", "nuts", "hmc", "mclmc", "gibbs")]


def drawn(seed: int, name: str) -> tuple[float, ...]:
    return tuple(seeds.rng(seed, name).random(3))


def bits(seed: int, name: str) -> tuple[int, ...]:
    return tuple(int(word) for word in jax.random.key_data(seeds.key(seed, name)))


@given(SEEDS, st.sampled_from(NAMES))
def test_a_stream_of_numpy_is_reproducible(seed: int, name: str) -> None:
    assert drawn(seed, name) == drawn(seed, name)


@pytest.mark.parametrize("stream", [drawn, bits])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_streams_differ_by_name(stream: Stream, seed: int) -> None:
    assert len({stream(seed, name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("stream", [drawn, bits])
@pytest.mark.parametrize("name", NAMES)
def test_streams_differ_by_seed(stream: Stream, name: str) -> None:
    assert len({stream(seed, name) for seed in range(50)}) == 50


def test_a_key_is_the_same_whatever_was_drawn_before() -> None:
    first = bits(7, "init")
    jax.random.normal(seeds.key(7, "training"), 5)
    assert bits(7, "init") == first


def test_a_stream_of_numpy_is_the_same_whatever_was_drawn_before() -> None:
    first = drawn(7, "data")
    seeds.rng(7, "noise").random(5)
    np.random.default_rng(7).random(5)
    assert drawn(7, "data") == first
