"""``train.py`` as a person runs it: real processes, real files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import forking
import numpy as np
import pandas as pd
import pytest
import yaml

from llc.exact import truth
from llc.process import THREADS

ROOT = Path(__file__).resolve().parents[1]
TINY = ["training=fast", "sampler.names=[sgld]", "sampler.sgld.warmup=100", "sampler.sgld.draws=40"]
TINY_NUTS = ["sampler.nuts.warmup=30", "sampler.nuts.draws=40", "sampler.nuts.max_tree_depth=4"]
TIMINGS = ["time_compile_s", "time_sample_s"]
RUN_FILES = {".hydra", ".lock", "config.yaml", "metrics_summary.csv", "run_info.json"}
RUN_FILES |= {"target.json", "target.npz", "traces.nc", "train.log"}


def train(cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return forking.run("train.py", arguments, cwd, os.environ | env)


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def metrics(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "metrics_summary.csv", index_col="sampler")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one finished job of two samplers."""
    cwd = tmp_path_factory.mktemp("saved")
    python = [sys.executable, "-X", "importtime"]
    command = [*python, str(ROOT / "train.py"), *TINY, *TINY_NUTS, "sampler.names=[sgld,nuts]", "seed=3"]
    with (cwd / "imported").open("w") as imported:  # all of a process, started by itself
        subprocess.run(command, cwd=cwd, check=True, stderr=imported)
    return only(cwd, "outputs/*/*")


def test_a_job_writes_the_run_directory(saved: Path) -> None:
    assert {p.name for p in saved.iterdir()} == RUN_FILES
    assert re.fullmatch(r"\d\d-\d\d-\d\d-\d{6}", saved.name)  # two of one second have a folder each
    assert list(metrics(saved).index) == ["nuts", "sgld"]
    about = json.loads((saved / "run_info.json").read_text())
    assert about["target"]["n_params"] == 51
    assert about["seed"] == 3
    assert set(about["timings_s"]) == {"import", "data", "train", "compile", "sample", "diagnose", "write"}
    config = yaml.safe_load((saved / "config.yaml").read_text())
    assert (config["data"]["n_data"], config["model"]["target_params"], config["seed"]) == (100, 50, 3)


def test_a_job_imports_what_it_runs(saved: Path) -> None:
    lines = (saved.parents[2] / "imported").read_text().splitlines()
    imported = {line.split("|")[-1].strip() for line in lines}
    assert {"jax", "numpyro", "llc.estimates.mixing", "h5netcdf"} <= imported
    assert not {"matplotlib", "pandas", "xarray", "arviz", "arviz_stats", "scipy.stats", "scipy.signal"} & imported


def test_the_documented_rerun_gives_bit_equal_numbers(saved: Path, tmp_path: Path) -> None:
    done = train(tmp_path, "--config-dir", f"{saved}/.hydra/")
    assert done.returncode == 0, done.stderr
    again = only(tmp_path, "outputs/*/*")
    pd.testing.assert_frame_equal(metrics(again).drop(columns=TIMINGS), metrics(saved).drop(columns=TIMINGS), rtol=0)
    assert (again / "config.yaml").read_text() == (saved / "config.yaml").read_text()


def test_a_saved_configuration_takes_overrides_of_values_and_refuses_presets(saved: Path, tmp_path: Path) -> None:
    done = train(tmp_path, f"--config-dir={saved}/.hydra", "sampler.names=[sgld]", "seed=4")
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load(only(tmp_path, "outputs/*/*/config.yaml").read_text())
    assert (config["seed"], config["sampler"]["sgld"]["draws"]) == (4, 40)
    refused = train(tmp_path, f"--config-dir={saved}/.hydra", "model=base")
    assert refused.returncode != 0
    assert "no presets" in refused.stderr


def test_another_sampler_in_the_job_does_not_change_a_samplers_draws(saved: Path, tmp_path: Path) -> None:
    done = train(tmp_path, *TINY, "seed=3")
    assert done.returncode == 0, done.stderr
    alone = metrics(only(tmp_path, "outputs/*/*")).loc["sgld"]
    assert alone["llc_mean"] == metrics(saved).loc["sgld", "llc_mean"]


def test_every_job_of_a_multirun_has_its_own_folder(tmp_path: Path) -> None:
    done = train(tmp_path, "-m", "model.depth=1,2", *TINY, "training.steps=50")
    assert done.returncode == 0, done.stderr
    sweep = only(tmp_path, "multirun/*/*")
    assert {p.name for p in sweep.iterdir()} == {"0", "1", "multirun.yaml"}
    assert [json.loads((sweep / n / "run_info.json").read_text())["target"]["n_params"] for n in "01"] == [51, 56]


