"""From what Hydra composed to a checked, completed Job. Without JAX."""

from __future__ import annotations

import logging
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from llc import npz, own, weights
from llc.config import DATA, MODELS, ConfigError, Job, nearest, require, require_choice
from llc.ids import ids
from llc.widths import count_params, draw_widths, layout

SECTIONS = ("data", "model", "training", "posterior", "sampler")
GROUPS = (*SECTIONS, "sweep")
NO_PRESETS = "a saved configuration has no presets, only values to override"
SAVED_BY_HYDRA = ("config.yaml", "hydra.yaml", "overrides.yaml")
DIGITS_DIMS = (64, 10)
ARGUMENTS = ("model.args.", "data.args.")  # of a user's function: any names
FULL_KEY = re.compile(r"full_key: (\S+)")  # how OmegaConf ends its messages


def register_schema() -> None:
    """Give Hydra the schema that the files of ``conf/`` build on."""
    store = ConfigStore.instance()
    store.store(name="job_schema", node=Job)
    for group, kinds in {"data": DATA, "model": MODELS}.items():
        for name, node in kinds.items():
            store.store(group=f"{group}/kind", name=name, node=node)


def parse(config: DictConfig, cwd: Path) -> Job:
    """Return the Job that a composed configuration describes, every value checked and filled in.

    Parameters
    ----------
    config
        As composed by Hydra or loaded from a saved ``config.yaml``. Top-level keys that are not
        the schema's (``+experiment_name=x``) are left alone.
    cwd
        Where relative paths of the configuration start.

    Raises
    ------
    ConfigError
        If a value is wrong; the message names the key, the value and what it must be.
    """
    try:
        typed = config if OmegaConf.get_type(config) is Job else _with_types(config)
        values = {f.name: typed[f.name] for f in fields(Job)}
        parts: dict[str, Any] = {k: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for k, v in values.items()}
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from None
    return assemble(parts, cwd)


def assemble(parts: dict[str, Any], cwd: Path) -> Job:
    """Return the Job of these sections and values, checked and filled in; sections are changed in place."""
    job = Job(**parts)
    _check_finite(job)
    job = _complete(job, cwd)
    if job.expect_id is not None:
        now = ids(job)[0]
        require(
            job.expect_id == now, "expect_id", job.expect_id, f"{now}, which the configuration has become; plan again"
        )
    return job


def _with_types(config: DictConfig) -> DictConfig:
    """Give a configuration that was read from a file the types of the schema."""
    schema = Job()
    known = OmegaConf.create({f.name: config[f.name] for f in fields(Job) if f.name in config})
    for section in SECTIONS:
        if section in known and not OmegaConf.is_dict(known[section]):
            raise ConfigError(f"{section}={known[section]!r}: {NO_PRESETS}")
    for group, kinds in {"data": DATA, "model": MODELS}.items():
        require_choice(f"{group}.kind", OmegaConf.select(known, f"{group}.kind", default="(missing)"), kinds)
        setattr(schema, group, kinds[known[group].kind])
    return OmegaConf.merge(OmegaConf.structured(schema), known)  # type: ignore[return-value]


def explain(error: Exception) -> str:
    """Return what an error of Hydra or OmegaConf says, on one line that starts with the key."""
    if isinstance(error.__cause__, OmegaConfBaseException):
        error = error.__cause__
    text = str(error).split("Config search path")[0].strip()
    key = FULL_KEY.search(text)
    if key is None:
        return text
    message = " ".join(text[: key.start()].split())
    hint = nearest(key[1], known_keys()) if "not in" in message else ""
    return f"{key[1]}: {message}{hint}"


def _check_finite(section: Any, prefix: str = "") -> None:
    for key, value in (section if isinstance(section, dict) else vars(section)).items():
        if is_dataclass(value) or isinstance(value, dict):
            _check_finite(value, f"{prefix}{key}.")
        elif isinstance(value, float):
            require(math.isfinite(value), prefix + key, value, "finite")


