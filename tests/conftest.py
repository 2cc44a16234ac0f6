"""Shared by the tests: one thread, the project's compilation cache, and targets with exact answers."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Read by JAX when it is imported, so set before any test module imports it.
os.environ["NPROC"] = os.environ["JAX_NUM_CPU_DEVICES"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of LAPACK, which eigendecompositions call
# Half the compiling, which is most of a test. The README's main job, in the gate, is compiled as a user's are.
os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
