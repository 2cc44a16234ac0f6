"""Edits of a project, each undone at the end of its block."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

from projects import Project

BASE = {"sampler__names": "[sgld],[nuts]", "seed": "0,1"}
BODY = """\
# @package _global_
defaults:
  - override /training: truth
sampler:
  sgld: {step_size: 1e-4, warmup: 20, draws: 40, thin: 2, chains: 2}
  nuts: {warmup: 10, draws: 10, chains: 2, max_tree_depth: 3}
hydra:
  sweeper:
    params:
"""


def write_sweep(project: Project, name: str = "base", body: str = BODY, **params: str) -> None:
    lines = "".join(f"      {key.replace('__', '.')}: '{value}'\n" for key, value in params.items())
    (project.folder / f"conf/sweep/{name}.yaml").write_text(body + lines)


Edit = Callable[[Project], AbstractContextManager[object]]


def sweep(body: str = BODY, **params: str) -> Edit:
    @contextmanager
    def edit(project: Project) -> Iterator[None]:
        write_sweep(project, body=body, **params)
        yield
        write_sweep(project, **BASE)

    return edit


def file(path: str, old: str, new: str) -> Edit:
    return lambda project: project.edited(path, old, new)


def aged(path: str, old: str, new: str) -> Edit:
    """Edit a file, and give it an old time, as rsync and git may."""

    @contextmanager
    def edit(project: Project) -> Iterator[None]:
        with project.edited(path, old, new) as edited:
            os.utime(edited, (1e9, 1e9))
            yield

    return edit


def new_file(path: str, text: str) -> Edit:
    @contextmanager
    def edit(project: Project) -> Iterator[None]:
        (project.folder / path).write_text(text)
        yield
        (project.folder / path).unlink()

    return edit


def nth(project: Project, pattern: str, n: int) -> Path:
    return sorted(project.folder.glob(pattern))[n]


def without(pattern: str, n: int = 0) -> Edit:
    """Take a file or folder away, the n-th of its pattern."""

    @contextmanager
    def edit(project: Project) -> Iterator[None]:
        path = nth(project, pattern, n)
        aside = project.folder / f"aside-{path.name}"
        path.rename(aside)
        yield
        if path.is_dir():
            shutil.rmtree(path)
        aside.replace(path)

    return edit


def half(pattern: str, n: int = 0) -> Edit:
    """Cut a file short, and leave its time as it was."""

    @contextmanager
    def edit(project: Project) -> Iterator[None]:
        path = nth(project, pattern, n)
        before, stat = path.read_bytes(), path.stat()
        for content in (before[: len(before) // 2], before):
            path.write_bytes(content)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            if content != before:
                yield

    return edit


def touched(*patterns: str) -> Edit:
    def edit(project: Project) -> AbstractContextManager[object]:
        for pattern in patterns:
            for path in project.folder.glob(pattern):
                os.utime(path)
        return nullcontext()

    return edit


@contextmanager
def made_again(project: Project) -> Iterator[None]:
    """Replace a run by one that found something else, and that is older, as of a restored backup."""
    run = nth(project, "results/runs/*", 0)
    aside = shutil.copytree(run, project.folder / "aside")
    metrics, info = run / "metrics_summary.csv", run / "run_info.json"
    new = metrics.read_bytes().replace(b"0", b"1")
    metrics.write_bytes(new)
    about = json.loads(info.read_text())
    about["files"]["metrics_summary.csv"]["sha256"] = hashlib.sha256(new).hexdigest()
    info.write_text(json.dumps(about))
    os.utime(metrics, (1e9, 1e9))
    yield
    shutil.rmtree(run)
    aside.rename(run)


def posterior(new: str) -> Edit:
    return file("llc/posterior.py", "import math\n", f"import math\n{new}\n")


def together(*edits: Edit) -> Edit:
    """Make edits that know nothing of each other at the same time: a plan takes two seconds."""

    @contextmanager
    def edit(project: Project) -> Iterator[None]:
        with ExitStack() as stack:
            for one in edits:
                stack.enter_context(one(project))
            yield

    return edit
