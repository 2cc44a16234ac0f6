"""A multilayer perceptron in plain JAX, as a pair of functions.

python train.py data=digits posterior.gamma=30 model=own model._target_=examples.plain_jax.mlp 'model.args={hidden: 4}'
"""

import jax
import jax.numpy as jnp

CLASSES = 10


def mlp(hidden=4):
    """Return ``init(key, x)`` and ``apply(params, x)``; ``hidden`` is in model.args."""

    def init(key, x):
        first, second = jax.random.split(key)
        return {
            "hidden": {"kernel": jax.random.normal(first, (x.shape[1], hidden)) / jnp.sqrt(x.shape[1])},
            "output": {"kernel": jax.random.normal(second, (hidden, CLASSES)) / jnp.sqrt(hidden)},
        }

    def apply(params, x):
        return jnp.tanh(x @ params["hidden"]["kernel"]) @ params["output"]["kernel"]

    return init, apply
