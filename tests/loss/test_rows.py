"""Rows: the mean of a loss over many of them is the same block by block, and so are its derivatives."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from llc.loss.rows import BLOCK, PART, mean_loss, parts

W = jnp.array([0.3, -0.2, 0.5])


def loss_fn(w: Any, rows: Any) -> Any:
    return jnp.mean((jnp.tanh(rows["x"] @ w) - rows["y"]) ** 2) / rows["scale"]


def rows(n: int) -> Any:
    rng = np.random.default_rng(n)
    return {
        "x": jnp.asarray(rng.normal(size=(n, 3)), "float32"),
        "y": jnp.asarray(rng.normal(size=n), "float32"),
        "scale": jnp.asarray(2.0),
    }


@pytest.mark.parametrize("n", [2 * BLOCK - 1, 2 * BLOCK, 5 * BLOCK - 1])
def test_a_mean_block_by_block_is_that_of_all_rows_and_so_are_its_derivatives(n: int) -> None:
    data, v, chains = rows(n), jnp.array([1.0, 2.0, -1.0]), jnp.stack([W, 2 * W])

    def blocked(w: Any, data: Any) -> Any:
        return mean_loss(loss_fn, w, data)

    @partial(jax.jit, static_argnums=0)
    def all_of(loss: Any, data: Any) -> dict[str, Any]:
        def slope(w: Any) -> Any:
            return jax.grad(loss)(w, data)

        along = jax.jvp(slope, (W,), (v,))[1]
        return {"value": loss(W, data), "slope": slope(W), "product": along, "of chains": jax.vmap(slope)(chains)}

    found, expected = all_of(blocked, data), all_of(loss_fn, data)
    np.testing.assert_allclose(found.pop("value"), expected.pop("value"), rtol=1e-5)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), found, expected)


@pytest.mark.parametrize(("n", "sizes"), [(1, [1]), (PART, [PART]), (2 * PART + 1, [PART, PART, 1])])
def test_parts_are_all_rows_in_order_and_one_of_up_to_its_size(n: int, sizes: list[int]) -> None:
    rows = np.arange(n)
    found = [rows[part] for part in parts(n)]
    assert list(map(len, found)) == sizes
    np.testing.assert_array_equal(np.concatenate(found), rows)


def test_memory_of_a_gradient_does_not_grow_with_the_rows() -> None:
    def temporary(n: int) -> int:
        gradient = jax.jit(jax.grad(lambda w, data: mean_loss(loss_fn, w, data)))
        return gradient.lower(W, rows(n)).compile().memory_analysis().temp_size_in_bytes  # type: ignore[no-any-return]

    assert temporary(100 * BLOCK) < 2 * temporary(3 * BLOCK)
