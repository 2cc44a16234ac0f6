"""The methods that runs used, after their configurations; ``page/page.bib`` has their BibTeX. Without JAX.

Only what a run used is cited: NUTS where it sampled, Adam where it trained. Fields are those of the sources
named in the code of each method, or of the library's own request to be cited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

Config = Mapping[str, Any]  # config.yaml of a run

BIBLIOGRAPHY = Path(__file__).parent / "page.bib"


class Method(NamedTuple):
    """Something to cite, and what for."""

    key: str  # of its BibTeX
    what: str
    when: Callable[[Config], bool]

    @property
    def bibtex(self) -> str:
        """The entry to cite it by."""
        return bibliography()[self.key]


@cache
def bibliography() -> dict[str, str]:
    """Return the BibTeX of every method, by its key."""
    entries = BIBLIOGRAPHY.read_text(encoding="utf-8").strip().split("\n\n")
    return {re.split("[{,]", entry)[1]: entry for entry in entries}


def used(configs: Iterable[Config], known: Iterable[str] = ()) -> list[Method]:
    """Return the methods that any of the runs used.

    Parameters
    ----------
    configs
        Of the runs.
    known
        Which of ``llc_true`` and ``llc_exact`` are known of any estimate.
    """
    configs = list(configs)
    found = [method for method in METHODS if any(method.when(config) for config in configs)]
    return found + [method for method in TRUTHS if "llc_true" in known and any(map(method.when, configs))]


def _value(config: Config, key: str) -> Any:
    """Return the value of ``section.key``; an ellipsis where a run of an older schema has no such key."""
    found: Any = config
    for part in key.split("."):
        found = found.get(part, ...) if isinstance(found, Mapping) else ...
    return found


def _has(values: Config) -> Callable[[Config], bool]:
    """Return whether keys, dotted, have these values."""
    return lambda config: all(_value(config, key) == value for key, value in values.items())


def _always(config: Config) -> bool:
    return True


def _names(config: Config) -> list[str]:
    names = _value(config, "sampler.names")
    return names if isinstance(names, list) else []


def _with(*samplers: str, having: Config = MappingProxyType({})) -> Callable[[Config], bool]:
    return lambda config: bool(set(samplers) & set(_names(config))) and _has(having)(config)


def _by_rule(config: Config) -> bool:
    """Return whether draws were added until a sampler had converged."""
    return any(_value(config, f"sampler.{name}.draws") is None for name in _names(config))


METHODS = (
    Method("lau2025", "the local learning coefficient and its estimator", _always),
    Method(
        "wang2024",
        "LLCs of some parameters, or on other data",
        lambda c: any(_value(c, key) not in (None, ...) for key in ("posterior.restrict", "evaluate")),
    ),
    Method("watanabe2013", "the inverse temperature 1/log n", _has({"posterior.beta": None})),
    Method("welling2011", "SGLD", _with("sgld")),
    Method(
        "leimkuhler2013",
        "the noise of SGLD with a step size chosen by itself, and its momentum",
        _with("sgld", having={"sampler.sgld.step_size": "auto"}),
    ),
    Method(
        "li2016",
        "RMSProp as the preconditioner of SGLD",
        _with("sgld", having={"sampler.sgld.preconditioner": "rmsprop"}),
    ),
    Method("baker2019", "control variates in SGLD", _with("sgld", having={"sampler.sgld.control_variates": True})),
    Method("neal2011", "HMC", _with("hmc")),
    Method("hoffman2014", "NUTS", _with("nuts")),
    Method("betancourt2017", "the multinomial variant of NUTS", _with("nuts")),
    Method("phan2019", "NumPyro, whose HMC and NUTS these are", _with("hmc", "nuts")),
    Method("robnik2023", "MCLMC", _with("mclmc")),
    Method("robnik2025", "the acceptance step of MCLMC", _with("mclmc")),
    Method("cabezas2024", "BlackJAX, whose MCLMC this is", _with("mclmc")),
    Method("geman1984", "Gibbs sampling", _with("gibbs")),
    Method("vehtari2021", "R-hat, ESS and their limits", _always),
    Method("kumar2019", "ArviZ, as which they are computed and stored", _always),
    Method("geweke1992", "the comparison of a trace's halves", _always),
    Method("white1997", "the rule for the end of warm-up, MSER", _by_rule),
    Method(
        "kingma2015",
        "Adam, which trained the networks or is the preconditioner of SGLD",
        lambda c: (
            _has({"training.w_star": "trained", "training.optimizer": "adam"})(c)
            or _with("sgld", having={"sampler.sgld.preconditioner": "adam"})(c)
        ),
    ),
    Method(
        "loshchilov2019",
        "AdamW, which trained the networks",
        _has({"training.w_star": "trained", "training.optimizer": "adamw"}),
    ),
    Method(
        "liu1989",
        "L-BFGS, which polished w*",
        lambda c: _has({"training.w_star": "trained"})(c) and _value(c, "training.polish_steps") not in (0, ...),
    ),
    Method("alpaydin1998", "the handwritten digits", _has({"data.kind": "digits"})),
    Method("bradbury2018", "JAX", _always),
)
# What the known learning coefficients are from.
TRUTHS = (
    Method("aoyagi2024", "λ of deep linear networks", _has({"model.kind": "dln", "model.teacher": "aligned"})),
    Method(
        "aoyagi2005",
        "λ of reduced rank regression",
        lambda config: (
            _has({"model.kind": "dln", "model.teacher": "aligned"})(config) and len(_value(config, "model.widths")) == 3
        ),
    ),
    Method(
        "lehalleur2024",
        "λ of deep linear networks at given weights",
        _has({"model.kind": "dln", "model.teacher": "reduced"}),
    ),
)
