"""torc from Python: workflows, and functions that run as jobs, on this machine and in Slurm allocations.

``Workflow`` builds, submits and watches workflows in the words of a specification. ``task``, ``map`` and ``Executor``
run functions as jobs, with the meaning of ``concurrent.futures``. ``torc_hpc.jobmon`` and ``torc_hpc.colonies`` are
facades: they let programs for Jobmon and ColonyOS run on torc.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from torc_hpc.executor import Executor, JobFailed, Task, map, task
    from torc_hpc.functions import add_children, function_job
    from torc_hpc.program import Torc, TorcError
    from torc_hpc.records import Records
    from torc_hpc.workflow import Job, Workflow, WorkflowStatus

__version__ = "0.1.0"

_ORIGINS = {
    "Executor": "executor",
    "Job": "workflow",
    "JobFailed": "executor",
    "Records": "records",
    "Task": "executor",
    "Torc": "program",
    "TorcError": "program",
    "Workflow": "workflow",
    "WorkflowStatus": "workflow",
    "add_children": "functions",
    "function_job": "functions",
    "map": "executor",
    "task": "executor",
}

__all__ = [
    "Executor",
    "Job",
    "JobFailed",
    "Records",
    "Task",
    "Torc",
    "TorcError",
    "Workflow",
    "WorkflowStatus",
    "add_children",
    "function_job",
    "map",
    "task",
]


def __getattr__(name: str) -> Any:
    # a job that runs one call loads only what it needs
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_ORIGINS[name]}"), name)
