"""Normals of our own: what is made of Threefry's words is standard normal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from llc.samplers.normals import FEW, normal
from llc.threefry import words


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_are_standard_normal_and_independent(dtype: str) -> None:
    n, chains = 100_001, 4  # odd: of the last block one word is left over
    with jax.enable_x64(dtype == "float64"):
        keys = jax.random.split(jax.random.key(0), chains)
        z = np.asarray(jax.vmap(lambda key: normal(key, n, jnp.dtype(dtype)))(keys), np.float64)
    assert z.shape == (chains, n)
    assert np.isfinite(z).all()
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.01
    se = 1 / np.sqrt(z.size)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(z**power) - moment) < 4 * se * np.sqrt(variance)
    half = (n + 1) // 2  # of the two words of a block, of neighbours, of chains
    for one, other in ((z[:, : n - half], z[:, half:]), (z[:, :-1], z[:, 1:]), (z[0], z[1])):
        assert abs(np.mean(one * other)) < 4 / np.sqrt(one.size)
        assert abs(np.mean(one**2 * other**2) - 1) < 4 * np.sqrt(8 / one.size)


def test_they_are_those_of_box_and_muller() -> None:
    key, n = jax.random.key(5), 10_001
    counter = jnp.arange((n + 1) // 2, dtype=jnp.uint32)
    one, other = (np.asarray(word) for word in words(*jax.random.key_data(key), jnp.zeros_like(counter), counter))
    radius = np.sqrt(-2 * np.log((one // 256 + 0.5) / 2**24))
    angle = np.pi * (other.astype(np.int32) / 2**32 + (one % 2 == 0))
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:n]
    # Rounding of the angle's 32 bits and of the uniform near 1, where the radius is small.
    np.testing.assert_allclose(normal(key, n, jnp.dtype("float32")), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("n", [1, FEW - 1, FEW, FEW + 1])
def test_there_are_as_many_as_asked_for_and_none_is_another(n: int) -> None:
    z = np.asarray(normal(jax.random.key(0), n, jnp.dtype("float32")))
    assert len(set(z)) == n