def _complete(job: Job, cwd: Path) -> Job:
    """Fill in what the values imply, and check what concerns more than one section."""
    for group, kinds in {"data": DATA, "model": MODELS}.items():
        section = getattr(job, group)
        kind = next(name for name, schema in kinds.items() if type(section) is schema)
        require(section.kind == kind, f"{group}.kind", section.kind, f"{kind} here; choose a preset with {group}=…")
    data = job.data
    _complete_own(job, cwd)
    dims = {"digits": DIGITS_DIMS}.get(data.kind)  # of the data; a teacher's are the model's, own ones not known yet
    if data.kind == "npz":
        data.path = str(cwd / data.path)
        file = npz.describe(Path(data.path))
        data.n_data = file.n if data.n_data is None else data.n_data
        require(2 <= data.n_data <= file.n, "data.n_data", data.n_data, f"between 2 and the file's {file.n} rows")
        changed = data.sha256 not in (None, file.sha256)
        require(not changed, "data.sha256", data.sha256, f"the digest of {data.path}, which is {file.sha256}")
        data.sha256, data.classes = file.sha256, file.classes
        dims = (file.d_in, file.d_out)
    if job.model.kind != "own":
        _complete_model(job.model, data, dims, job.seed)
    teacher = data.kind == "teacher"
    require(
        not teacher or job.model.kind != "own", "data.kind", data.kind, "another with model.kind=own, or npz or own"
    )
    _complete_loss(job, dims)
    ok = teacher or job.training.w_star != "teacher"
    require(ok, "training.w_star", "teacher", f"trained or file with {data.kind} data")
    if job.training.path is not None:
        _complete_weights(job, cwd)
    if "gibbs" in job.sampler.names:
        _check_gibbs(job)
    if job.target is not None:
        job.target = str(cwd / job.target)
    return job


def _complete_own(job: Job, cwd: Path) -> None:
    """Find the modules that import paths name."""
    paths = own.targets(job)
    if not paths:
        job.own.folder = job.own.sha256 = None
        return
    job.own.folder = str(cwd / (job.own.folder or ""))
    found = own.find(tuple(sorted(paths.items())), own.folder(job))
    changed = job.own.sha256 not in (None, found.sha256)
    now = f"{found.sha256}, the digest of {', '.join(found.files)} as they are"
    require(not changed, "own.sha256", job.own.sha256, now)
    job.own.sha256 = found.sha256


def _complete_loss(job: Job, dims: tuple[int, int] | None) -> None:
    """Say a loss as the likelihood that it is, so that a job which says the same otherwise is the same one."""
    data, classes = job.data, _classes(job.data)
    if job.loss == "cross_entropy":
        require(classes is not False, "loss", job.loss, f"nll or mse: the labels of data.kind={data.kind} are real")
        job.loss = "nll" if classes else job.loss
    elif job.loss == "mse":
        require(not classes, "loss", job.loss, f"nll: the labels of data.kind={data.kind} are classes")
        if classes is False:
            sigma = math.sqrt((dims[1] if dims else _outputs(job.model)) / 2)
            unset = (getattr(data, "noise_scale", 0.0) or 1.0, sigma)
            require(data.sigma in unset, "data.sigma", data.sigma, "left out with loss=mse, which sets it")
            data.sigma, job.loss = sigma, "nll"


def _classes(data: Any) -> bool | None:
    """Return whether the labels are classes; None: that is not known before a function of the user's is called."""
    return {"teacher": False, "digits": True, "own": None}.get(data.kind, getattr(data, "classes", None))


def _complete_weights(job: Job, cwd: Path) -> None:
    training = job.training
    path = cwd / str(training.path)
    training.path = str(path)
    file = weights.describe(path)
    changed = training.sha256 not in (None, file.sha256)
    require(not changed, "training.sha256", training.sha256, f"the digest of {path}, which is {file.sha256}")
    training.sha256 = file.sha256
    if job.model.kind != "own":
        weights.check(path, file.shapes, layout(job.model))


def files_of(job: Job) -> list[str]:
    """Return the files outside ``conf/`` that the id of a parsed ``job`` depends on."""
    named = [getattr(job.data, "path", None), job.training.path]
    paths = own.targets(job)
    code = own.find(tuple(sorted(paths.items())), own.folder(job)).files if paths else ()
    return [path for path in named if path is not None] + list(code)


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
    gamma = job.posterior.gamma
    require(gamma > 0, "posterior.gamma", gamma, "above 0 with gibbs: only γ holds directions that change no loss")


