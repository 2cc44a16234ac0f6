"""Data and a loss of one's own: a line through points with heavy tails, and the likelihood that they have.

python train.py data=own data._target_=examples.robust.line 'data.args={n: 200}' loss=examples.robust.student_t \
    model=quadratic model.d_in=2
"""

import jax.numpy as jnp
import numpy as np

FREEDOM, SCALE = 3.0, 0.3


def line(seed, n=200):
    """Return x (n, 2) and y (n, 1); ``seed`` is the job's, ``n`` is in data.args."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.uniform(-1, 1, n), np.ones(n)])
    return x, x @ [[2.0], [0.5]] + SCALE * rng.standard_t(FREEDOM, (n, 1))


def student_t(outputs, y):
    """Return the negative log likelihood of each row, but for its constant."""
    return 0.5 * (FREEDOM + 1) * jnp.log1p(((y - outputs)[:, 0] / SCALE) ** 2 / FREEDOM)
