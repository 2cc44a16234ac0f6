"""Every key of a job as a page: ``python -m llc.reference > docs/configuration.md``. From the source of the schema."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from llc.config import data, job, models, samplers
from llc.jobs.compose import GROUPS

CONF = Path(__file__).resolve().parents[1] / "conf"

HEAD = """\
# Every key of a job

Made from the schema in `llc/config/` by `uv run python -m llc.reference > docs/configuration.md`; a test holds the page
to it. `train.py` takes a key as `key=value`, a sweep file as YAML. A key or a value that does not exist is an error
that names the nearest one, before anything runs. Presets, such as `model=small`, are files of values in `conf/`.
"""
# Title of a section: the module and the class that declare its keys, and what stands before each of them.
SECTIONS = [
    ("The job", job, "Job", ""),
    ("Data: `data=linear`, `base`, `small`", data, "TeacherData", "data."),
    ("Data: `data=digits`", data, "DigitsData", "data."),
    ("Data: `data=npz`", data, "NpzData", "data."),
    ("Data: `data=own`", data, "OwnData", "data."),
    ("Model: `model=base`, `small`", models, "MlpModel", "model."),
    ("Model: `model=dln`, `dln_1k`, `dln_10k`, `dln_100k`, and `rrr`", models, "DlnModel", "model."),
    ("Model: `model=quadratic`", models, "QuadraticModel", "model."),
    ("Model: `model=crossing`", models, "CrossingModel", "model."),
    ("Model: `model=own`", models, "OwnModel", "model."),
    ("A user's own code", job, "OwnConfig", "own."),
    ("Training", job, "TrainingConfig", "training."),
    ("Posterior", job, "PosteriorConfig", "posterior."),
    ("Samplers", samplers, "SamplerConfig", "sampler."),
    ("`sgld`", samplers, "SgldConfig", "sampler.sgld."),
    ("`hmc`", samplers, "HmcConfig", "sampler.hmc."),
    ("`nuts`", samplers, "NutsConfig", "sampler.nuts."),
    ("`mclmc`", samplers, "MclmcConfig", "sampler.mclmc."),
    ("`gibbs`", samplers, "GibbsConfig", "sampler.gibbs."),
]


def page() -> str:
    """Return the page, in Markdown."""
    parts = [HEAD]
    for title, module, name, prefix in SECTIONS:
        found = _class(module, name)
        says = (ast.get_docstring(found) or "").replace("``", "`")
        parts.append(f"## {title}\n\n{says}\n\n{_table(_rows(module, found, prefix))}")
    parts.append("## Presets\n\n" + _table(_presets(), "preset", "what it is"))
    return "\n".join(parts)


def _class(module: ModuleType, name: str) -> ast.ClassDef:
    tree = ast.parse(inspect.getsource(module))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def _rows(module: ModuleType, found: ast.ClassDef, prefix: str) -> Iterator[tuple[str, ...]]:
    """Give key, default, type, and what the comment on its line and its checks say of it."""
    lines, must = inspect.getsource(module).splitlines(), _must(module, found)
    for node in found.body:
        if not isinstance(node, ast.AnnAssign) or node.value is None:
            continue
        kind, default = ast.unparse(node.annotation), _default(node.value)
        # Sections have tables of their own.
        if kind.endswith("Config") or (default == "???" and kind == "Any"):
            continue
        key = prefix + ast.unparse(node.target)
        comment = lines[node.lineno - 1].partition("  # ")[2]
        says = "; ".join(filter(None, [comment, f"must be {must[key]}" if key in must else ""]))
        yield f"`{key}`", f"`{default}`", kind.replace(" | None", " or null"), says


def _default(value: ast.expr) -> str:
    """Return a default as a person writes it in a configuration."""
    if isinstance(value, ast.Call):  # field(default_factory=lambda: […])
        factory = value.keywords[0].value
        return ast.unparse(factory.body if isinstance(factory, ast.Lambda) else factory).replace("'", "")
    text = ast.unparse(value).strip("'").replace("_", "")
    words = {"None": "null", "True": "true", "False": "false", "MISSING": "???", "BUDGET": f"{samplers.BUDGET:.0f}"}
    return words.get(text, text)


def _must(module: ModuleType, checked: ast.ClassDef) -> dict[str, str]:
    """Return what the checks of a class ask for, by key, as far as it is one text."""
    found: dict[str, str] = {}
    for node in ast.walk(checked):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        match node.func.id, node.args:
            case "require", [_, ast.Constant(value=str(key)), _, ast.Constant(value=str(text))]:
                found[key] = text
            case "require_choice", [ast.Constant(value=str(key)), _, named]:
                choices = vars(module)[named.id] if isinstance(named, ast.Name) else ast.literal_eval(named)
                found[key] = " or ".join(f"`{choice}`" for choice in choices)
            case "_check_counts", [ast.Constant(value=str(name)), _, least]:
                counts = {"chains": 1, **ast.literal_eval(least)}
                texts = {**{k: f"at least {n}" for k, n in counts.items()}, "draws": "at least 8, or null"}
                found |= {f"sampler.{name}.{k}": text for k, text in {**texts, "budget": "above 0"}.items()}
    return found


def _presets() -> Iterator[tuple[str, ...]]:
    for group in GROUPS:
        for file in sorted((CONF / group).iterdir()):
            if file.suffix == ".csv":  # which Hydra does not read
                jobs = len(file.read_text(encoding="utf-8").splitlines()) - 1
                yield (
                    f"`--config sweep={file.stem}`",
                    f"{jobs} jobs, a row each, for the workflow only: docs/accuracy.md",
                )
            else:
                yield f"`{'+' * (group == 'sweep')}{group}={file.stem}`", _first(file)


def _first(file: Path) -> str:
    """Return what a file says it is: its first comment, to where a line does not end with a comma."""
    comments = [line[1:].strip() for line in file.read_text(encoding="utf-8").splitlines() if line[:2] == "# "]
    words = []
    for line in comments[comments[:1] == ["@package _global_"] :]:
        words.append(line)
        if not line.endswith(","):
            break
    return " ".join(words)


def _table(rows: Iterable[tuple[str, ...]], *head: str) -> str:
    head = head or ("key", "default", "type", "")
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    print(page(), end="")
