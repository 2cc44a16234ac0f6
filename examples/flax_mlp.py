"""A multilayer perceptron in Flax: a module has ``init`` and ``apply``, so its class is all that is needed.

python train.py data=digits posterior.gamma=30 model=own model._target_=examples.flax_mlp.Mlp 'model.args={hidden: 4}'
"""

import flax.linen as nn


class Mlp(nn.Module):
    """Parameters are named ``params/Dense_0/kernel`` and so on."""

    hidden: int = 4
    classes: int = 10

    @nn.compact
    def __call__(self, x):
        """Return the logits of rows."""
        return nn.Dense(self.classes)(nn.tanh(nn.Dense(self.hidden)(x)))
