"""Functions as jobs: an executor with the methods of ``concurrent.futures``, whose calls run as torc jobs."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from torc_hpc.exchange import Calls, Results, import_path
from torc_hpc.program import Torc, TorcError, error_of, pieces_until, rows_of
from torc_hpc.progress import Progress

__all__ = ["Executor", "JobFailed", "Task", "map", "task"]

T = TypeVar("T")
_COLLECT_SECONDS = 0.02
_MOST_COLLECT_SECONDS = 2
_DROP_SECONDS = 0.02
_MOST_LOSSES = 3
_SILENCE_SECONDS = 30
_KEYS_OF_A_COMMAND = 1000
_CONFLICT = 4
_CANCELED = ("canceled", "terminated", "disabled")
#: Jobs that cannot be canceled any more.
_OVER = ("done", "terminated", "disabled")


class JobFailed(Exception):
    """A job ended without a result: it was killed, or ran out of memory or time, or its node died too often.

    Attributes:
        job_key: that of the job, for ``torc jobs show``.
        cause: why, as a word: ``oom``, ``job_timeout``, ``signal`` ..
        return_code: that of the job; 137 after it was killed.
    """

    def __init__(self, job_key: str, cause: str, return_code: int | None) -> None:
        # a process may end with 0 in the middle of a call, as by os._exit(0)
        said = "ended without a result" if cause == "success" else f"failed ({cause}, return code {return_code})"
        super().__init__(f"job {job_key} {said}")
        self.job_key = job_key
        self.cause = cause
        self.return_code = return_code

    def __reduce__(self) -> tuple[Any, ...]:
        return (JobFailed, (self.job_key, self.cause, self.return_code))


class Task(Generic[T]):
    """A function, and what its jobs need. Called, it runs here and now, as if it were not a task."""

    def __init__(self, function: Callable[..., T], requirements: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.requirements = dict(requirements)
        self.keys = dict(keys)

    def __call__(self, *args: Any, **kwargs: Any) -> T:
        return self.function(*args, **kwargs)

    def map(self, *iterables: Iterable[Any], **options: Any) -> list[T]:
        """Runs it for each item, as jobs. ``options`` are those of ``Executor``."""
        return map(self, *iterables, **options)


def task(
    function: Callable[..., T] | None = None,
    *,
    cpus: int | None = None,
    memory: str | None = None,
    runtime: str | None = None,
    gpus: int | None = None,
    **keys: Any,
) -> Any:
    """Makes a task of a function, as ``@task`` or ``@task(memory="4g")``.

    Args:
        cpus: how many a job has.
        memory: such as ``"4g"``; a job that uses more is stopped.
        runtime: such as ``"PT2H"``; a job that takes longer is stopped.
        gpus: how many a job has.
        keys: further keys of a job, such as ``max_retries``, ``labels``, ``priority``.
    """
    stated = {"num_cpus": cpus, "memory": memory, "runtime": runtime, "num_gpus": gpus}
    requirements = {name: value for name, value in stated.items() if value is not None}
    if function is not None:
        return Task(function, requirements, keys)
    return lambda given: Task(given, requirements, keys)


def map(
    function: Callable[..., T],
    *iterables: Iterable[Any],
    timeout: float | None = None,
    progress: bool | None = None,
    **options: Any,
) -> list[T]:
    """What ``function`` returns for each item, in their order; the calls run as jobs.

    Args:
        timeout: seconds for all of them.
        progress: whether to show how far it is; by default on a terminal and in a notebook.
        options: those of ``Executor``.

    Raises:
        Exception: what the function raised first, with the traceback of the job as its cause.
    """
    until = None if timeout is None else time.monotonic() + timeout
    shown = Progress(progress)
    with Executor(**options) as pool:
        items = list(zip(*iterables))
        with pool._mapping():
            futures = [pool.submit(function, *words) for words in items]
        try:
            if shown.is_shown:
                _show(shown, pool, futures, until)
            return [future.result(None if until is None else max(0, until - time.monotonic())) for future in futures]
        finally:
            for future in futures:
                future.cancel()


class Executor(concurrent.futures.Executor):
    """Runs calls as torc jobs, on this machine or in Slurm allocations.

    Calls that are submitted together are one workflow. Functions and arguments are pickled (with cloudpickle, so that
    functions of the main program and lambdas work), results come back in files.

    Args:
        name: of the workflows; by default that of the first function.
        torc: the server directory and program; by default those of the environment.
        max_workers: on this machine, at most this many calls at a time; by default as many as its cpus take.
        slurm: keys of a Slurm scheduler, such as ``{"account": "abc", "walltime": "01:00:00"}``: the calls run in
            allocations instead of here.
        allocations: how many allocations a workflow gets.
        cpus, memory, runtime, gpus: what each call needs, unless it is of a task that says so.
        output: where logs go; by default below the server directory.
        python: the interpreter of the jobs; by default this one.
        keep: whether the files of the exchange stay; by default they are removed by ``shutdown`` if nothing failed.
        warm: whether each worker starts one Python that forks itself for each call, which is faster; or the names of
            modules that it imports once. What they draw or open as they are imported is then the same for all calls.
        keys: further keys of each job.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        torc: Torc | None = None,
        max_workers: int | None = None,
        slurm: Mapping[str, Any] | None = None,
        allocations: int = 1,
        cpus: int | None = None,
        memory: str | None = None,
        runtime: str | None = None,
        gpus: int | None = None,
        output: str | None = None,
        python: str | None = None,
        keep: bool = False,
        warm: bool | Sequence[str] = True,
        **keys: Any,
    ) -> None:
        self.torc = torc if torc is not None else Torc()
        self.name = name
        self._max_workers = max_workers
        self._slurm = None if slurm is None else dict(slurm)
        self._allocations = allocations
        defaults = task(_nothing, cpus=cpus, memory=memory, runtime=runtime, gpus=gpus, **keys)
        self._requirements: dict[str, Any] = defaults.requirements
        self._keys: dict[str, Any] = defaults.keys
        self._output = output or os.path.join(self.torc.directory, "python", "output")
        self._python = python or sys.executable
        self._keep = keep
        self._warm = None if warm is False else _fork_server(self._python, () if warm is True else warm)
        self._batches: list[_Batch] = []
        #: The batch that further calls are added to, except those of a ``map``.
        self._collecting: _Batch | None = None
        #: Notified when what decides where a call is added changes.
        self._changed = threading.Condition()
        #: The batch of each thread's ``map``.
        self._mapped = _Mapped()
        self._is_shut = False
        #: One workflow at a time is made; what is submitted meanwhile is collected for the next one.
        self._making = threading.Lock()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        """Runs ``fn(*args, **kwargs)`` as a job. Calls that follow at once are of the same workflow."""
        call = _Call(fn, args, kwargs)
        with self._changed:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            batch = self._batch()
            batch.newest = time.monotonic()
            batch.calls.append(call)
        return call.future

    def _batch(self) -> _Batch:
        """That of a call of this thread."""
        mapped = self._mapped
        batch = mapped.batch if mapped.is_mapping else self._collecting
        if batch is not None:
            return batch
        # calls that were submitted just before come with those of a map
        batch = self._collecting or self._open()
        if mapped.is_mapping:
            batch.is_mapped = True
            mapped.batch, self._collecting = batch, None
            self._changed.notify_all()
        else:
            self._collecting = batch
        return batch

    def _open(self) -> _Batch:
        batch = _Batch(self)
        # before the program may end: no thread starts after that
        batch.thread.start()
        self._batches.append(batch)
        return batch

    def _close(self, batch: _Batch | None) -> None:
        if batch is not None:
            batch.is_open = batch.is_mapped = False
        if self._collecting is batch:
            self._collecting = None
        self._changed.notify_all()

    def _wait_for_map(self, batch: _Batch) -> None:
        """Returns when the thread that maps has submitted its calls; other workflows are made meanwhile."""
        with self._changed:
            while batch.is_mapped:
                self._changed.wait()

    def _collect(self, batch: _Batch) -> bool:
        """True when no more calls come to this batch: nothing has followed at once, or it was flushed. False once a
        thread maps into it, which may wait for other workflows.
        """
        with self._changed:
            while batch.is_open and not batch.is_mapped:
                left = min(batch.newest + _COLLECT_SECONDS, batch.oldest + _MOST_COLLECT_SECONDS) - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                else:
                    self._close(batch)
            return not batch.is_mapped

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        **more: Any,
    ) -> Iterator[T]:
        """As ``concurrent.futures.Executor.map``; all calls are one workflow. ``chunksize`` is not needed."""
        with self._mapping():
            return super().map(fn, *iterables, timeout=timeout)

    @contextlib.contextmanager
    def _mapping(self) -> Iterator[None]:
        """Calls that this thread submits meanwhile are one workflow, which starts at the end."""
        mapped = self._mapped
        outer = mapped.is_mapping, mapped.batch
        mapped.is_mapping, mapped.batch = True, None
        try:
            yield
        finally:
            batch = mapped.batch
            mapped.is_mapping, mapped.batch = outer
            with self._changed:
                self._close(batch)

    def flush(self) -> None:
        """Starts the calls that are collected now, without waiting for more."""
        with self._changed:
            self._close(self._collecting)

    @property
    def workflow_keys(self) -> list[str]:
        """The workflows that were made so far."""
        return [batch.key for batch in self._batches if batch.key is not None]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As ``concurrent.futures.Executor.shutdown``; ``cancel_futures`` stops running calls too."""
        with self._changed:
            self._is_shut = True
            batches = list(self._batches)
        self.flush()
        if cancel_futures:
            for batch in batches:
                batch.cancel()
        if wait:
            for batch in batches:
                batch.thread.join()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        # nobody waits for what was interrupted
        self.shutdown(wait=True, cancel_futures=exc_type is not None and not issubclass(exc_type, Exception))

    def _specification(self, calls: Sequence[_Call], folder: str) -> dict[str, Any]:
        """The workflow of these calls, whose functions and arguments are in ``folder``."""
        names: dict[str, str] = {}
        jobs: list[dict[str, Any]] = []
        first = 0
        for _, group in itertools.groupby(calls, lambda call: id(call.function)):
            alike = list(group)
            last = first + len(alike) - 1
            job = self._job(alike[0].function, folder, names)
            # one job for all of them is read much faster; braces of its own would count as parameters
            if last > first and not any(each in json.dumps(value) for value in job.values() for each in "{}"):
                jobs.append({**_numbered(job, "{call}"), "parameters": {"call": f"{first}:{last}"}})
            else:
                jobs.extend(_numbered(job, str(number)) for number in range(first, last + 1))
            first = last + 1
        stated = [{"name": name, "num_cpus": 1, **json.loads(text)} for text, name in names.items()]
        # one file for each worker: to make some for each call takes longer than short calls do
        spec: dict[str, Any] = {"name": self.name or _name_of(calls[0].function), "stdio": "combined", "jobs": jobs}
        if stated:
            spec["resource_requirements"] = stated
        if self._slurm is not None:
            spec["slurm_schedulers"] = [{"name": "calls", **self._slurm}]
        return spec

    def _job(self, function: Callable[..., Any] | Task[Any], folder: str, names: dict[str, str]) -> dict[str, Any]:
        """That of each call of a function, without its number. ``names``: of all requirements."""
        own = function if isinstance(function, Task) else None
        requirements = json.dumps({**self._requirements, **(own.requirements if own is not None else {})})
        words = [self._python, "-m", "torc_hpc.call", folder]
        job = {"name": _name_of(function), "command": shlex.join(words), **self._keys}
        job.update(own.keys if own is not None else {})
        if requirements != "{}":
            job["resource_requirements"] = names.setdefault(requirements, f"calls_{len(names) + 1}")
        if self._warm is not None:
            job.setdefault("warm", self._warm)
        if self._slurm is not None:
            job["scheduler"] = "calls"
        return job

    def _launch(self, spec: Mapping[str, Any]) -> tuple[dict[str, Any], subprocess.Popen[str] | None]:
        """Stores and starts a workflow. Returns what torc said, and the worker on this machine, if it runs here."""
        try:
            made = self._make(spec)
        except TorcError as error:
            if 'unknown key "warm"' not in error.message:
                raise
            # an older torc starts a Python for each call
            self._warm = None
            jobs = [{name: value for name, value in job.items() if name != "warm"} for job in spec["jobs"]]
            made = self._make({**spec, "jobs": jobs})
        return made, None if self._slurm is not None else self._work(str(made["workflow_key"]))

    def _make(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        given = json.dumps(spec)
        made: dict[str, Any]
        if self._slurm is not None:
            words = ["submit", "-", "--allocations", str(self._allocations), "--output", self._output, "--yes"]
            made = self.torc.call(*words, given=given)
            return made
        try:
            made = self.torc.call("create", "-", "--start", given=given)
        except TorcError as error:
            if error.code != "usage" or "--start" not in error.message:
                raise
            # an older torc takes two commands
            made = self.torc.call("create", "-", given=given)
            self.torc.call("start", str(made["workflow_key"]))
        return made

    def _work(self, key: str) -> subprocess.Popen[str]:
        """Starts a worker on this machine."""
        most = [] if self._max_workers is None else ["--max-parallel-jobs", str(self._max_workers)]
        return self.torc.start("jobs", "run", key, "--output", self._output, *most)


class _Mapped(threading.local):
    """Whether this thread is submitting the calls of a ``map``, and their batch once there is one."""

    is_mapping: bool = False
    batch: _Batch | None = None


class _Call:
    """A call, and the future that waits for it."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        #: How often a worker has taken it.
        self.num_starts = 0
        #: Its job needs nothing more.
        self.is_over = False
        self._has_begun = False

    def settle(self, error: BaseException) -> None:
        """Ends its future without a result; one that has not started counts as canceled if its job was."""
        self.is_over = True
        if isinstance(error, concurrent.futures.CancelledError):
            self.future.cancel()
        if self.begin():
            self.future.set_exception(error)

    def begin(self) -> bool:
        """Whether its future needs a result; from now on it cannot be canceled. Only its batch calls this."""
        if not self._has_begun:
            self._has_begun = True
            # wakes those who wait for one that was canceled
            self.future.set_running_or_notify_cancel()
        return not self.future.done()


