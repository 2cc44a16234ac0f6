"""Only the methods that runs used are cited, and what is cited is BibTeX."""

import re
from dataclasses import asdict

import pytest
from composing import job

from llc.config import SamplerConfig
from llc.page import methods


def cited(*overrides: str, known: tuple[str, ...] = ()) -> set[str]:
    return {method.key for method in methods.used([asdict(job(*overrides))], known)}


ALWAYS = {
    *("lau2025", "watanabe2013", "vehtari2021", "kumar2019", "geweke1992", "white1997", "bradbury2018"),
    *("kingma2015", "liu1989"),
}
NUTS = {"hoffman2014", "betancourt2017", "phan2019"}


@pytest.mark.parametrize(
    ("overrides", "more", "less"),
    [
        (["sampler.names=[nuts]"], NUTS, set()),
        (["sampler.names=[sgld]"], {"welling2011", "leimkuhler2013"}, set()),
        (["sampler.names=[sgld]", "sampler.sgld.step_size=1e-5"], {"welling2011"}, set()),
        (
            ["sampler.names=[sgld]", "sampler.sgld.preconditioner=rmsprop"],
            {"welling2011", "leimkuhler2013", "li2016"},
            set(),
        ),
        (
            ["sampler.names=[sgld]", "sampler.sgld.preconditioner=adam", "training=truth"],
            {"welling2011", "leimkuhler2013"},
            {"liu1989"},
        ),
        (["sampler.names=[hmc]"], {"neal2011", "phan2019"}, set()),
        (["sampler.names=[mclmc]"], {"robnik2023", "robnik2025", "cabezas2024"}, set()),
        (["sampler.names=[nuts]", "sampler.nuts.draws=100"], NUTS, {"white1997"}),
        (["sampler.names=[nuts]", "posterior.beta=1"], NUTS, {"watanabe2013"}),
        (["sampler.names=[nuts]", "posterior.restrict=layers/0/*"], {*NUTS, "wang2024"}, set()),
        (["sampler.names=[nuts]", "training=truth"], NUTS, {"kingma2015", "liu1989"}),
        (["sampler.names=[nuts]", "training.polish_steps=0"], NUTS, {"liu1989"}),
        (["sampler.names=[nuts]", "data=digits"], {*NUTS, "alpaydin1998"}, set()),
    ],
)
def test_what_is_used_is_cited(overrides: list[str], more: set[str], less: set[str]) -> None:
    assert cited(*overrides) == ALWAYS - less | more


@pytest.mark.parametrize("name", [name for name in vars(SamplerConfig()) if name != "names"])
def test_every_sampler_has_something_to_cite(name: str) -> None:
    config = asdict(job(f"sampler.names=[{name}]", "model=dln", "data=linear"))
    without = {**config, "sampler": {**config["sampler"], "names": []}}
    assert {m.key for m in methods.used([config])} - {m.key for m in methods.used([without])} - {"white1997"}


def test_the_source_of_a_known_value_is_cited_where_it_is_known() -> None:
    dln = ["model=dln", "data=linear", "training=truth", "sampler.names=[gibbs]"]
    own = {"aoyagi2024", "aoyagi2005"}
    assert cited(*dln, known=("llc_true",)) - cited(*dln) == own
    assert "geman1984" in cited(*dln)


def test_all_runs_of_a_sweep_count_and_an_older_run_without_a_key_too() -> None:
    configs = [asdict(job(f"sampler.names=[{name}]")) for name in ("sgld", "nuts")]
    del configs[0]["posterior"]["beta"]
    del configs[0]["sampler"]["sgld"]["step_size"]
    keys = [method.key for method in methods.used(configs)]
    assert {"welling2011", *NUTS} < set(keys)
    assert "leimkuhler2013" not in keys
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("method", [*methods.METHODS, *methods.TRUTHS], ids=lambda method: method.key)
def test_an_entry_is_bibtex(method: methods.Method) -> None:
    assert re.match(rf"@[a-z]+{{{method.key},\n", method.bibtex)
    assert method.bibtex.count("{") == method.bibtex.count("}")
    fields = re.findall(r"^  ([a-zA-Z]+) = {", method.bibtex, re.MULTILINE)
    assert {"title", "author", "year"} <= set(fields)
    assert len(fields) == len(set(fields))
    assert method.bibtex.isascii()


def test_no_entry_is_left_over() -> None:
    assert set(methods.bibliography()) == {method.key for method in [*methods.METHODS, *methods.TRUTHS]}
