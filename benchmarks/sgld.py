"""SGLD beside its peers: ``uv run python benchmarks/sgld.py`` prints chain-steps per CPU-second and ratios.

Each program is a process of its own with one thread, the programs alternate, and each figure is the median of
``--repeat`` of them; start-up and compiling are not in it (``peers/workloads.py``). PyTorch and
devinterp are installed from the package index into an environment of their own, ``.cache/peers``.
All do the same steps: 4 chains, localised, tempered, noise; ours also takes L_n of all the rows at
each draw, as by default (of 235 steps at batch 256, of 100 else), where the other programs record the loss of a batch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).parent / "peers"
TORCH = ROOT / ".cache" / "peers"
PACKAGES = ["devinterp==1.3.2"]
ONE_THREAD = {
    name: "1" for name in ("NPROC", "JAX_NUM_CPU_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
}
# Name, file, environment, and draws: llc takes them by 50, and of the fast ones few would be too short to tell.
PROGRAMS = [
    ("llc", "ours.py", Path(sys.executable), 50),
    ("bare JAX", "bare_jax.py", Path(sys.executable), 50),
    ("bare PyTorch", "bare_torch.py", TORCH / "bin" / "python", 10),
    ("devinterp", "devinterp_sgld.py", TORCH / "bin" / "python", 5),
]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    if not TORCH.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, TORCH], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", TORCH / "bin" / "python", *PACKAGES], check=True)
    sys.path.insert(0, str(PEERS))
    from workloads import WORKLOADS

    head = ["chain-steps per CPU-second", *(name for name, *_ in PROGRAMS), "llc / JAX", "llc / devinterp"]
    print(f"| {' | '.join(head)} |")
    print("|" + "---|" * len(head))
    for workload in WORKLOADS:
        found: dict[str, list[float]] = {name: [] for name, *_ in PROGRAMS}
        for _ in range(repeat):
            for name, file, python, draws in PROGRAMS:
                found[name].append(1 / _measure(python, PEERS / file, workload, draws))
        rates = {name: statistics.median(values) for name, values in found.items()}
        ratios = [rates["llc"] / rates[peer] for peer in ("bare JAX", "devinterp")]
        cells = [workload, *(f"{rate:,.0f}" for rate in rates.values()), *(f"{ratio:.2f}" for ratio in ratios)]
        print(f"| {' | '.join(cells)} |", flush=True)


def _measure(python: Path, file: Path, workload: str, draws: int) -> float:
    """Return the CPU seconds of a chain-step."""
    env = {
        **os.environ,
        **ONE_THREAD,
        "PYTHONPATH": str(ROOT),
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
    }
    done = subprocess.run(
        [python, file, workload, str(draws)], env=env, stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1])["per_step"])


if __name__ == "__main__":
    main()
