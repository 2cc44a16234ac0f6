"""Kill a sweep of 12 jobs at 40 random moments and resume it each time: ``python benchmarks/kills.py``.

A third of the kills each are of a job, of Snakemake and of the whole group. Each time the sweep
is finished its tables must equal those of the sweep undisturbed, but for timings.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from killing import survive
from projects import Project


def main() -> None:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.sweep("twelve", sampler__sgld__step_size="1e-5,2e-5,3e-5", seed="0,1", posterior__gamma="1,2")
        start = time.monotonic()
        kills, rounds = survive(project, "twelve", args.kills, args.seed, within_s=30.0)
    print(f"{kills} kills in {rounds} sweeps and {time.monotonic() - start:.0f} s: all tables as undisturbed")


if __name__ == "__main__":
    main()