def test_a_sampler_that_diverges_is_a_row_and_the_others_stand(tmp_path: Path) -> None:
    arguments = [*TINY, *TINY_NUTS, "sampler.names=[sgld,nuts]", "sampler.sgld.step_size=1e6"]
    done = train(tmp_path, *arguments, "+experiment_name=x", "hydra.run.dir=outputs/${experiment_name}/run")
    assert done.returncode == 0, done.stderr
    table = metrics(tmp_path / "outputs/x/run")
    assert table.loc["sgld", "status"] == "diverged"
    estimates = ["llc_mean", "llc_std", "llc_mcse", "llc_ci_low", "llc_ci_high", "ess", "ess_tail", "rhat"]
    assert table.loc["sgld", estimates].isna().all()
    assert table.loc["nuts", estimates].notna().all()


def test_a_crash_is_a_nonzero_exit_a_reason_in_the_log_and_no_result(tmp_path: Path) -> None:
    finished = train(tmp_path, *TINY, "hydra.run.dir=run")
    assert finished.returncode == 0, finished.stderr
    (tmp_path / "run/run_info.json").unlink()  # else it would be kept
    crashed = train(tmp_path, *TINY, "hydra.run.dir=run", "training.optimizer=sgd", "training.learning_rate=1e30")
    assert crashed.returncode == 1
    assert not (tmp_path / "run/metrics_summary.csv").exists()
    assert "FloatingPointError: training.learning_rate=1e+30" in (tmp_path / "run/train.log").read_text()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("sampler.sgld.step_sise=1", "did you mean sampler.sgld.step_size?"),
        ("modle=small", "did you mean model?"),
        ("model=smal", "Could not find 'model/smal'"),
        ("seed=abc", "could not be converted to Integer"),
        ("sampler.names=[nutz]", "did you mean nuts?"),
        ("posterior.gamma=-1", "posterior.gamma=-1.0: must be 0 or more"),
        ("data=npz data.path=nowhere.npz", "no such file"),
        ("expect_id=000000000000", "plan again"),
    ],
)
def test_bad_input_is_one_clear_error_before_any_work(argument: str, message: str, tmp_path: Path) -> None:
    done = train(tmp_path, *argument.split())
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("outputs/*/*/config.yaml"))


@pytest.mark.parametrize(
    ("argument", "folder", "message"),
    [
        ("target=nowhere", "new", "there is no such folder; target=null trains w* here"),
        ("seed=4", "saved", "is in it; give each its own"),
    ],
)
def test_what_is_refused_where_it_is_needed_is_one_clear_error(
    argument: str, folder: str, message: str, saved: Path, tmp_path: Path
) -> None:
    shutil.copytree(saved, tmp_path / "saved")
    done = train(tmp_path, *TINY, argument, f"hydra.run.dir={folder}")
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-3]
    assert "Traceback" not in done.stderr + done.stdout + (tmp_path / folder / "train.log").read_text()