class _Batch:
    """Calls that are one workflow, and the thread that collects them, makes it and follows it."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self.calls: list[_Call] = []
        #: Whether more calls may come, and whether a thread that maps is about to submit some.
        self.is_open = True
        self.is_mapped = False
        self.oldest = self.newest = time.monotonic()
        self._by_key: dict[str, tuple[int, _Call]] = {}
        self._files: Calls | None = None
        self._has_failed = False
        self._is_canceled = threading.Event()
        self._drop_lock = threading.Lock()
        self._dropped_keys: list[str] = []
        self._last_event = "0"
        self.key: str | None = None
        # no daemon: a program does not end before its calls
        self.thread = threading.Thread(target=self._run, name="torc-calls", daemon=False)

    def cancel(self) -> None:
        """Ends the workflow: what runs is stopped, what waits does not start."""
        self._is_canceled.set()
        if self.key is not None:
            self._pool.torc.call("cancel", self.key, expected=(0, 1, 4))

    def _run(self) -> None:
        try:
            while True:
                self._pool._wait_for_map(self)
                with self._pool._making:
                    if self._pool._collect(self):
                        self._files = Calls(os.path.join(self._pool.torc.directory, "python"))
                        worker = self._start(self._files)
                        break
            self._follow(Results(self._files.folder), worker)
        except BaseException as error:
            self._has_failed = True
            for call in self.calls:
                call.settle(error)
        finally:
            if self._files is not None and not self._pool._keep and not self._has_failed:
                shutil.rmtree(self._files.folder, ignore_errors=True)

    def _start(self, files: Calls) -> subprocess.Popen[str] | None:
        files.write([(_plain(call.function), call.args, call.kwargs) for call in self.calls])
        made, worker = self._pool._launch(self._pool._specification(self.calls, files.folder))
        self.key = str(made["workflow_key"])
        for number, (call, job_key) in enumerate(zip(self.calls, self._job_keys(made))):
            self._by_key[job_key] = (number, call)
            call.future.add_done_callback(functools.partial(self._dropped, job_key, call))
        if self._is_canceled.is_set():
            self.cancel()
        return worker

    def _job_keys(self, made: Mapping[str, Any]) -> Sequence[str]:
        """Those of the calls, in their order."""
        first, last = int(made.get("first_job_key") or 0), int(made.get("last_job_key") or -1)
        if last - first + 1 == len(self.calls):
            return [str(key) for key in range(first, last + 1)]
        # others have made jobs between them, or torc has not said it
        numbers = {job["name"]: job["job_key"] for job in self._pool.torc.records("jobs", "list", "-k", str(self.key))}
        return [str(numbers[f"{_name_of(call.function)}_{number}"]) for number, call in enumerate(self.calls)]

    def _dropped(self, job_key: str, call: _Call, future: concurrent.futures.Future[Any]) -> None:
        """A future that is canceled by its owner takes its job with it."""
        if not future.cancelled() or call.is_over or self._is_canceled.is_set():
            return
        with self._drop_lock:
            self._dropped_keys.append(job_key)
            if len(self._dropped_keys) > 1:
                return
        # those that follow at once are of the same command
        try:
            threading.Timer(_DROP_SECONDS, self._drop).start()
        except RuntimeError:  # the program ends
            self._drop()

    def _drop(self) -> None:
        with self._drop_lock:
            keys, self._dropped_keys = self._dropped_keys, []
        # the first ones run first
        for first in reversed(range(0, len(keys), _KEYS_OF_A_COMMAND)):
            self._cancel_jobs(keys[first : first + _KEYS_OF_A_COMMAND])

    def _cancel_jobs(self, keys: list[str]) -> None:
        """But for those that end meanwhile: with them the command would change nothing."""
        num_keys = len(keys) + 1
        while 0 < len(keys) < num_keys:
            num_keys = len(keys)
            try:
                self._pool.torc.call("jobs", "cancel", *keys, expected=(0, 1))
                return
            except TorcError as error:
                if error.exit_code != _CONFLICT:
                    raise
            jobs = self._pool.torc.records("jobs", "list", "-k", str(self.key))
            ended = {job["job_key"] for job in jobs if job["status"] in _OVER}
            keys = [key for key in keys if key not in ended]

    def _follow(self, results: Results, worker: subprocess.Popen[str] | None) -> None:
        said = self._watch(results, worker)
        died = None if worker is None else self._replace(results, worker, said)
        if not all(call.future.done() for call in self.calls):
            self._settle_rest(results, died)
        for call in self.calls:
            call.begin()

    def _watch(self, results: Results, worker: subprocess.Popen[str] | None) -> bytes:
        """Ends futures as their jobs end, until the run or the worker ends. Returns the worker's errors."""
        assert self.key is not None
        monitor = self._pool.torc.start("events", "monitor", self.key, "--after", self._last_event)
        assert monitor.stdout is not None
        said = bytearray()
        try:
            # its last events may be still to come when the worker ends, seconds later than lists say the same
            for event in rows_of(pieces_until(worker, said, monitor.stdout, _SILENCE_SECONDS, self._is_deserted)):
                self._last_event = event["event_key"]
                if event["type"] == "job_status" and event["job_key"] in self._by_key:
                    self._moved(results, event)
                elif event["type"] == "workflow_ended":
                    break
        finally:
            monitor.terminate()
            monitor.communicate()
        return bytes(said)

    def _is_deserted(self) -> bool:
        """Whether what is left waits for allocations, and none is there or comes by itself."""
        if self._pool._slurm is None:
            return False
        try:
            line = self._pool.torc.call("status", str(self.key), expected=range(256)) or {}
        except TorcError:
            # a look that fails says nothing
            return False
        numbers = ("num_running", "num_active_workers", "num_queued_allocations", "num_running_allocations")
        lacks = any(held["reason"]["code"] == "no_worker_of_config" for held in line.get("held_back", []))
        return lacks and not any(line[name] for name in numbers)

    def _replace(self, results: Results, worker: subprocess.Popen[str], said: bytes) -> TorcError | None:
        """Starts another worker as long as one is killed and calls are left. Returns why it does not, if that is so."""
        num_left = losses = 0
        while True:
            _, rest = worker.communicate()
            left = sum(1 for call in self.calls if not call.future.done())
            died = _death_of(worker.returncode, said.decode("utf-8", "replace") + rest)
            if left == 0 or died is None:
                return None
            losses = losses + 1 if left == num_left else 1
            num_left = left
            if losses > _MOST_LOSSES or self._is_canceled.is_set():
                return died
            assert self.key is not None
            worker = self._pool._work(self.key)
            said = self._watch(results, worker)

    def _settle_rest(self, results: Results, died: TorcError | None) -> None:
        """Ends the futures of which no event was seen, as the jobs stand now."""
        assert self.key is not None
        reasons: dict[str, str] = {}
        jobs = self._pool.torc.records("jobs", "list", "-k", self.key)
        # all at once, and after the jobs: of each that is done, its newest
        rows = self._pool.torc.records("results", "list", "-k", self.key, "--latest-only")
        ends = {row["job_key"]: row for row in rows}
        for job in jobs:
            number, call = self._by_key.get(job["job_key"], (0, None))
            if call is None or call.future.done():
                continue
            end = ends.get(job["job_key"])
            if job["status"] == "done" and end is not None:
                self._ended(results, number, call, {**job, "data": end}, f"{end['run_id']}.{end['attempt_id']}")
            elif job["status"] in _CANCELED:
                call.settle(concurrent.futures.CancelledError())
            else:
                # it may still run, elsewhere
                self._has_failed = True
                error = self._not_run(job, reasons)
                error.__cause__ = died
                call.settle(error)

    def _not_run(self, job: Mapping[str, Any], reasons: dict[str, str]) -> TorcError:
        """Why a job has not run. ``reasons``: those that are known, for jobs that need the same."""
        job_key, needs = job["job_key"], str(job["resource_requirements"])
        if needs not in reasons:
            why = self._pool.torc.call("why", job_key)["reasons"]
            # its own worker has just ended
            texts = [each["text"] for each in why if each["reason"]["code"] != "no_worker"]
            reasons[needs] = "".join(f"\n{text}" for text in texts)
        message = f"job {job_key} ({job['name']}) has not run; it is {job['status']}{reasons[needs]}"
        return TorcError("conflict", message, f"To see what it waits for: torc why {job_key}", 4)

    def _moved(self, results: Results, event: Mapping[str, Any]) -> None:
        number, call = self._by_key[event["job_key"]]
        status = event["new_status"]
        if status == "submitted_pending":
            call.num_starts += 1
            call.begin()
        elif status == "done":
            self._ended(results, number, call, event)
        elif status in _CANCELED:
            lost = (event["data"] or {}).get("cause") == "worker_lost"
            call.settle(
                JobFailed(event["job_key"], "worker_lost", None) if lost else concurrent.futures.CancelledError()
            )

    def _ended(
        self, results: Results, number: int, call: _Call, event: Mapping[str, Any], attempt: str | None = None
    ) -> None:
        """``attempt`` ended it; None for one that is asked for, unless it is the only one."""
        if not call.begin():
            return
        job_key, data = event["job_key"], event["data"] or {}
        if attempt is None and call.num_starts == 1:
            attempt = "1.1"
        if attempt is None:
            job = self._pool.torc.call("jobs", "show", job_key)["job"]
            attempt = f"{job['run_id']}.{job['attempt_id']}"
        try:
            has_returned, value = results.take(number, attempt)
        except FileNotFoundError:
            has_returned, value = False, JobFailed(job_key, data.get("cause", "unknown"), data.get("return_code"))
        except BaseException as error:  # what was returned cannot be read here
            has_returned, value = False, error
        if has_returned:
            call.future.set_result(value)
        else:
            self._has_failed = True
            call.future.set_exception(value)


