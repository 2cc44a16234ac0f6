"""What JAX and Python are told before a job's process imports JAX."""

from __future__ import annotations

import gc
import logging
import os
import sys
from pathlib import Path

from llc.config import ConfigError

THREADS = ("NPROC", "JAX_NUM_CPU_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# JAX's own defaults: random numbers are of the seed, not of what somebody's environment says.
RANDOM = {"JAX_DEFAULT_PRNG_IMPL": "threefry2x32", "JAX_THREEFRY_PARTITIONABLE": "1"}
GARBAGE_EVERY = 50_000  # objects more than before; Python looks at 700
_threads: dict[str, int] = {}  # "jax": that it has, whatever a job's own code has made of the environment since


def before_jax(threads: int, cache: Path) -> None:
    """Set what JAX reads when it is imported: threads, random numbers, cache; and how often Python looks for garbage.

    XLA takes the size of its thread pool from NPROC and ignores the usual thread variables; each is a device of JAX's
    too, for chains to be spread over. NumPy is imported by now: its pool is there, and is made smaller.
    """
    from threadpoolctl import threadpool_limits

    if "jax" in sys.modules and str(_threads.get("jax", os.environ.get("NPROC"))) != str(threads):
        raise ConfigError(f"threads={threads}: one process has one number of threads; run the others separately")
    _threads["jax"] = threads
    for variable in THREADS:
        os.environ[variable] = str(threads)
    os.environ.update(RANDOM)
    threadpool_limits(threads)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # Tracing makes many objects and little garbage: to look for it at Python's rate took a twelfth of a small job.
    gc.set_threshold(GARBAGE_EVERY)
    logging.getLogger("jax").setLevel(logging.WARNING)  # it reports each backend that is not there