def test_a_users_arrays_are_found_from_where_the_command_is_started(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    np.savez(tmp_path / "mine.npz", x=x, y=(x[:, 0] > 0).astype(int))
    done = train(tmp_path, "data=npz", "data.path=mine.npz", "data.n_data=50", *TINY)
    assert done.returncode == 0, done.stderr
    about = json.loads(only(tmp_path, "outputs/*/*/run_info.json").read_text())
    assert about["target"]["widths"][0] == 4
    assert about["target"]["widths"][-1] == 2
    assert about["target"]["test_accuracy"] > 0.6


def test_double_precision_is_double_from_end_to_end(tmp_path: Path) -> None:
    done = train(tmp_path, "model=dln", "data=linear", "training=truth", *TINY[1:], "precision=float64")
    assert done.returncode == 0, done.stderr
    run = only(tmp_path, "outputs/*/*")
    about = json.loads((run / "run_info.json").read_text())
    assert np.load(run / "target.npz")["w_star"].dtype == np.float64
    assert about["target"]["loss"] < 1e-25  # the teacher's weights are not rounded


def test_nuts_and_gibbs_find_the_learning_coefficient_of_a_deep_linear_network(tmp_path: Path) -> None:
    arguments = ["model=dln", "model.widths=[12,12,12]", "model.rank=3", "data=linear", "data.n_data=10000"]
    budget = ["sampler.nuts.warmup=200", "sampler.nuts.draws=150", "sampler.nuts.chains=3", "sampler.gibbs.draws=400"]
    done = train(tmp_path, *arguments, "training=truth", "sampler.names=[nuts,gibbs]", *budget)
    assert done.returncode == 0, done.stderr
    found = metrics(only(tmp_path, "outputs/*/*"))
    exact = truth.deep_linear([12, 12, 12], rank=3).value
    assert list(found["llc_true"]) == [exact, exact] == [62.0, 62.0]
    assert found.loc["nuts", "llc_mcse"] < 0.01 * exact
    assert found.loc["nuts", "llc_mean"] == pytest.approx(exact, rel=0.05)
    assert found.loc["gibbs", "status"] == "ok"
    assert found.loc["gibbs", "llc_mean"] == pytest.approx(exact, rel=0.01)


def test_nuts_agrees_with_the_exact_value_to_its_standard_error(tmp_path: Path) -> None:
    # Off the minimum by the noise of the labels.
    budget = ["sampler.names=[nuts]", "sampler.nuts.warmup=300", "sampler.nuts.draws=1000"]
    done = train(tmp_path, "model=quadratic", "training=truth", *budget, "posterior.gamma=10")
    assert done.returncode == 0, done.stderr
    found = metrics(only(tmp_path, "outputs/*/*")).loc["nuts"]
    assert found["llc_mcse"] < 0.08
    assert found["llc_mean"] == pytest.approx(found["llc_exact"], abs=4 * found["llc_mcse"])


def test_what_is_known_is_in_the_row_of_each_sampler(tmp_path: Path) -> None:
    done = train(tmp_path, "-m", "model=quadratic,crossing", "training=truth", "data.noise=none", *TINY[1:])
    assert done.returncode == 0, done.stderr
    rows = [metrics(run).loc["sgld"] for run in sorted(tmp_path.glob("multirun/*/*/[01]"))]
    assert [row["llc_true"] for row in rows] == [5.0, 0.5]
    assert all(0 < row["llc_exact"] < row["llc_true"] for row in rows)


def test_no_coefficient_is_called_known_where_noise_moves_the_minimum(tmp_path: Path) -> None:
    done = train(tmp_path, "model=dln", "data=linear", "data.noise=normal", "training=truth", *TINY[1:])
    assert done.returncode == 0, done.stderr
    assert np.isnan(metrics(only(tmp_path, "outputs/*/*")).loc["sgld", "llc_true"])


def test_a_job_that_differs_in_numbers_only_compiles_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def compiled(*overrides: str) -> set[str]:
        done = train(tmp_path, *TINY, "sampler.sgld.thin=7", *overrides, JAX_COMPILATION_CACHE_DIR=str(cache))
        assert done.returncode == 0, done.stderr
        return {path.name for path in [*cache.glob("*-cache"), *cache.glob("traced/*")]}

    first = compiled("sampler.sgld.step_size=1e-5")
    assert any(name.startswith("jit__stored_round") for name in first)
    numbers = ["seed=5", "posterior.gamma=3", "posterior.beta0=2", "sampler.sgld.step_size=2e-5"]
    assert compiled(*numbers, "training.learning_rate=3e-3", "data.noise_scale=0.3") == first


@pytest.mark.parametrize("threads", [1, 3])
def test_a_job_keeps_to_its_threads(threads: int, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from llc import process; from llc.jobs import compose;"
        f"process.before_jax({threads}, Path({str(tmp_path)!r}));"
        "import jax.numpy as jnp; (jnp.ones((300, 300)) @ jnp.ones((300, 300))).block_until_ready();"
        "names = [p.read_text().strip() for p in Path('/proc/self/task').glob('*/comm')];"
        "print(sum(name.startswith('tf_XLAEigen') for name in names));"
        "import jax; print(jax.device_count());"
        "from threadpoolctl import threadpool_info;"
        "print(*{pool['num_threads'] for pool in threadpool_info()})"
    )
    environment = {k: v for k, v in os.environ.items() if k not in THREADS}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(threads)] * 3  # XLA's, JAX's devices and NumPy's


COMPOSITIONS = """
import runpy, sys
from hydra._internal.config_loader_impl import ConfigLoaderImpl as Loader
from llc import job
composed, load = [], Loader.load_configuration
def counting(*args, **named):
    composed.append(named.get("overrides"))
    return load(*args, **named)
Loader.load_configuration = counting
job.run = lambda job, *_: print("seed", job.seed)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print("composed", len(composed))
"""


@pytest.mark.parametrize(
    ("arguments", "seeds", "composed"),
    [
        (["seed=3"], [3], 1),
        (["+sweep=digits", "seed=3", "expect_id=null"], [3], 1),  # as the workflow's jobs
        (["+sweep=digits", "seed=3"], [3], 2),  # a sweep's file may set a mode
        # What sets a mode; Hydra composes the whole twice, and each job twice.
        (["-m", "seed=3,4"], [3, 4], 6),
        (["seed=3,4", "hydra.mode=MULTIRUN"], [3, 4], 6),
    ],
)
def test_a_job_is_composed_once(arguments: list[str], seeds: list[int], composed: int, tmp_path: Path) -> None:
    env = {**os.environ, "NPROC": "1"}
    command = [sys.executable, "-c", COMPOSITIONS, str(ROOT / "train.py"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=env, text=True, capture_output=True)
    found = [line for line in done.stdout.splitlines() if line.startswith(("seed", "composed"))]
    assert found == [*(f"seed {seed}" for seed in seeds), f"composed {composed}"], done.stderr
