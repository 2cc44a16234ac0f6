"""Schema of ``conf/``: what each key means, its default, and which values are refused.

The dataclasses are Hydra's structured configs: a wrong type or an unknown key fails when a
configuration is composed, a wrong value when ``llc.jobs.compose.parse`` makes a Job of it.
"""

from llc.config.checks import CHANGED, ConfigError, nearest, require, require_choice, require_name, require_number
from llc.config.data import DATA, DigitsData, NpzData, OwnData, TeacherData
from llc.config.job import Job, OwnConfig, PosteriorConfig, TrainingConfig
from llc.config.models import (
    MODELS,
    CrossingModel,
    DlnModel,
    MlpModel,
    OwnModel,
    QuadraticModel,
)
from llc.config.samplers import (
    SAMPLERS,
    GibbsConfig,
    HmcConfig,
    MclmcConfig,
    NutsConfig,
    SamplerConfig,
    SgldConfig,
)

KINDS = {"data": DATA, "model": MODELS}  # the sections that are of one schema or another, by their kind

__all__ = [
    "CHANGED",
    "KINDS",
    "SAMPLERS",
    "ConfigError",
    "CrossingModel",
    "DigitsData",
    "DlnModel",
    "GibbsConfig",
    "HmcConfig",
    "Job",
    "MclmcConfig",
    "MlpModel",
    "NpzData",
    "NutsConfig",
    "OwnConfig",
    "OwnData",
    "OwnModel",
    "PosteriorConfig",
    "QuadraticModel",
    "SamplerConfig",
    "SgldConfig",
    "TeacherData",
    "TrainingConfig",
    "nearest",
    "require",
    "require_choice",
    "require_name",
    "require_number",
]
