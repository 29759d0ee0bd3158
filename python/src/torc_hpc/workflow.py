"""Workflows: the words of a specification, built in Python, and run on this machine or on Slurm."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from torc_hpc.program import Said, Torc, TorcError, error_of
from torc_hpc.progress import Progress, jobs_text, status_html, status_text, visible
from torc_hpc.records import Records

__all__ = ["Job", "Workflow", "WorkflowStatus"]

_SHOWN_SECONDS = 2.0
_FAILED, _CONFLICT, _TIMEOUT = 1, 4, 8


class WorkflowStatus:
    """How a workflow stands, in the words of ``torc status``."""

    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    RUNNING = "running"
    READY = "ready"
    PAUSED = "paused"
    UNINITIALIZED = "uninitialized"


class Job:
    """A job of a workflow that is being built: what others name in ``depends_on``."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self.keys = keys

    @property
    def name(self) -> str:
        """Its name, unique in its workflow."""
        return str(self.keys["name"])

    def __repr__(self) -> str:
        return f"<Job {self.name}>"


Named = Union[str, Job]


class Workflow:
    """A workflow.

    Args:
        name: its name.
        torc: the server directory and program; by default those of the environment.
        keys: further keys of a specification, as ``torc workflows schema`` has them: ``resource_requirements``,
            ``slurm_schedulers``, ``failure_handlers``, ``max_concurrent_jobs``, ``args`` ..

    Example::

        workflow = Workflow("sweep", resource_requirements=[{"name": "small", "num_cpus": 1, "memory": "1g"}])
        fits = [workflow.add_job(f"fit_{n}", f"./fit {n}", resource_requirements="small") for n in range(100)]
        workflow.add_job("report", "./report", depends_on=fits)
        workflow.run()
        workflow.results().to_frame()
    """

    def __init__(self, name: str | None = None, *, torc: Torc | None = None, **keys: Any) -> None:
        self.torc = torc if torc is not None else Torc()
        self._spec: dict[str, Any] = {**keys} if name is None else {"name": name, **keys}
        self._jobs: list[Job] = []
        #: Its key, once it is stored.
        self.key: str | None = None

    @classmethod
    def open(cls, key: str | int, *, torc: Torc | None = None) -> Workflow:
        """A stored workflow.

        Args:
            key: its key, its name, or ``last``.

        Raises:
            TorcError: there is none (``not_found``).
        """
        workflow = cls(torc=torc)
        shown = workflow.torc.call("workflows", "show", str(key))
        workflow.key = str(shown["workflow_key"])
        workflow._spec["name"] = shown["name"]
        return workflow

    # building

    def add_job(self, name: str, command: str, *, depends_on: Iterable[Named] = (), **keys: Any) -> Job:
        """Adds a job before the workflow is stored.

        Args:
            name: unique in the workflow.
            command: run by bash.
            depends_on: jobs that must have succeeded before, or their names.
            keys: further keys of a job, such as ``resource_requirements``, ``max_retries``, ``labels``, ``priority``.
        """
        stated: dict[str, Any] = {"name": name, "command": command, **keys}
        names = [each if isinstance(each, str) else each.name for each in depends_on]
        if names:
            stated["depends_on"] = names
        job = Job(stated)
        self._jobs.append(job)
        return job

    def add_jobs(self, jobs: Iterable[Mapping[str, Any]]) -> list[Job]:
        """Adds several, each a mapping with at least ``name`` and ``command``."""
        return [self.add_job(**each) for each in jobs]

    def require(self, requirements: Mapping[str, Any]) -> str:
        """Adds resource requirements without a name, once; returns the name that they get.

        Args:
            requirements: such as ``{"num_cpus": 2, "memory": "4g", "runtime": "PT1H"}``; one cpu unless it says
                otherwise.
        """
        requirements = {"num_cpus": 1, **requirements}
        stated: list[dict[str, Any]] = self._spec.setdefault("resource_requirements", [])
        for each in stated:
            if {key: value for key, value in each.items() if key != "name"} == requirements:
                return str(each["name"])
        name = f"requirements_{len(stated) + 1}"
        stated.append({"name": name, **requirements})
        return name

    def specification(self) -> dict[str, Any]:
        """What is stored: a specification, as ``torc create`` reads it from JSON."""
        return {**self._spec, "jobs": [job.keys for job in self._jobs]}

    # storing and running

    def create(self) -> str:
        """Checks everything and stores it; nothing runs.

        Returns:
            The key.

        Raises:
            TorcError: the specification is wrong (``usage``), and says where; nothing is stored.
        """
        self._must_be_new()
        reply = self.torc.call("create", "-", given=self._text())
        return self._stored(reply)

    def start(self) -> None:
        """Makes the jobs of a stored workflow ready for workers."""
        self.torc.call("start", self._known())

    def run(
        self,
        *,
        resume: bool = False,
        fail_fast: bool = False,
        timeout: float | None = None,
        max_parallel_jobs: int | None = None,
        output: str | None = None,
        options: Sequence[str] = (),
    ) -> str:
        """Stores and starts it if it is new, and runs its jobs on this machine to the end.

        Args:
            resume: continue the workflow with the same ``args`` if there is one: only what has not succeeded runs
                again.
            fail_fast: after the first failure, start nothing more.
            timeout: this many seconds after the start, start nothing more; what runs then is finished. Both are for a
                new workflow.
            max_parallel_jobs: at most this many at a time.
            output: where logs go; by default ``torc_output`` in the working directory.
            options: further options of ``torc run``, such as ``["--keep-running"]``.

        Returns:
            One of the values of ``WorkflowStatus``. A failed job is no error: see ``failures``.

        Raises:
            TorcError: the specification is wrong (``usage``), or a workflow with these ``args`` exists
                (``conflict``, ``already_complete``), or its run has ended and not all of it has succeeded
                (``conflict``).
        """
        words = [*_option("--max-parallel-jobs", max_parallel_jobs), *_option("--output", output), *options]
        if self.key is None:
            words += [*_flag("--resume", resume), *_flag("--fail-fast", fail_fast), *_seconds("--timeout", timeout)]
            reply = self._to_the_end("run", "-", *words, given=self._text())
        else:
            if fail_fast or timeout is not None:
                message = f"workflow {self.key} is stored already; fail_fast and timeout are for a new one"
                raise TorcError("usage", message, "State them as keys: Workflow(.., fail_fast=True, timeout='PT2H')", 2)
            if resume:
                self.torc.call("workflows", "resume", self.key)
            else:
                self._begin(self.status())
            reply = self._to_the_end("jobs", "run", self.key, *words)
        self._stored(reply)
        return str(reply["status"])

    def submit(
        self,
        *,
        allocations: int | None = None,
        autoscale: int | None = None,
        recover: bool = False,
        options: Sequence[str] = (),
    ) -> str:
        """Stores and starts it, and submits allocations to Slurm.

        Args:
            allocations: how many; by default 1.
            autoscale: instead, let the server ask for nodes while jobs wait: at most this many at a time.
            recover: let the server recover the workflow when a run fails.
            options: further options of ``torc submit``, such as ``["--partition", "short"]``.

        Returns:
            The key.
        """
        self._must_be_new()
        scaled = [] if autoscale is None else ["--autoscale", "--max", str(autoscale)]
        words = [*_option("--allocations", allocations), *scaled, *_flag("--recover", recover), "--yes", *options]
        return self._stored(self.torc.call("submit", "-", *words, given=self._text()))

    def wait(self, *, timeout: float | None = None, progress: bool | None = None) -> str:
        """Waits until its run has ended.

        Args:
            timeout: wait no longer than this many seconds.
            progress: whether to show how far it is; by default on a terminal and in a notebook.

        Returns:
            One of the values of ``WorkflowStatus``.

        Raises:
            TimeoutError: the time was over; the workflow goes on.
            TorcError: nothing runs in it (``conflict``).
        """
        shown = Progress(progress)
        # waits for changes without asking again and again; notes what the workflow lacks
        child = subprocess.Popen(
            self.torc.words("wait", self._known(), *_seconds("--timeout", timeout)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert child.stderr is not None
        said = Said(child.stderr)
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_SHOWN_SECONDS if shown.is_shown else None)
                line = self.status() if shown.is_shown or child.returncode is not None else None
                if line is not None:
                    shown.show(line)
                if child.returncode is None:
                    continue
                if line is not None and line["has_ended"]:
                    return str(line["status"])
                if child.returncode == _TIMEOUT:
                    raise TimeoutError(f"workflow {self.key} has not ended after {timeout} s")
                raise error_of(said.error(), child.returncode)
        finally:
            shown.close()
            child.terminate()
            child.wait()
            said.error()

    # looking

    def status(self) -> dict[str, Any]:
        """How it stands: the line of ``torc -F json status KEY``, jobs counted by status, failures grouped by cause."""
        line: dict[str, Any] = self.torc.call("status", self._known())
        return line

    def jobs(self, *filters: str) -> Records:
        """Its jobs: the rows of ``torc -F json jobs list``.

        Args:
            filters: such as ``"status=ready"`` or ``"name=fit_*"``; all of them must match.
        """
        return Records(self.torc.records("jobs", "list", "-k", self._known(), *_filters(filters)))

    def results(self, *filters: str, latest_only: bool = True) -> Records:
        """What ended: the rows of ``torc -F json results list``.

        Args:
            latest_only: of each job only the newest.
        """
        words = ["results", "list", "-k", self._known(), *_flag("--latest-only", latest_only), *_filters(filters)]
        return Records(self.torc.records(*words))

    def events(self, *filters: str) -> Records:
        """What has happened: the rows of ``torc -F json events list``."""
        return Records(self.torc.records("events", "list", "-k", self._known(), *_filters(filters)))

    def failures(self) -> Records:
        """The newest results of the jobs that failed."""
        return Records(row for row in self.results() if row["return_code"] != 0)

    def result(self, job: Named) -> Any:
        """The result value of a job: the JSON that it wrote to ``$TORC_RESULT_FILE``.

        Raises:
            KeyError: it has not ended.
        """
        name = job if isinstance(job, str) else job.name
        for row in self.results(f"job_name={_pattern(name)}"):
            if row["job_name"] == name:
                return row["result"]
        raise KeyError(name)

    def why(self, job: Named) -> list[str]:
        """Why a job waits or failed, in sentences."""
        name = job if isinstance(job, str) else job.name
        key = next((row["job_key"] for row in self.jobs(f"name={_pattern(name)}") if row["name"] == name), None)
        if key is None:
            raise KeyError(name)
        return [reason["text"] for reason in self.torc.call("why", key)["reasons"]]

    # changing

    def cancel(self) -> None:
        """Ends it: what runs is stopped, what waits does not start."""
        self.torc.call("cancel", self._known())

    def rerun_failed(self, *, dry_run: bool = False) -> dict[str, Any]:
        """Runs again what has failed or was lost.

        Args:
            dry_run: only return the plan; nothing changes.

        Returns:
            The plan, or what was done.
        """
        plan: dict[str, Any] = self.torc.call("rerun-failed", self._known(), *_flag("--dry-run", dry_run))
        return plan

    def __repr__(self) -> str:
        name = self._spec.get("name", "")
        if self.key is None:
            return f"<Workflow {visible(name)}, {jobs_text(len(self._jobs))}>"
        return f"<{status_text(self.status())}>"

    def _repr_html_(self) -> str:
        if self.key is None:
            return f"<div>{jobs_text(len(self._jobs))}, not stored yet</div>"
        return status_html(self.status())

    def _text(self) -> str:
        return json.dumps(self.specification())

    def _stored(self, reply: Mapping[str, Any]) -> str:
        key = str(reply["workflow_key"])
        self.key = key
        return key

    def _known(self) -> str:
        if self.key is None:
            raise TorcError("usage", "this workflow is not stored yet", "Call create, run or submit first.", 2)
        return self.key

    def _begin(self, page: Mapping[str, Any]) -> None:
        status = page["status"]
        if status == WorkflowStatus.UNINITIALIZED:
            self.start()
        elif page["has_ended"] and status != WorkflowStatus.DONE:
            message = f"the run of workflow {self.key} has ended ({status}), so there is nothing to run"
            raise TorcError("conflict", message, "run(resume=True) runs again what has not succeeded.", _CONFLICT)

    def _must_be_new(self) -> None:
        if self.key is not None:
            raise TorcError("conflict", f"this workflow is stored already, with the key {self.key}", None, _CONFLICT)

    def _to_the_end(self, *words: str, given: str | None = None) -> dict[str, Any]:
        """Runs a command that ends with the workflow; Ctrl-C stops its jobs in order."""
        child = subprocess.Popen(
            self.torc.words(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = child.communicate(given or "")
        except BaseException:
            child.send_signal(signal.SIGINT)
            child.communicate()
            raise
        if child.returncode not in (0, _FAILED, _TIMEOUT) or not stdout.strip():
            raise error_of(stderr, child.returncode)
        reply: dict[str, Any] = json.loads(stdout)
        return reply


def _option(name: str, value: object | None) -> list[str]:
    return [] if value is None else [name, str(value)]


def _flag(name: str, is_set: bool) -> list[str]:
    return [name] if is_set else []


def _seconds(name: str, seconds: float | None) -> list[str]:
    return [] if seconds is None else [name, f"{seconds}s"]


def _filters(filters: Iterable[str]) -> list[str]:
    return [word for each in filters for word in ("-f", each)]


def _pattern(name: str) -> str:
    """A pattern that matches this name, and perhaps others."""
    return name.replace("[", "?")
