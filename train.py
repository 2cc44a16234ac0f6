"""Run one job: ``python train.py model=small seed=3``; ``-m`` for several; see README.md."""

import sys
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig

from llc import commandline, process
from llc.config import ConfigError
from llc.jobs import compose


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    """Check the configuration Hydra composed, then run it in the folder Hydra made."""
    try:
        job = compose.parse(config, Path(hydra.utils.get_original_cwd()))
        process.before_jax(job.threads, Path(__file__).resolve().parent / ".cache" / "jax")
        start = time.perf_counter()
        from llc import job as jobs  # imports JAX, which reads the number of threads once

        jobs.run(job, Path(HydraConfig.get().runtime.output_dir), time.perf_counter() - start)
    except ConfigError as error:
        raise ConfigCompositionException(f"train.py: {error}") from None  # printed without a traceback


if __name__ == "__main__":
    compose.register_schema()
    try:
        sys.argv[1:] = commandline.command_line(sys.argv[1:])
    except ConfigError as error:
        sys.exit(f"train.py: {error}")
    commandline.compose_once(sys.argv[1:])
    main()
