"""A facade for programs written for ColonyOS: ``Colonies``, ``func_spec`` and ``Workflow``, on torc.

Change the import and the connection, and leave the rest::

    from torc_hpc.colonies import Colonies, func_spec, Workflow

    client = Colonies()

A process graph is a workflow, a process is a job. Functions are pickled, and what they return is JSON.
``executortype`` is a label: a worker that was started with it (``torc jobs run KEY --label python-executor``, or an
allocation of a scheduler with this label) runs the function. Private keys are ignored: who may write into the server
directory may use it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torc_hpc import workflow as torc_workflows
from torc_hpc.functions import add_children, function_job
from torc_hpc.program import Torc, TorcError

__all__ = ["Colonies", "Conditions", "FunctionSpec", "Process", "ProcessGraph", "Workflow", "func_spec"]


@dataclass
class Conditions:
    """Where a function runs, and after which others."""

    executortype: str = ""
    dependencies: list[str] = field(default_factory=list)


@dataclass
class FunctionSpec:
    """A function to call."""

    func: Callable[..., Any] | str
    args: Sequence[Any] = ()
    colonyname: str = ""
    maxexectime: int = -1
    maxwaittime: int = -1
    maxretries: int = 0
    priority: int = 0
    code: str | None = None
    nodename: str = ""
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def funcname(self) -> str:
        """The name of the function, and of its process if it has no other."""
        return self.func if isinstance(self.func, str) else self.func.__name__


def func_spec(
    func: Callable[..., Any] | str,
    args: Sequence[Any] = (),
    colonyname: str = "",
    executortype: str = "",
    maxexectime: int = -1,
    maxwaittime: int = -1,
    maxretries: int = 0,
    priority: int = 0,
    code: str | None = None,
    **_more: Any,
) -> FunctionSpec:
    """A function to call, or its name with its text in ``code``. Times are seconds; -1 stands for no limit."""
    conditions = Conditions(executortype)
    return FunctionSpec(
        func, args, colonyname, maxexectime, maxwaittime, maxretries, priority, code, conditions=conditions
    )


@dataclass
class Workflow:
    """Functions that depend on each other."""

    colonyname: str = ""
    functionspecs: list[FunctionSpec] = field(default_factory=list)


@dataclass(frozen=True)
class ProcessGraph:
    """A workflow that was submitted, as it stood when it was asked for."""

    processgraphid: str
    #: One of the states of ``Colonies``.
    state: int
    processids: list[str]


@dataclass(frozen=True)
class Spec:
    """What a process runs."""

    funcname: str
    nodename: str


@dataclass(frozen=True)
class Process:
    """A job, as it stood when it was asked for."""

    processid: str
    processgraphid: str
    #: One of the states of ``Colonies``.
    state: int
    spec: Spec
    #: What it returned; a tuple comes back as a list.
    output: Any = None


class Colonies:
    """A connection.

    Args:
        ignored: host and port of a ColonyOS server.
        torc: the server directory and program; by default those of the environment.
    """

    WAITING, RUNNING, SUCCESSFUL, FAILED = 0, 1, 2, 3

    def __init__(self, *_ignored: Any, torc: Torc | None = None, **_more: Any) -> None:
        self._torc = torc if torc is not None else Torc()

    def submit_workflow(self, workflow: Workflow, _prvkey: str = "") -> ProcessGraph:
        """Stores the workflow and makes its first functions ready.

        Raises:
            TorcError: it is wrong, for example a function depends on one that there is not; nothing is stored.
        """
        name = workflow.functionspecs[0].funcname if workflow.functionspecs else "empty"
        made = torc_workflows.Workflow(name, torc=self._torc)
        for spec in workflow.functionspecs:
            made.add_jobs([self._job(spec, spec.nodename or spec.funcname, made.require)])
        key = made.create()
        made.start()
        return self.get_processgraph(key)

    def get_processgraph(self, processgraphid: str, _prvkey: str = "") -> ProcessGraph:
        """A workflow and its processes."""
        jobs = self._torc.records("jobs", "list", "-k", processgraphid)
        states = {_state(job) for job in jobs}
        done = states <= {self.SUCCESSFUL}
        running = {self.RUNNING, self.SUCCESSFUL} & states
        failed = self.FAILED in states
        state = self.FAILED if failed else self.SUCCESSFUL if done else self.RUNNING if running else self.WAITING
        return ProcessGraph(processgraphid, state, [job["job_key"] for job in jobs])

    def get_process(self, processid: str, _prvkey: str = "") -> Process:
        """A process, and what it returned."""
        job = self._torc.call("jobs", "show", processid)["job"]
        output = None
        if _state(job) == self.SUCCESSFUL:
            filters = ["-f", f"job_key={processid}"]
            rows = self._torc.records("results", "list", "-k", job["workflow_key"], "--latest-only", *filters)
            output = rows[0]["result"] if rows else None
        spec = Spec(job["name"], job["name"])
        return Process(processid, job["workflow_key"], _state(job), spec, output)

    def find_process(self, nodename: str, processids: Iterable[str], _prvkey: str = "") -> Process:
        """The process of that name among these.

        Raises:
            TorcError: there is none (``not_found``).
        """
        for processid in processids:
            process = self.get_process(processid)
            if process.spec.nodename == nodename:
                return process
        raise TorcError("not_found", f"none of the processes is named '{nodename}'", None, 3)

    def add_child(
        self,
        processgraphid: str,
        _parentprocessid: str,
        childprocessid: str,
        spec: FunctionSpec,
        nodename: str,
        _insert: bool = True,
        _prvkey: str = "",
    ) -> Process:
        """From within a function: adds a process that waits for this one, and that the child waits for.

        ``insert`` makes no difference: every process that is added runs between this one and the child.
        """
        child = self._torc.call("jobs", "show", childprocessid)["job"]["name"]
        job = self._job(spec, nodename, None)
        [added] = add_children([job], before=[child], torc=self._torc)
        return Process(added["job_key"], processgraphid, self.WAITING, Spec(spec.funcname, nodename))

    def _job(self, spec: FunctionSpec, name: str, require: Callable[[Mapping[str, Any]], str] | None) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        if spec.conditions.dependencies:
            keys["depends_on"] = list(spec.conditions.dependencies)
        if spec.conditions.executortype:
            keys["labels"] = [spec.conditions.executortype]
        if spec.maxexectime > 0 and require is not None:
            keys["resource_requirements"] = require({"runtime": f"PT{spec.maxexectime}S"})
        if spec.maxwaittime > 0:
            keys["max_wait"] = f"{spec.maxwaittime}s"
        if spec.maxretries > 0:
            keys["max_retries"] = spec.maxretries
        if spec.priority != 0:
            keys["priority"] = spec.priority
        run = _WithContext(spec.func) if callable(spec.func) else spec.func
        context = {"colonyname": spec.colonyname}
        return function_job(name, run, *spec.args, code=spec.code, context=context, torc=self._torc, **keys)


class _WithContext:
    """A function, called with the process that runs it in ``ctx``."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = function.__name__
        self.__code__ = function.__code__

    def __call__(self, *args: Any, ctx: Mapping[str, Any] | None = None) -> Any:
        key, graph = os.environ["TORC_JOB_KEY"], os.environ["TORC_WORKFLOW_KEY"]
        name = os.environ["TORC_JOB_NAME"]
        process = Process(key, graph, Colonies.RUNNING, Spec(self.__name__, name))
        if ctx is None:
            return self.function(*args)
        return self.function(*args, ctx={**ctx, "process": process, "executor_prvkey": ""})


def _state(job: Mapping[str, Any]) -> int:
    if job["status"] == "done":
        return Colonies.SUCCESSFUL if job["return_code"] == 0 else Colonies.FAILED
    if job["status"] in ("canceled", "terminated", "disabled"):
        return Colonies.FAILED
    return Colonies.RUNNING if job["status"].startswith("submitted") else Colonies.WAITING
