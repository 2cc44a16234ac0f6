"""Networks as functions of one flat vector."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from llc import seeds
from llc.config import CrossingModel, DlnModel, MlpModel, QuadraticModel
from llc.targets import models


@pytest.mark.parametrize(
    ("config", "n_params"),
    [
        (MlpModel(widths=[10], d_in=3), 51),
        (MlpModel(widths=[64, 64, 64], d_in=32), 10_497),
        (DlnModel(widths=[20, 20, 20], rank=5), 800),
        (DlnModel(widths=[20, 20, 20], teacher="reduced"), 800),
        (QuadraticModel(d_in=7), 7),
        (CrossingModel(exponents=[2, 3]), 2),
    ],
)
def test_init_has_as_many_parameters_as_the_model_says(config: Any, n_params: int) -> None:
    model = models.build(config)
    assert model.n_params == n_params == len(model.init(seeds.key(0, "init"))) == len(model.teach(seeds.rng(0, "t")))


def test_an_mlp_is_affine_maps_with_the_activation_between_them() -> None:
    model = models.build(MlpModel(widths=[4, 3], d_in=2, d_out=1))
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=model.n_params), rng.normal(size=(7, 2))
    a, b, c = w[:12].reshape(3, 4), w[12:27].reshape(5, 3), w[27:].reshape(4, 1)
    hidden = np.tanh(np.tanh(x @ a[:2] + a[2]) @ b[:4] + b[4])
    outputs = model.apply(jnp.asarray(w, jnp.float32), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(outputs, hidden @ c[:3] + c[3], rtol=1e-4)


def test_an_mlp_starts_with_the_variance_of_its_inputs_and_no_bias() -> None:
    model = models.build(MlpModel(widths=[400], d_in=100, d_out=1))
    w = np.asarray(model.init(seeds.key(0, "init")))
    kernel, bias = w[:40_000], w[40_000:40_400]
    assert kernel.var() == pytest.approx(1 / 100, rel=5 * np.sqrt(2 / 40_000))
    assert not bias.any()


def test_a_deep_linear_network_is_the_product_of_its_layers() -> None:
    for teacher, rank in (("aligned", 3), ("reduced", 0)):
        model = models.build(DlnModel(widths=[6, 9, 7, 5], teacher=teacher, rank=rank))
        w = model.teach(seeds.rng(1, "teacher"))
        layers = [w[:54].reshape(6, 9), w[54:117].reshape(9, 7), w[117:].reshape(7, 5)]
        np.testing.assert_allclose(
            model.apply(jnp.asarray(w), jnp.asarray(np.eye(6))), np.linalg.multi_dot(layers), atol=1e-5
        )


def test_a_quadratic_is_linear_regression() -> None:
    model = models.build(QuadraticModel(d_in=3))
    w, x = np.array([1.0, 2.0, 3.0]), np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(model.apply(jnp.asarray(w), jnp.asarray(x))[:, 0], x @ w)
    assert model.teach(seeds.rng(0, "t")).any()
    assert not models.build(QuadraticModel(teacher="zero")).teach(seeds.rng(0, "t")).any()


@pytest.mark.parametrize("exponents", [[1, 1], [1, 3], [2, 1]])
def test_a_crossing_is_a_monomial_in_its_weights_and_flat_at_its_teacher(exponents: list[int]) -> None:
    model = models.build(CrossingModel(exponents=exponents))
    a, b = exponents
    x = jnp.array([[1.0], [-2.0]])
    outputs = model.apply(jnp.array([0.5, 3.0]), x)
    np.testing.assert_allclose(outputs, np.array([[1.0], [-2.0]]) * 0.5**a * 3.0**b, rtol=1e-6)
    zero = jnp.asarray(model.teach(seeds.rng(0, "t")))
    jacobian = jax.jacobian(model.apply)(zero, x)
    np.testing.assert_array_equal(jacobian, np.zeros((2, 1, 2)))  # and no NaN


def test_a_model_says_whether_it_is_linear_in_its_inputs() -> None:
    for config in (MlpModel(widths=[3], d_in=4), DlnModel(widths=[4, 3, 1], rank=1), QuadraticModel(), CrossingModel()):
        model = models.build(config)
        w, x = model.init(seeds.key(0, "w")), jax.random.normal(seeds.key(0, "x"), (5, model.widths[0]))
        assert np.allclose(model.apply(w, 2 * x), 2 * model.apply(w, x), rtol=1e-4) == model.linear


@pytest.mark.parametrize("rows", [5, 400])  # few, and many: a row is a column
def test_a_network_is_its_layers_one_after_the_other(rows: int) -> None:
    model = models.build(MlpModel(widths=[5, 4], d_in=3, d_out=2))
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=model.n_params).astype(np.float32), rng.normal(size=(rows, 3)).astype(np.float32)
    first, b1, second, b2, third, b3 = np.split(w, np.cumsum([15, 5, 20, 4, 8]))
    hidden = np.tanh(np.tanh(x @ first.reshape(3, 5) + b1) @ second.reshape(5, 4) + b2)
    np.testing.assert_allclose(
        model.apply(jnp.asarray(w), jnp.asarray(x)), hidden @ third.reshape(4, 2) + b3, rtol=1e-4, atol=1e-5
    )


def test_gradients_of_wide_layers_are_those_of_plain_products_and_have_gradients_in_turn() -> None:
    model = models.build(MlpModel(widths=[64, 64, 70], d_in=3, d_out=2))  # the third kernel is too large to turn
    rng = np.random.default_rng(0)

    def plain(w: Any, x: Any) -> Any:
        shapes = ((3, 64), (64,), (64, 64), (64,), (64, 70), (70,), (70, 2), (2,))
        parts = jnp.split(w, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
        *hidden, last = zip(*(iter(part.reshape(s) for part, s in zip(parts, shapes, strict=True)),) * 2, strict=True)
        for kernel, bias in hidden:
            x = jnp.tanh(x @ kernel + bias)
        return x @ last[0] + last[1]

    @partial(jax.jit, static_argnums=0)
    def derivatives(apply: Any, w: Any, v: Any, x: Any) -> Any:
        slope = jax.vmap(jax.grad(lambda w, x: jnp.sum(apply(w, x) ** 2)), (None, 0))
        return jax.jvp(slope, (w, x), (v, x))

    with jax.enable_x64(True):
        w, v, x = (jnp.asarray(rng.normal(size=shape)) for shape in (model.n_params, model.n_params, (2, 9, 3)))
        found, expected = (derivatives(apply, w, v, x) for apply in (model.apply, plain))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
