"""What a process is told before it imports JAX."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from llc import process
from llc.config import ConfigError
from llc.process import RANDOM, THREADS, before_jax


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in (
        *THREADS,
        *RANDOM,
        *("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"),
    ):
        monkeypatch.setenv(variable, "")  # restored afterwards, whatever the test sets
        os.environ.pop(variable)
    monkeypatch.setattr(process, "_threads", {})
    return monkeypatch


def test_every_thread_pool_has_the_size_asked_for(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delitem(sys.modules, "jax", raising=False)
    before_jax(3, tmp_path)
    assert {os.environ[name] for name in THREADS} == {"3"}


def test_random_numbers_are_not_those_of_an_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delitem(sys.modules, "jax", raising=False)
    environment.setenv("JAX_DEFAULT_PRNG_IMPL", "rbg")
    before_jax(1, tmp_path)
    script = "import jax; print(jax.random.key_impl(jax.random.key(0)), jax.config.jax_threefry_partitionable)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).split() == ["threefry2x32", "True"]


def test_a_users_own_compilation_cache_is_kept(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delitem(sys.modules, "jax", raising=False)
    environment.setenv("JAX_COMPILATION_CACHE_DIR", "mine")
    before_jax(1, tmp_path)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "mine"


def test_another_number_of_threads_after_jax_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setitem(sys.modules, "jax", ModuleType("jax"))
    environment.setenv("NPROC", "1")
    with pytest.raises(ConfigError, match="threads=2"):
        before_jax(2, tmp_path)


def test_the_same_number_of_threads_after_jax_is_fine(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setitem(sys.modules, "jax", ModuleType("jax"))
    environment.setenv("NPROC", "2")
    before_jax(2, tmp_path)
    environment.setenv("NPROC", "7")  # by the code of a job: the next in its process is not to fail for it
    before_jax(2, tmp_path)
