"""A multilayer perceptron in Equinox: the arrays of the module are its parameters.

python train.py data=digits posterior.gamma=30 model=own model._target_=examples.equinox_mlp.mlp \
    'model.args={hidden: 4}'
"""

import equinox as eqx
import jax


def mlp(hidden=4, classes=10):
    """Return ``init(key, x)`` and ``apply(params, x)``."""

    def make(key, d_in):
        module = eqx.nn.MLP(d_in, classes, hidden, depth=1, activation=jax.nn.tanh, key=key)
        return eqx.partition(module, eqx.is_inexact_array)

    def init(key, x):
        return make(key, x.shape[1])[0]

    def apply(params, x):
        static = make(jax.random.key(0), x.shape[1])[1]
        return jax.vmap(eqx.combine(params, static))(x)

    return init, apply