def _outputs(model: Any) -> int:
    return model.d_out if model.kind == "mlp" else model.widths[-1] if model.kind == "dln" else 1


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


def known_keys() -> set[str]:
    """Return every key of the schema, dotted, sections and config groups included."""
    keys = set(GROUPS)

    def walk(node: Any, prefix: str) -> Iterator[str]:
        for f in fields(node):
            yield prefix + f.name
            value = getattr(node, f.name)
            if is_dataclass(value):
                yield from walk(value, f"{prefix}{f.name}.")

    keys.update(walk(Job(), ""))
    for group, kinds in {"data": DATA, "model": MODELS}.items():
        for kind in kinds.values():
            keys.update(walk(kind(), f"{group}."))
    return keys


def check_keys(overrides: Iterable[str]) -> None:
    """Raise ConfigError for an override whose key does not exist, naming the nearest that does.

    Additions (``+key=value``) and Hydra's own keys are Hydra's to judge.
    """
    known = known_keys()
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise ConfigError(f"override {error.override!r} is not Hydra's syntax: {str(error).splitlines()[0]}") from None
    for override in parsed:
        key = override.key_or_group
        free = key.split(".")[0].split("/")[0] == "hydra" or key.startswith(ARGUMENTS)
        if not (free or override.is_add() or override.is_force_add() or key in known):
            raise ConfigError(f"{override.input_line}: there is no key {key!r}{nearest(key, known)}")
        if key in SECTIONS and not override.is_delete() and not override.is_sweep_override():
            check_preset(override)


def check_preset(override: Override) -> None:
    """Raise ConfigError for a section that is set to neither a preset's name nor a mapping of values."""
    require(
        isinstance(override.value(), str | list | dict),
        override.key_or_group,
        override.value(),
        "a preset's name, or {key: value} over it",
    )


def command_line(argv: list[str]) -> list[str]:
    """Return ``argv`` as Hydra must see it, after checking the keys of its overrides.

    ``--config-dir RUN/.hydra`` asks to run a saved configuration again, but Hydra finds the
    application's own ``config`` first and would silently run the defaults: such a folder
    becomes the primary one. Only the ``hydra:`` settings of ``conf/config.yaml`` are then
    lost, so the one that matters is given again.
    """
    check_keys(arg for arg in argv if ("=" in arg and not arg.startswith("-")) or arg.startswith("~"))
    config_dir, rest = _take_option(argv, "--config-dir", "-cd")
    if config_dir is None:
        return argv
    _, rest = _take_option(rest, "--config-name", "-cn")
    folder = Path(config_dir).absolute()
    if not all((folder / name).is_file() for name in SAVED_BY_HYDRA):
        return argv
    for argument in rest:
        section, _, value = argument.lstrip("+").partition("=")
        if section in SECTIONS and not value.startswith("{"):
            raise ConfigError(f"{argument}: {NO_PRESETS}")
    return ["--config-path", str(folder), "--config-name", "config", "hydra.job.chdir=true", *rest]


def _take_option(argv: list[str], *names: str) -> tuple[str | None, list[str]]:
    """Return the value of an option, given as ``name value`` or ``name=value``, and the other arguments."""
    for i, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name in names and equals:
            return value, argv[:i] + argv[i + 1 :]
        if argument in names and i + 1 < len(argv):
            return argv[i + 1], argv[:i] + argv[i + 2 :]
    return None, argv


def before_jax(threads: int, cache: Path) -> None:
    """Set what JAX reads when it is imported: the number of threads and its compilation cache.

    XLA takes the size of its thread pool from NPROC and ignores the usual thread variables. NumPy
    is imported by now: its pool is there, and is made smaller.
    """
    from threadpoolctl import threadpool_limits

    if "jax" in sys.modules and os.environ.get("NPROC") != str(threads):
        raise ConfigError(f"threads={threads}: one process has one number of threads; run the others separately")
    for variable in ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    threadpool_limits(threads)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    logging.getLogger("jax").setLevel(logging.WARNING)  # it reports each backend that is not there
