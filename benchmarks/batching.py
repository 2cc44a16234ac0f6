"""A sweep of small jobs: a process per job, batches, and plain Hydra: ``python benchmarks/batching.py``.

Each way makes the same jobs, from nothing and with an empty compilation cache, on the same number of cores,
the ways in turn, ``--repeat`` times. Wall seconds, and CPU seconds of the whole process tree. Hydra's joblib
launcher comes from the package index into an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "train.py", "workflow", "profiles", "conf", "llc", "envs")
SWEEP = """\
# @package _global_
defaults:
  - override /model: small
  - override /data: small
  - override /sampler: fast
sampler:
  names: [sgld, hmc, nuts, mclmc]
hydra:
  sweeper:
    params:
      seed: range(0,{jobs})
"""


def ways(cores: int, jobs: int) -> dict[str, list[str]]:
    snakemake = ["snakemake", "--cores", str(cores), "--until", "summary", "--config", "sweep=many"]
    hydra = [sys.executable, "train.py", "-m", "+sweep=many"]
    joblib = ["uv", "run", "--quiet", "--project", str(ROOT), "--with", "hydra-joblib-launcher", "python", *hydra[1:]]
    return {
        "llc, a process per job": snakemake,
        f"llc, batch={jobs // cores}": [*snakemake, f"batch={jobs // cores}"],
        "Hydra -m, basic": hydra,
        "Hydra -m, joblib": [*joblib, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={cores}"],
    }


def measure(command: list[str], jobs: int) -> tuple[float, float]:
    """Return wall and CPU seconds of a command in a new copy of the project."""
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, Path(folder, part))
        Path(folder, "conf/sweep/many.yaml").write_text(SWEEP.format(jobs=jobs))
        env = os.environ | {"PYTHONPATH": folder}
        env.pop("JAX_COMPILATION_CACHE_DIR", None)  # each way keeps what it compiles where it does by itself
        env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        made = len(list(Path(folder).glob("*/**/metrics_summary.csv")))
        if done.returncode or made != jobs:
            raise SystemExit(
                f"{' '.join(command)}: {made} of {jobs} jobs\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            )
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=32)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    commands = ways(args.cores, args.jobs)
    # Its environment is made before, and is not of its time.
    subprocess.run([*commands["Hydra -m, joblib"][:8], "-c", "import hydra_plugins"], check=True)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(args.repeat):
        for name, command in commands.items():
            found[name].append(measure(command, args.jobs))
            print(f"{name}: {found[name][-1][0]:.0f} s", file=sys.stderr, flush=True)
    first = statistics.median(wall for wall, _ in found["llc, a process per job"])
    print(f"{args.jobs} jobs of four samplers on {args.cores} cores, nothing compiled before\n")
    print("| | wall s | CPU s | wall, of a process per job |\n|---|---|---|---|")
    for name, times in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"| {name} | {wall:.0f} | {cpu:.0f} | {wall / first:.2f} |")


if __name__ == "__main__":
    main()
