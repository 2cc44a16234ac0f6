"""What several test files need: a Job from overrides, exactly as train.py makes it."""

from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from llc.config import Job
from llc.jobs.compose import GROUPS, parse, register_schema

TESTS = Path(__file__).resolve().parent
CONF = TESTS.parent / "conf"
CLASSES = np.array([0, 1, 2, 1, 0])  # of five rows

register_schema()


def by_hydra(*overrides: str, conf: Path = CONF) -> DictConfig:
    with initialize_config_dir(str(conf), version_base="1.3"):
        return compose("config", list(overrides))


of_presets = cache(by_hydra)


def composed(*overrides: str, conf: Path = CONF) -> DictConfig:
    """Compose as Hydra does, but the presets of ``conf/`` once: that is a tenth of a second, and values a hundredth."""
    if conf != CONF:
        return by_hydra(*overrides, conf=conf)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    config = deepcopy(of_presets(*(override.input_line for override in parsed if not is_value(override))))
    ConfigLoaderImpl._apply_overrides_to_config([override for override in parsed if is_value(override)], config)
    return config


def is_value(override: Override) -> bool:
    """Return whether it changes a value of what presets make, and not which of them there are."""
    group = override.key_or_group in GROUPS or override.key_or_group.startswith("hydra")
    return not override.is_sweep_override() and (not group or isinstance(override.value(), dict))


def job(*overrides: str, conf: Path = CONF, cwd: Path = CONF.parent) -> Job:
    return parse(composed(*overrides, conf=conf), cwd)
