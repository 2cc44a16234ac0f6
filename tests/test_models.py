"""Networks as functions of one flat vector."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from llc import models, seeds
from llc.config import DlnModel, MlpModel


@pytest.mark.parametrize(
    ("config", "n_params"),
    [
        (MlpModel(widths=[10], d_in=3), 51),
        (MlpModel(widths=[64, 64, 64], d_in=32), 10_497),
        (DlnModel(widths=[20, 20, 20], rank=5), 800),
    ],
)
def test_init_has_as_many_parameters_as_the_model_says(config: MlpModel | DlnModel, n_params: int) -> None:
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


def test_a_deep_linear_teacher_is_aligned() -> None:
    model = models.build(DlnModel(widths=[6, 9, 7, 5], rank=3))
    w = model.teach(seeds.rng(1, "teacher"))
    layers = [w[:54].reshape(6, 9), w[54:117].reshape(9, 7), w[117:].reshape(7, 5)]
    product = np.linalg.multi_dot(layers)
    assert [np.linalg.matrix_rank(m, tol=1e-9) for m in (*layers, product)] == [3, 3, 3, 3]
    x = np.eye(6)
    np.testing.assert_allclose(model.apply(jnp.asarray(w), jnp.asarray(x)), product, atol=1e-5)


def test_only_a_deep_linear_network_says_that_it_is_linear() -> None:
    for config in (MlpModel(widths=[3], d_in=4), DlnModel(widths=[4, 3, 1], rank=1)):
        model = models.build(config)
        w, x = model.init(seeds.key(0, "w")), jax.random.normal(seeds.key(0, "x"), (5, 4))
        assert np.allclose(model.apply(w, 2 * x), 2 * model.apply(w, x), rtol=1e-4) == model.linear
