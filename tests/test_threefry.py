"""Random words are Threefry's, JAX's own, and a program makes them without a loop."""

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from llc import seeds
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


def test_a_program_makes_those_of_jax_without_a_loop() -> None:
    key = seeds.key(3, "sampler/nuts")

    def drawn(key: jax.Array) -> tuple[jax.Array, ...]:
        return jax.random.normal(key, (4, 51)), jax.random.key_data(jax.random.split(key, (2, 3))), jax.random.bits(key)

    compiled = jax.jit(drawn).lower(key).compile()
    assert "while" not in compiled.as_text()
    counter = jnp.arange(6, dtype=jnp.uint32)
    made = np.stack(words(*jax.random.key_data(key), jnp.zeros_like(counter), counter), axis=1)
    np.testing.assert_array_equal(compiled(key)[1], made.reshape(2, 3, 2))
