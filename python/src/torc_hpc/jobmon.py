"""A facade for programs written for Jobmon: ``Tool``, its workflows and tasks, and ``WorkflowRunStatus``, on torc.

Change the imports, and leave the rest::

    from torc_hpc.jobmon import Tool, WorkflowRunStatus

``run`` runs the tasks on this machine. ``workflow_args`` and the name say which workflow it is: the same ones are the
same workflow, which ``run(resume=True)`` continues.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torc_hpc.program import Torc, TorcError
from torc_hpc.workflow import Workflow, WorkflowStatus

__all__ = ["JobmonWorkflow", "Task", "TaskTemplate", "Tool", "WorkflowRunStatus"]


class WorkflowRunStatus:
    """What ``run`` returns."""

    DONE = WorkflowStatus.DONE
    ERROR = WorkflowStatus.FAILED
    TIMEOUT = WorkflowStatus.TIMEOUT
    ABORTED = WorkflowStatus.CANCELED


class Task:
    """A command, and the tasks that must have succeeded before.

    Args:
        command: run by bash.
        name: unique in the workflow; by default made of its number.
        upstream_tasks: what it waits for.
        max_attempts: how often it is tried.
        compute_resources: ``cores``, ``memory`` (GiB, or a text such as ``"500m"``) and ``runtime`` (seconds, or a
            text).
        keys: further keys of a job of torc.
    """

    def __init__(
        self,
        command: str,
        name: str | None = None,
        upstream_tasks: Iterable[Task] = (),
        max_attempts: int | None = None,
        compute_resources: Mapping[str, Any] | None = None,
        **keys: Any,
    ) -> None:
        self.command = command
        self.name = name
        self.upstream_tasks = list(upstream_tasks)
        self.compute_resources = dict(compute_resources or {})
        self.keys = keys
        if max_attempts is not None:
            self.keys["max_retries"] = max_attempts - 1

    def add_upstream(self, task: Task) -> None:
        """Lets it wait for another task."""
        self.upstream_tasks.append(task)


class TaskTemplate:
    """A command with names in braces, for tasks that differ in their arguments."""

    def __init__(self, name: str, command_template: str) -> None:
        self.name = name
        self.command_template = command_template

    def create_task(
        self,
        name: str | None = None,
        upstream_tasks: Iterable[Task] = (),
        max_attempts: int | None = None,
        compute_resources: Mapping[str, Any] | None = None,
        **args: Any,
    ) -> Task:
        """A task with these arguments in the command."""
        words = "_".join(str(value) for value in args.values())
        return Task(
            self.command_template.format(**args),
            name or (f"{self.name}_{words}" if words else self.name),
            upstream_tasks,
            max_attempts,
            compute_resources,
        )


class Tool:
    """Makes workflows that say that they are of this tool.

    Args:
        name: part of the identity of its workflows.
        torc: the server directory and program; by default those of the environment.
    """

    def __init__(self, name: str, torc: Torc | None = None) -> None:
        self.name = name
        self.torc = torc

    def create_workflow(
        self,
        name: str | None = None,
        workflow_args: str = "",
        workflow_attributes: Mapping[str, Any] | None = None,
        max_concurrently_running: int | None = None,
        description: str | None = None,
        **keys: Any,
    ) -> JobmonWorkflow:
        """A workflow; nothing is stored before it runs.

        Args:
            keys: further keys of a specification of torc.
        """
        stated = {
            "args": workflow_args or None,
            "attributes": dict(workflow_attributes) if workflow_attributes else None,
            "max_concurrent_jobs": max_concurrently_running,
            "description": description,
        }
        given = {key: value for key, value in stated.items() if value is not None}
        return JobmonWorkflow(name or self.name, tool=self.name, torc=self.torc, **given, **keys)

    def get_task_template(self, template_name: str, command_template: str, **_kinds: Any) -> TaskTemplate:
        """A template; which arguments are ``node_args``, ``task_args`` or ``op_args`` makes no difference here."""
        return TaskTemplate(template_name, command_template)


class JobmonWorkflow:
    """A workflow with the methods of Jobmon; ``workflow`` is the same for torc."""

    def __init__(self, name: str, *, torc: Torc | None = None, **keys: Any) -> None:
        self.workflow = Workflow(name, torc=torc, **keys)
        self._has_identity = "args" in keys
        self._is_bound = False
        self._tasks: list[Task] = []
        self._names: dict[Task, str] = {}

    @property
    def workflow_id(self) -> str | None:
        """The key of the workflow, once it has run."""
        return self.workflow.key

    def add_tasks(self, tasks: Iterable[Task | Mapping[str, Any]]) -> None:
        """Adds tasks; a mapping has the keys of a job of torc."""
        for task in tasks:
            self.add_task(task)

    def add_task(self, task: Task | Mapping[str, Any]) -> None:
        """Adds one."""
        if isinstance(task, Task):
            self._tasks.append(task)
            self._names[task] = task.name or f"task_{len(self._names) + 1}"
        else:
            self.workflow.add_jobs([task])

    def run(
        self, resume: bool = False, fail_fast: bool = False, seconds_until_timeout: float | None = None, **options: Any
    ) -> str:
        """Runs it on this machine to the end.

        Args:
            resume: continue the workflow with these ``workflow_args`` if there is one.
            fail_fast: after the first failure start nothing more.
            seconds_until_timeout: this long after the start, start nothing more.
            options: those of ``Workflow.run``.

        Returns:
            One of the values of ``WorkflowRunStatus``.

        Raises:
            TorcError: it exists and ``resume`` was not given (``conflict``), or is done (``already_complete``).
        """
        self._add_waiting()
        if not self._is_bound or self._has_identity:
            # a further run of the same program: what is stored has its jobs
            self.workflow.key = None
            resume = resume or self._is_bound
        self._is_bound = False
        return self.workflow.run(resume=resume, fail_fast=fail_fast, timeout=seconds_until_timeout, **options)

    def bind(self) -> str:
        """Stores it without running it; returns its id."""
        self._add_waiting()
        key = self.workflow.create()
        self._is_bound = True
        return key

    def _name(self, task: Task) -> str:
        if task in self._names:
            return self._names[task]
        raise TorcError("usage", f"a task waits for '{task.command}', which was not added to the workflow", None, 2)

    def _add_waiting(self) -> None:
        for task in self._tasks:
            keys = dict(task.keys)
            if task.compute_resources:
                keys["resource_requirements"] = self.workflow.require(_requirements(task.compute_resources))
            before = [self._name(each) for each in task.upstream_tasks]
            self.workflow.add_job(self._name(task), task.command, depends_on=before, **keys)
        self._tasks = []


def _requirements(resources: Mapping[str, Any]) -> dict[str, Any]:
    memory, runtime = resources.get("memory"), resources.get("runtime")
    stated = {
        "num_cpus": resources.get("cores"),
        "memory": f"{memory}g" if isinstance(memory, (int, float)) else memory,
        "runtime": f"PT{runtime}S" if isinstance(runtime, (int, float)) else runtime,
    }
    return {name: value for name, value in stated.items() if value is not None}
