"""What several test files need: a Job from overrides, exactly as train.py makes it."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from llc.compose import parse, register_schema
from llc.config import Job

CONF = Path(__file__).resolve().parents[1] / "conf"

register_schema()


def composed(*overrides: str, conf: Path = CONF) -> DictConfig:
    with initialize_config_dir(str(conf), version_base="1.3"):
        return compose("config", list(overrides))


def job(*overrides: str, conf: Path = CONF, cwd: Path = CONF.parent) -> Job:
    return parse(composed(*overrides, conf=conf), cwd)
