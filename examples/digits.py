"""A classifier of handwritten digits from end to end: your own training, then its LLC, from Python and as a job.

python examples/digits.py    # writes digits.npz and digits.safetensors here, and prints the command of the job
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

import llc

N, HIDDEN, GAMMA = 400, 4, 30.0


def read_digits():
    """Return 400 of the digits, standardised, and their classes."""
    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))[:N]
    return (x[rows] / 16 - 0.3).astype(np.float32), y[rows].astype(np.int32)


def apply(params, x):
    """Return the logits of rows; the parameters are named as those of examples/plain_jax.py."""
    return jnp.tanh(x @ params["hidden"]["kernel"]) @ params["output"]["kernel"]


def loss_fn(params, batch):
    """Return the cross entropy in nats, the mean over rows."""
    logits = apply(params, batch["x"])
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]))


def train(data, steps):
    """Return parameters near a minimum."""
    shapes = {"hidden": (64, HIDDEN), "output": (HIDDEN, 10)}
    keys = dict(zip(shapes, jax.random.split(jax.random.key(0)), strict=True))
    params = {name: {"kernel": jax.random.normal(keys[name], shape) / 8} for name, shape in shapes.items()}
    descent = optax.adam(optax.cosine_decay_schedule(0.03, steps))

    def step(carry, _):
        params, state = carry
        updates, state = descent.update(jax.grad(loss_fn)(params, data), state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(step, (params, descent.init(params)), length=steps)
    return params


def main(steps=5_000, **settings):
    """Train, save, estimate; return what was found."""
    x, y = read_digits()
    params = jax.jit(train, static_argnums=1)({"x": x, "y": y}, steps)
    np.savez("digits.npz", x=x, y=y)
    save_file({f"{name}.kernel": np.asarray(params[name]["kernel"]) for name in params}, "digits.safetensors")
    found = llc.estimate(loss_fn, params, {"x": x, "y": y}, sampler="sgld", gamma=GAMMA, **settings)
    print(f"LLC {found.estimate.llc_mean:.2f} ± {found.estimate.llc_mcse:.2f}, {found.estimate.status}")
    print(
        "python train.py data=npz data.path=digits.npz model=own model._target_=examples.plain_jax.mlp "
        f"training=file training.path=digits.safetensors posterior.gamma={GAMMA:g} sampler.names=[sgld]"
    )
    return found


if __name__ == "__main__":
    main()
