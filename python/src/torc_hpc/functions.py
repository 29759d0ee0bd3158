"""Functions as jobs of a workflow: each gets what its upstream jobs returned, and returns what the next ones get.

What passes between them is JSON, as for any other job (``$TORC_INPUTS_FILE``, ``$TORC_RESULT_FILE``), so functions and
commands can be mixed. For values that are not JSON, or large, see ``Executor``, or pass names of files.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import cloudpickle

from torc_hpc.exchange import extend_import_path, import_path
from torc_hpc.program import Torc

__all__ = ["add_children", "function_job", "run_function"]


def function_job(
    name: str,
    function: Callable[..., Any] | str,
    *args: Any,
    code: str | None = None,
    context: Mapping[str, Any] | None = None,
    torc: Torc | None = None,
    **keys: Any,
) -> dict[str, Any]:
    """A job that calls a function, for ``Workflow.add_jobs`` and ``add_children``.

    It is called with ``args``; without any, with what its upstream jobs returned, in the order of ``depends_on`` (a
    list or tuple counts as so many values). What it returns is the result value of the job: JSON.

    Args:
        name: that of the job.
        function: the function; or its name, with its text in ``code``.
        code: text of Python that defines the function.
        context: passed as ``ctx`` if the function has a parameter of that name.
        torc: the server directory, where the pickled function is kept.
        keys: further keys of the job, such as ``depends_on`` and ``resource_requirements``.
    """
    directory = (torc if torc is not None else Torc()).directory
    folder = os.path.join(directory, "python", "functions")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    stated = pickle.dumps(code) if code is not None else cloudpickle.dumps(function)
    called = function if isinstance(function, str) else function.__name__
    content = pickle.dumps((stated, called, args, dict(context or {}), import_path()))
    path = os.path.join(folder, hashlib.sha256(content).hexdigest()[:32])
    if not os.path.exists(path):
        with open(f"{path}.{os.getpid()}", "wb") as file:
            file.write(content)
        os.rename(f"{path}.{os.getpid()}", path)
    words = [sys.executable, "-m", "torc_hpc.functions", path]
    return {"name": name, "command": shlex.join(words), **keys}


def add_children(
    jobs: Iterable[Mapping[str, Any]], *, before: Sequence[str] = (), now: bool = False, torc: Torc | None = None
) -> list[dict[str, Any]]:
    """From within a running job: adds jobs to its workflow, all or none.

    Args:
        jobs: as in a specification; see ``function_job``.
        before: names of jobs that wait for all of them; they must still be blocked.
        now: they may start at once, and do not wait for the job that adds them.

    Returns:
        The rows of ``torc -F json jobs add-children``. A job that already exists is not added twice
        (``is_new`` is False).

    Raises:
        TorcError: nothing was added.
    """
    waiting = [word for name in before for word in ("--before", name)]
    words = ["jobs", "add-children", "-", *waiting, *(["--now"] if now else [])]
    reply = (torc if torc is not None else Torc()).call(*words, given=json.dumps([dict(job) for job in jobs]))
    added: list[dict[str, Any]] = reply["jobs"]
    return added


def run_function(path: str) -> None:
    """In the job: calls the function of a file."""
    with open(path, "rb") as file:
        stated, called, args, context, folders = pickle.load(file)
    extend_import_path(folders)
    function = pickle.loads(stated)
    if isinstance(function, str):
        # as if it were typed in the main program, so that what it defines can be pickled by those it calls
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(function, called, "exec"), names)
        function = names[called]
    words = args if args else _inputs()
    named = {"ctx": context} if _has_context(function) else {}
    value = function(*words, **named)
    if value is not None:
        with open(os.environ["TORC_RESULT_FILE"], "w", encoding="utf-8") as file:
            json.dump(value, file)


def _inputs() -> list[Any]:
    path = os.environ.get("TORC_INPUTS_FILE")
    if path is None:
        return []
    with open(path, encoding="utf-8") as file:
        inputs: list[Any] = json.load(file)["args"]
    return inputs


def _has_context(function: Callable[..., Any]) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and "ctx" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


if __name__ == "__main__":
    run_function(sys.argv[1])