def _death_of(exit_code: int, said: str) -> TorcError | None:
    """What a worker that was killed has said; None for one that has ended by itself."""
    error = error_of(said, exit_code)
    return error if exit_code < 0 or error.code == "unusable" else None


def _show(
    shown: Progress, pool: Executor, futures: Sequence[concurrent.futures.Future[Any]], until: float | None
) -> None:
    """Shows how far they are until all have ended, or one has failed, or the time is over."""
    try:
        while True:
            running = [future for future in futures if not future.done()]
            shown.show(_counts(pool, futures))
            if not running or _num_failed(futures) > 0 or (until is not None and time.monotonic() >= until):
                return
            concurrent.futures.wait(running, 1, concurrent.futures.FIRST_EXCEPTION)
    finally:
        shown.close()


def _num_failed(futures: Sequence[concurrent.futures.Future[Any]]) -> int:
    return sum(1 for each in futures if each.done() and (each.cancelled() or each.exception() is not None))


def _counts(pool: Executor, futures: Sequence[concurrent.futures.Future[Any]]) -> dict[str, Any]:
    """A line of ``torc status`` of these futures, without asking."""
    num_done = sum(1 for each in futures if each.done())
    num_failed = _num_failed(futures)
    num_running = sum(1 for each in futures if each.running())
    return {
        "workflow_key": ", ".join(pool.workflow_keys) or "-",
        "name": pool.name or "calls",
        "status": "running" if num_done < len(futures) else "failed" if num_failed > 0 else "done",
        "num_jobs": len(futures),
        "num_done": num_done,
        "num_failed": num_failed,
        "num_running": num_running,
        "num_ready": len(futures) - num_done - num_running,
    }


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return function.function if isinstance(function, Task) else function


def _name_of(function: Callable[..., Any] | Task[Any]) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "call" if name == "<lambda>" else str(name)


def _numbered(job: Mapping[str, Any], number: str) -> dict[str, Any]:
    return {**job, "name": f"{job['name']}_{number}", "command": f"{job['command']} {number}"}


def _fork_server(python: str, modules: Sequence[str]) -> str:
    """The command of a fork server for calls; modules are found where this program finds them."""
    named = [modules] if isinstance(modules, str) else modules
    path = ["--path", os.pathsep.join(import_path()), *named] if named else []
    return shlex.join([python, "-m", "torc_hpc.warm", *path])


def _nothing() -> None:
    pass
