"""A job's values are completed by what they imply, and checked against each other and its files. Without JAX."""

from __future__ import annotations

import math
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from llc.config import KINDS, Job, require, require_name, require_number
from llc.config.data import DIGITS_ROWS
from llc.jobs import restrict, weights
from llc.jobs.widths import count_params, draw_widths, layout
from llc.user import npz, own

DIGITS_DIMS = (64, 10)

Dims = tuple[int, int]  # of inputs and outputs


def complete(job: Job, cwd: Path) -> Job:
    """Fill in what the values of a job imply, and check what concerns more than one section.

    Parameters
    ----------
    cwd
        Where relative paths start.

    Raises
    ------
    ConfigError
        Naming the key, the value and what it must be.
    """
    _check_finite(job)
    for group, kinds in KINDS.items():
        section = getattr(job, group)
        kind = next(name for name, schema in kinds.items() if type(section) is schema)
        require(section.kind == kind, f"{group}.kind", section.kind, f"{kind} here; choose a preset with {group}=…")
    job.evaluate = _sources(job.evaluate)
    if own.paths(job):
        job.own.folder = str(cwd / (job.own.folder or ""))
        job.own.sha256 = _digest_of_own(job, own.targets(job), "own.sha256", job.own.sha256)
    else:
        job.own.folder = job.own.sha256 = None
    dims = _complete_data(job.data, cwd)
    teacher, own_model = job.data.kind == "teacher", job.model.kind == "own"
    require(not (teacher and own_model), "data.kind", job.data.kind, "digits, npz or own with model.kind=own")
    if not own_model:
        _complete_model(job.model, job.data, dims, job.seed)
    _complete_loss(job, dims)
    ok = teacher or job.training.w_star != "teacher"
    require(ok, "training.w_star", "teacher", f"trained or file with {job.data.kind} data")
    if job.training.path is not None:
        _complete_weights(job, cwd)
    kept = job.training.checkpoints
    require(
        job.checkpoint in (None, *(kept or ())), "checkpoint", job.checkpoint, f"one of training.checkpoints={kept}"
    )
    if job.posterior.restrict is not None and not own_model:
        _complete_restriction(job)
    for name, source in (job.evaluate or {}).items():
        _complete_source(job, name, source, cwd, dims)
    if "gibbs" in job.sampler.names:
        _check_gibbs(job)
    if "mclmc" in job.sampler.names and not own_model:
        _check_mclmc(job)
    if job.target is not None:
        job.target = str(cwd / job.target)
    return job


def files_of(job: Job) -> tuple[list[str], list[str]]:
    """Return what the id of a parsed ``job`` depends on outside ``conf/``: files, and folders of modules."""
    named = [getattr(job.data, "path", None), job.training.path]
    named += [source.get("path") for source in (job.evaluate or {}).values()]
    code = own.find(job, own.paths(job))
    return [path for path in named if path is not None] + list(code.files), list(code.folders)


def _complete_data(data: Any, cwd: Path) -> Dims | None:
    """Fill in what a file of data says; return how many inputs and outputs data have, None where that is not known."""
    if data.kind != "npz":
        return DIGITS_DIMS if data.kind == "digits" else None  # a teacher's are the model's
    data.path = str(cwd / data.path)
    file = npz.describe(Path(data.path))
    data.n_data = file.n if data.n_data is None else data.n_data
    require(2 <= data.n_data <= file.n, "data.n_data", data.n_data, f"between 2 and the file's {file.n} rows")
    data.sha256 = _digest_of("data.sha256", data.sha256, data.path, file.sha256)
    data.classes = file.classes
    return file.d_in, file.d_out


def _digest_of(key: str, given: str | None, what: str, now: str) -> str:
    require(given in (None, now), key, given, f"the digest of {what}, which is {now}")
    return now


def _digest_of_own(job: Job, paths: dict[str, str], key: str, given: str | None) -> str | None:
    if not paths:
        return None
    found = own.find(job, paths)
    return _digest_of(key, given, ", ".join(found.files), found.sha256)


def _complete_loss(job: Job, dims: Dims | None) -> None:
    """Say a loss as the likelihood that it is, so that a job which says the same otherwise is the same one."""
    data, classes = job.data, _classes(job.data)
    if job.loss == "cross_entropy":
        require(classes is not False, "loss", job.loss, f"nll or mse: the labels of data.kind={data.kind} are real")
        job.loss = "nll" if classes else job.loss
    elif job.loss == "mse":
        require(not classes, "loss", job.loss, f"nll: the labels of data.kind={data.kind} are classes")
        if classes is False:
            sigma = math.sqrt((dims or _dims_of(job.model))[1] / 2)
            unset = data.sigma in (None, sigma) or (data.kind != "teacher" and data.sigma == 1)
            require(unset, "data.sigma", data.sigma, "left out with loss=mse, which sets it")
            data.sigma, job.loss = sigma, "nll"
    if data.kind == "teacher" and data.sigma is None:
        data.sigma = data.noise_scale or 1.0


def _classes(data: Any) -> bool | None:
    """Return whether the labels are classes; None: that is not known before a function of the user's is called."""
    return {"teacher": False, "digits": True, "own": None}.get(data.kind, getattr(data, "classes", None))


def _complete_weights(job: Job, cwd: Path) -> None:
    path = cwd / str(job.training.path)
    file = weights.describe(path)
    job.training.path = str(path)
    job.training.sha256 = _digest_of("training.sha256", job.training.sha256, str(path), file.sha256)
    if job.model.kind != "own":
        weights.check(path, file.shapes, layout(job.model))


