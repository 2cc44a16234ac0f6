"""Shared by the tests: one thread, the project's compilation cache, and the slow files first."""

import os
from pathlib import Path

import jaxtyping
import pytest

ROOT = Path(__file__).resolve().parents[1]
# The files that take longest, which are handed out first: one of them last leaves a worker without any.
SLOW = ("caching", "train", "faults", "housekeeping", "workflow", "worker", "samplers", "gibbs", "monomials")

# Read by JAX when it is imported, so set before any test module imports it.
os.environ["NPROC"] = os.environ["JAX_NUM_CPU_DEVICES"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of LAPACK, which eigendecompositions call
# Half the compiling, which is most of a test. The README's main job, in the gate, is compiled as a user's are.
os.environ["XLA_FLAGS"] = (
    "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_prefer_vector_width=128"
)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# Shapes and types are checked in what handles arrays. In all of llc it was a fifth of the tests of planning.
SHAPED = [path for path in ROOT.glob("llc/**/*.py") if "from jaxtyping" in path.read_text(encoding="utf-8")]
jaxtyping.install_import_hook(
    [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SHAPED], "beartype.beartype"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow files in front; files are handed out in this order with ``--no-loadscope-reorder``."""
    place = {f"test_{name}": n for n, name in enumerate(SLOW)}
    items.sort(key=lambda item: place.get(item.path.stem, len(SLOW)))
