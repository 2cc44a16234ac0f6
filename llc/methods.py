"""The methods that runs used, as BibTeX, after their configurations. Without JAX.

Only what a run used is cited: NUTS where it sampled, Adam where it trained. Fields are those of the sources
named in the code of each method, or of the library's own request to be cited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

Config = Mapping[str, Any]  # config.yaml of a run


class Method(NamedTuple):
    """Something to cite, and what for."""

    key: str
    what: str
    when: Callable[[Config], bool]
    bibtex: str


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


def _has(**values: Any) -> Callable[[Config], bool]:
    """Return whether keys have these values; ``__`` stands for the dot."""
    return lambda config: all(_value(config, key.replace("__", ".")) == value for key, value in values.items())


def _always(config: Config) -> bool:
    return True


def _names(config: Config) -> list[str]:
    names = _value(config, "sampler.names")
    return names if isinstance(names, list) else []


def _with(*samplers: str, **values: Any) -> Callable[[Config], bool]:
    return lambda config: bool(set(samplers) & set(_names(config))) and _has(**values)(config)


def _preconditioned(config: Config) -> bool:
    return any(_with("sgld", sampler__sgld__preconditioner=name)(config) for name in ("rmsprop", "adam"))


def _adam(config: Config) -> bool:
    """Return whether it trained a network, or its average is SGLD's preconditioner."""
    trained = _has(training__w_star="trained", training__optimizer="adam")(config)
    return trained or _with("sgld", sampler__sgld__preconditioner="adam")(config)


def _by_rule(config: Config) -> bool:
    """Return whether draws were added until a sampler had converged."""
    return any(_value(config, f"sampler.{name}.draws") is None for name in _names(config))