def _complete_restriction(job: Job) -> None:
    names = restrict.names(job.posterior.restrict, layout(job.model))
    job.posterior.restrict = None if len(names) == len(layout(job.model)) else names


def _sources(given: Any) -> dict[str, dict[str, Any]] | None:
    """Return what ``evaluate`` names, each as a mapping of what it is to where it is."""
    require(given is None or isinstance(given, dict), "evaluate", given, "{name: data, …}, or null")
    found = {}
    for name, source in (given or {}).items():
        require_name("evaluate", name)
        if isinstance(source, str):
            kind = "rows" if source == "test" else "path" if source.endswith(".npz") else "_target_"
            source = {kind: source}
        ok = isinstance(source, dict) and {*source, "sha256"} in (
            {"rows", "sha256"},
            {"path", "sha256"},
            {"_target_", "sha256"},
        )
        require(ok, f"evaluate.{name}", source, "test, a file.npz, or the import path of a function")
        found[name] = dict(source)
    return found or None


def _complete_source(job: Job, name: str, source: dict[str, Any], cwd: Path, dims: Dims | None) -> None:
    key, given = f"evaluate.{name}", source.get("sha256")
    if "rows" in source:
        require(source["rows"] == "test", f"{key}.rows", source["rows"], "test")
        own_rows = job.data.kind != "teacher"
        require(
            own_rows, key, "test", "an npz file or a function: data.kind=teacher has no rows beside those sampled on"
        )
        n, rows = job.data.n_data, DIGITS_ROWS if job.data.kind == "digits" else math.inf  # of a function not known yet
        rows = npz.describe(Path(job.data.path)).n if job.data.kind == "npz" else rows
        require((n or 0) < rows, key, "test", f"an npz file or a function: data.n_data={n} leaves no rows")
    elif "_target_" in source:
        source["sha256"] = _digest_of_own(job, {key: source["_target_"]}, f"{key}.sha256", given)
    else:
        path = cwd / source["path"]
        file = npz.describe(path, key)
        source |= {"path": str(path), "sha256": _digest_of(f"{key}.sha256", given, str(path), file.sha256)}
        d_in, d_out = dims or (_dims_of(job.model) if job.data.kind == "teacher" else (file.d_in, file.d_out))
        classes = _classes(job.data)
        fits = file.d_in == d_in and (file.d_out <= d_out if file.classes else file.d_out == d_out)
        fits = fits and classes in (None, file.classes)
        must = (
            f"data of {d_in} inputs and {d_out} {'classes' if classes else 'outputs'} as data.kind={job.data.kind} has"
        )
        require(fits, key, f"{path}: {file.d_in} inputs, {file.d_out} {'classes' if file.classes else 'outputs'}", must)


def _check_gibbs(job: Job) -> None:
    problem = None
    if "." in job.loss or job.loss == "cross_entropy":
        problem = f"loss={job.loss} is not of squares"
    elif job.model.kind != "dln":
        problem = f"model.kind={job.model.kind} is not one"
    elif _classes(job.data):
        problem = f"the labels of data.kind={job.data.kind} are classes"
    must = f"without gibbs: it draws from deep linear networks with real targets only; {problem}"
    require(problem is None, "sampler.names", job.sampler.names, must)
    restrict = job.posterior.restrict
    require(restrict is None, "posterior.restrict", restrict, "null with gibbs: it draws all layers")
    gamma = job.posterior.gamma
    require(gamma > 0, "posterior.gamma", gamma, "above 0 with gibbs: only γ holds directions that change no loss")


def _check_mclmc(job: Job) -> None:
    chosen = job.posterior.restrict
    moving = [shape for name, shape in layout(job.model) if chosen is None or name in chosen]
    what = "without mclmc: it needs two parameters that move, or more, here it is one"
    require(sum(map(math.prod, moving)) > 1, "sampler.names", job.sampler.names, what)


def _dims_of(model: Any) -> Dims:
    if model.kind == "mlp":
        return model.d_in, model.d_out
    return (model.widths[0], model.widths[-1]) if model.kind == "dln" else (getattr(model, "d_in", 1), 1)


def _complete_model(model: Any, data: Any, dims: tuple[int, int] | None, seed: int) -> None:
    """Fill in the model's sizes; ``dims`` are the inputs and outputs of data that bring their own."""
    if model.kind == "mlp":
        if dims is not None:
            model.d_in, model.d_out = dims
        if model.widths is not None:
            model.target_params = count_params([model.d_in, *model.widths, model.d_out], bias=True)
    elif model.kind == "dln":
        if model.widths is None:
            model.widths = draw_widths(model, seed)
            model.check_widths()
        fits = dims in (None, (model.widths[0], model.widths[-1]))
        require(fits, "model.widths", model.widths, f"from {dims} as data.kind={data.kind} has")
        model.target_params = count_params(model.widths, bias=False)
    else:
        inputs, outputs = dims or (None, 1)
        fits = not _classes(data) and outputs == 1 and (model.kind == "quadratic" or inputs in (None, 1))
        what = "one real output" + (" of one input" if model.kind == "crossing" else "")
        require(fits, "model.kind", model.kind, f"another with data.kind={data.kind}: it fits {what}")
        if model.kind == "quadratic":
            model.d_in = inputs or model.d_in
        model.target_params = model.d_in if model.kind == "quadratic" else 2


def _check_finite(section: Any, prefix: str = "") -> None:
    parts: Any = section if isinstance(section, dict | list) else vars(section)
    for key, value in enumerate(parts) if isinstance(parts, list) else parts.items():
        if is_dataclass(value) or isinstance(value, dict | list):
            _check_finite(value, f"{prefix}{key}.")
        elif isinstance(value, float):
            require_number(f"{prefix}{key}", value)
