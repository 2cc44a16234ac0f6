"""Normals of our own: the random words are Threefry's, and what is made of them is standard normal."""

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from llc.samplers.normals import FEW, normal, threefry


# The known answers of the authors' Random123; key, counter, words.
@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_words_are_the_known_ones(key: tuple[int, int], counter: tuple[int, int], words: tuple[int, int]) -> None:
    found = threefry(jnp.asarray(key, jnp.uint32), *(jnp.asarray([c], jnp.uint32) for c in counter))
    assert tuple(int(word[0]) for word in found) == words


def test_words_are_those_of_jax() -> None:
    key = jax.random.key_data(jax.random.key(3))
    x0, x1 = (jax.random.bits(jax.random.key(i), (1000,)) for i in range(2))
    expected = jax.extend.random.threefry_2x32(key, jnp.concatenate([x0, x1]))
    np.testing.assert_array_equal(np.concatenate(threefry(key, x0, x1)), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_are_standard_normal_and_independent(dtype: str) -> None:
    n, chains = 100_001, 4  # odd: of the last block one word is left over
    with jax.enable_x64(dtype == "float64"):
        keys = jax.random.split(jax.random.key(0), chains)
        z = np.asarray(jax.jit(jax.vmap(lambda key: normal(key, n, jnp.dtype(dtype))))(keys), np.float64)
    assert z.shape == (chains, n)
    assert np.isfinite(z).all()
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.01
    se = 1 / np.sqrt(z.size)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(z**power) - moment) < 4 * se * np.sqrt(variance)
    line = (n + 3) // 4  # of the two words of a block, of neighbours, of chains
    for one, other in ((z[:, :line], z[:, line : 2 * line]), (z[:, :-1], z[:, 1:]), (z[0], z[1])):
        assert abs(np.mean(one * other)) < 4 / np.sqrt(one.size)
        assert abs(np.mean(one**2 * other**2) - 1) < 4 * np.sqrt(8 / one.size)


def test_they_are_those_of_box_and_muller() -> None:
    key, n = jax.random.key(5), 10_001
    counter = jnp.arange(2 * -(-n // 4), dtype=jnp.uint32).reshape(2, -1)
    one, other = (np.asarray(word) for word in threefry(jax.random.key_data(key), jnp.zeros_like(counter), counter))
    radius = np.sqrt(-2 * np.log((one // 256 + 0.5) / 2**24))
    angle = np.pi * (other.astype(np.int32) / 2**32 + (one % 2 == 0))
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:n]
    # Rounding of the angle's 32 bits and of the uniform near 1, where the radius is small.
    np.testing.assert_allclose(normal(key, n, jnp.dtype("float32")), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("n", [1, FEW - 1, FEW, FEW + 1])
def test_there_are_as_many_as_asked_for_and_none_is_another(n: int) -> None:
    z = np.asarray(normal(jax.random.key(0), n, jnp.dtype("float32")))
    assert len(set(z)) == n