METHODS = (
    Method(
        "lau2023",
        "the local learning coefficient and its estimator",
        _always,
        """@misc{lau2023,
  title = {Quantifying Degeneracy in Singular Models via the Learning Coefficient},
  author = {Lau, Edmund and Murfet, Daniel and Wei, Susan},
  year = {2023},
  eprint = {2308.12108},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "watanabe2013",
        "the inverse temperature 1/log n",
        _has(posterior__beta=None),
        """@article{watanabe2013,
  title = {A Widely Applicable {B}ayesian Information Criterion},
  author = {Watanabe, Sumio},
  journal = {Journal of Machine Learning Research},
  volume = {14},
  pages = {867--897},
  year = {2013}
}""",
    ),
    Method(
        "welling2011",
        "SGLD",
        _with("sgld"),
        """@inproceedings{welling2011,
  title = {{B}ayesian Learning via Stochastic Gradient {L}angevin Dynamics},
  author = {Welling, Max and Teh, Yee Whye},
  booktitle = {Proceedings of the 28th International Conference on Machine Learning},
  pages = {681--688},
  year = {2011}
}""",
    ),
    Method(
        "leimkuhler2013",
        "the noise of SGLD with a step size chosen by itself",
        _with("sgld", sampler__sgld__step_size="auto"),
        """@article{leimkuhler2013,
  title = {Rational Construction of Stochastic Numerical Methods for Molecular Sampling},
  author = {Leimkuhler, Benedict and Matthews, Charles},
  journal = {Applied Mathematics Research eXpress},
  volume = {2013},
  number = {1},
  pages = {34--56},
  year = {2013}
}""",
    ),
    Method(
        "li2016",
        "SGLD with a diagonal preconditioner",
        _preconditioned,
        """@inproceedings{li2016,
  title = {Preconditioned Stochastic Gradient {L}angevin Dynamics for Deep Neural Networks},
  author = {Li, Chunyuan and Chen, Changyou and Carlson, David and Carin, Lawrence},
  booktitle = {Proceedings of the Thirtieth AAAI Conference on Artificial Intelligence},
  year = {2016},
  eprint = {1512.07666},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "baker2019",
        "control variates in SGLD",
        _with("sgld", sampler__sgld__control_variates=True),
        """@article{baker2019,
  title = {Control Variates for Stochastic Gradient {MCMC}},
  author = {Baker, Jack and Fearnhead, Paul and Fox, Emily B. and Nemeth, Christopher},
  journal = {Statistics and Computing},
  volume = {29},
  number = {3},
  pages = {599--615},
  year = {2019}
}""",
    ),
    Method(
        "neal2011",
        "HMC",
        _with("hmc"),
        """@incollection{neal2011,
  title = {{MCMC} Using {H}amiltonian Dynamics},
  author = {Neal, Radford M.},
  booktitle = {Handbook of {M}arkov Chain {M}onte {C}arlo},
  publisher = {Chapman and Hall/CRC},
  pages = {113--162},
  year = {2011}
}""",
    ),
    Method(
        "hoffman2014",
        "NUTS",
        _with("nuts"),
        """@article{hoffman2014,
  title = {The {No-U-Turn} Sampler: Adaptively Setting Path Lengths in {H}amiltonian {M}onte {C}arlo},
  author = {Hoffman, Matthew D. and Gelman, Andrew},
  journal = {Journal of Machine Learning Research},
  volume = {15},
  number = {47},
  pages = {1593--1623},
  year = {2014}
}""",
    ),
    Method(
        "betancourt2017",
        "the multinomial variant of NUTS",
        _with("nuts"),
        """@misc{betancourt2017,
  title = {A Conceptual Introduction to {H}amiltonian {M}onte {C}arlo},
  author = {Betancourt, Michael},
  year = {2017},
  eprint = {1701.02434},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "phan2019",
        "NumPyro, whose HMC and NUTS these are",
        _with("hmc", "nuts"),
        """@misc{phan2019,
  title = {Composable Effects for Flexible and Accelerated Probabilistic Programming in {NumPyro}},
  author = {Phan, Du and Pradhan, Neeraj and Jankowiak, Martin},
  year = {2019},
  eprint = {1912.11554},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "robnik2023",
        "MCLMC",
        _with("mclmc"),
        """@article{robnik2023,
  title = {Microcanonical {H}amiltonian {M}onte {C}arlo},
  author = {Robnik, Jakob and De Luca, G. Bruno and Silverstein, Eva and Seljak, Uro\\v{s}},
  journal = {Journal of Machine Learning Research},
  volume = {24},
  year = {2023},
  eprint = {2212.08549},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "cabezas2024",
        "BlackJAX, whose MCLMC this is",
        _with("mclmc"),
        """@misc{cabezas2024,
  title = {{BlackJAX}: Composable {B}ayesian Inference in {JAX}},
  author = {Cabezas, Alberto and Corenflos, Adrien and Lao, Junpeng and Louf, R\\'emi},
  year = {2024},
  eprint = {2402.10797},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "geman1984",
        "Gibbs sampling",
        _with("gibbs"),
        """@article{geman1984,
  title = {Stochastic Relaxation, {G}ibbs Distributions, and the {B}ayesian Restoration of Images},
  author = {Geman, Stuart and Geman, Donald},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {6},
  pages = {721--741},
  year = {1984}
}""",
    ),
    Method(
        "vehtari2021",
        "R-hat, ESS and their limits",
        _always,
        """@article{vehtari2021,
  title = {Rank-Normalization, Folding, and Localization:
           An Improved {$\\widehat{R}$} for Assessing Convergence of {MCMC}},
  author = {Vehtari, Aki and Gelman, Andrew and Simpson, Daniel and Carpenter, Bob and B{\\"u}rkner, Paul-Christian},
  journal = {Bayesian Analysis},
  volume = {16},
  number = {2},
  pages = {667--718},
  year = {2021}
}""",
    ),
    Method(
        "kumar2019",
        "ArviZ, which computes them",
        _always,
        """@article{kumar2019,
  title = {{ArviZ} a Unified Library for Exploratory Analysis of {B}ayesian Models in {P}ython},
  author = {Kumar, Ravin and Carroll, Colin and Hartikainen, Ari and Martin, Osvaldo},
  journal = {Journal of Open Source Software},
  volume = {4},
  number = {33},
  pages = {1143},
  year = {2019},
  doi = {10.21105/joss.01143}
}""",
    ),
    Method(
        "geweke1992",
        "the comparison of a trace's halves",
        _always,
        """@incollection{geweke1992,
  title = {Evaluating the Accuracy of Sampling-Based Approaches to the Calculation of Posterior Moments},
  author = {Geweke, John},
  booktitle = {{B}ayesian Statistics 4},
  publisher = {Oxford University Press},
  pages = {169--193},
  year = {1992}
}""",
    ),
    Method(
        "white1997",
        "the rule for the end of warm-up, MSER",
        _by_rule,
        """@article{white1997,
  title = {An Effective Truncation Heuristic for Bias Reduction in Simulation Output},
  author = {White, Jr., K. Preston},
  journal = {Simulation},
  volume = {69},
  number = {6},
  pages = {323--334},
  year = {1997}
}""",
    ),
    Method(
        "kingma2015",
        "Adam, which trained the networks or scales the parameters in SGLD",
        _adam,
        """@inproceedings{kingma2015,
  title = {{A}dam: A Method for Stochastic Optimization},
  author = {Kingma, Diederik P. and Ba, Jimmy},
  booktitle = {International Conference on Learning Representations},
  year = {2015},
  eprint = {1412.6980},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "loshchilov2019",
        "AdamW, which trained the networks",
        _has(training__w_star="trained", training__optimizer="adamw"),
        """@inproceedings{loshchilov2019,
  title = {Decoupled Weight Decay Regularization},
  author = {Loshchilov, Ilya and Hutter, Frank},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  eprint = {1711.05101},
  archivePrefix = {arXiv}
}""",
    ),
    Method(
        "alpaydin1998",
        "the handwritten digits",
        _has(data__kind="digits"),
        """@misc{alpaydin1998,
  title = {Optical Recognition of Handwritten Digits},
  author = {Alpaydin, E. and Kaynak, C.},
  howpublished = {UCI Machine Learning Repository},
  year = {1998}
}""",
    ),
    Method(
        "bradbury2018",
        "JAX",
        _always,
        """@software{bradbury2018,
  title = {{JAX}: Composable Transformations of {P}ython+{N}um{P}y Programs},
  author = {James Bradbury and Roy Frostig and Peter Hawkins and Matthew James Johnson and Yash Katariya and
            Chris Leary and Dougal Maclaurin and George Necula and Adam Paszke and Jake Vander{P}las and
            Skye Wanderman-{M}ilne and Qiao Zhang},
  year = {2018}
}""",
    ),
)
# What the known learning coefficients are from.
TRUTHS = (
    Method(
        "aoyagi2024",
        "λ of deep linear networks",
        _has(model__kind="dln", model__teacher="aligned"),
        """@article{aoyagi2024,
  title = {Consideration on the Learning Efficiency of Multiple-Layered Neural Networks with Linear Units},
  author = {Aoyagi, Miki},
  journal = {Neural Networks},
  volume = {172},
  pages = {106132},
  year = {2024}
}""",
    ),
    Method(
        "aoyagi2005",
        "λ of reduced rank regression",
        lambda config: (
            _has(model__kind="dln", model__teacher="aligned")(config) and len(_value(config, "model.widths")) == 3
        ),
        """@article{aoyagi2005,
  title = {Stochastic Complexities of Reduced Rank Regression in {B}ayesian Estimation},
  author = {Aoyagi, Miki and Watanabe, Sumio},
  journal = {Neural Networks},
  volume = {18},
  number = {7},
  pages = {924--933},
  year = {2005}
}""",
    ),
    Method(
        "lehalleur2024",
        "λ of deep linear networks at given weights",
        _has(model__kind="dln", model__teacher="reduced"),
        """@misc{lehalleur2024,
  title = {Geometry of the Fibers of the Multiplication Map of Deep Linear Neural Networks},
  author = {Pepin Lehalleur, Simon and Rim\\'anyi, Rich\\'ard},
  year = {2024},
  eprint = {2411.19920},
  archivePrefix = {arXiv}
}""",
    ),
)
