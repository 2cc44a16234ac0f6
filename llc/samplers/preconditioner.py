"""Diagonal preconditioners of SGLD, from averages of squared gradients: found in its first round, then frozen.

Frozen, G is a linear change of coordinates, w = √G z, in which all that holds of SGLD goes on
to hold. One that follows the chain for ever, as usually written, calls for its divergence as
one more term of the drift; without it the bias grows as the step shrinks, for a chain that
moves less than V remembers is at rest where G is small.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from llc.loss.rows import Params

DECAY = {"rmsprop": 0.99, "adam": 0.999}  # of V, a step
DAMPING = 1e-2  # share of the root mean square of √V: about 100 times is the most that a step gains


def average(
    second: Float[Array, " *dim"], gradient: Params, name: str, finding: Bool[Array, ""]
) -> Float[Array, " *dim"]:
    """Return V after a step with this ``gradient`` of U; as it is if V is found, or there is none to find."""
    if name == "none":
        return second
    decay = jnp.where(finding, DECAY[name], 1.0).astype(second.dtype)
    return decay * second + (1 - decay) * gradient**2


def root(second: Float[Array, "chains dim"]) -> Params:
    r"""Return √G of V, for all chains.

    .. math:: G = \frac{\max(λ + \sqrt V)}{λ + \sqrt V}

    V is averaged over the chains. The smallest entry is 1: that of the direction with the
    largest gradients. Adam's correction for the start of V at 0 is a factor of V and cancels.

    References
    ----------
    Li, Chen, Carlson and Carin (2016), AAAI, arXiv 1512.07666, for RMSProp, with λ as a number
    in place of a share. Kingma and Ba (2015), ICLR, arXiv 1412.6980, for Adam.
    """
    found = jnp.sqrt(jnp.mean(second, axis=0))
    damped = found + DAMPING * jnp.sqrt(jnp.mean(found**2))
    return jnp.where(damped > 0, jnp.sqrt(damped.max() / damped), 1.0)
