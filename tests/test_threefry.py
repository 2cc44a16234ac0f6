"""Random words are Threefry's, and JAX's own."""

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from llc.threefry import words


# The known answers of the authors' Random123; key, counter, words.
@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_words_are_the_known_ones(key: tuple[int, int], counter: tuple[int, int], expected: tuple[int, int]) -> None:
    found = words(*jnp.asarray(key, jnp.uint32), *(jnp.asarray([c], jnp.uint32) for c in counter))
    assert tuple(int(word[0]) for word in found) == expected


def test_words_are_those_of_jax() -> None:
    key = jax.random.key_data(jax.random.key(3))
    x0, x1 = (jax.random.bits(jax.random.key(i), (1000,)) for i in range(2))
    expected = jax.extend.random.threefry_2x32(key, jnp.concatenate([x0, x1]))
    np.testing.assert_array_equal(np.concatenate(words(*key, x0, x1)), expected)
