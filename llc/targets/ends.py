"""Where chains have ended L_n is taken anew, in float64: what samplers that share a loss cannot tell of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from llc.config import Job
from llc.loss.gradient_check import unseen
from llc.targets import losses
from llc.targets.target import Problem, full_loss


def whole(
    w_star: Float[np.ndarray, " whole"],
    moving: Int[np.ndarray, " dim"] | None,
    ends: Float[np.ndarray, "chains dim"],
) -> Float[np.ndarray, "chains whole"]:
    """Return all parameters at the ends of chains, of which only some move, in float64."""
    found = np.tile(w_star.astype(np.float64), (len(ends), 1))
    found[:, slice(None) if moving is None else moving] = ends
    return found


def losses_at(
    job: Job, problem: Problem, w_star: Float[np.ndarray, " dim"], ends: Float[np.ndarray, "chains dim"]
) -> tuple[Float[np.ndarray, " chains"], Float[np.ndarray, " chains"] | None]:
    """Return L_n at the ends, and, of a loss that a user has written, what its gradient has not seen on the way."""
    found = np.array([full_loss(w, problem)[0] for w in ends])
    if not losses.written(job):
        return found, None
    with jax.enable_x64(True):
        rows = losses.some_rows(problem.data)
        return found, unseen(problem.loss_fn, jnp.asarray(w_star, jnp.float64), jnp.asarray(ends), rows)
