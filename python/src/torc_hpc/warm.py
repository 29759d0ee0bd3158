"""``python -m torc_hpc.warm [--path FOLDERS] [MODULE..]``: starts the jobs of a worker by forking itself.

A worker of torc runs it for jobs that name it as ``warm``, and writes requests to its standard input. A job whose
command runs this interpreter starts without the time in which Python starts; bash runs any other command. The named
modules are imported once, before the first job.

What is shared is only what is imported here: a job is a process of its own with its own session, output and
environment, and nothing that it changes is seen by another.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import gc
import importlib
import os
import resource
import select
import sys
import time

from torc_hpc.exchange import extend_import_path
from torc_hpc.segments import Segment
from torc_hpc.warm_calls import WarmCalls
from torc_hpc.warm_job import NOT_STARTED, SIGNALS, Job, JobSettings, become, rehearse, write_place

# the less is loaded here, the less each fork copies: what few jobs need is imported where they do
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["main"]

#: Lines that nobody needs at once wait so long for others.
_DELAY_MS = 2
#: Of the number before each request.
_LENGTH_SIZE = 4
#: The variables of a job stay together.
_MOST_SPLITS = 8
#: So many processes are forked together: what the server then changes in memory is copied once for all of them.
_MOST_FORKS = 16
#: So often a process may be killed before it has begun.
_MOST_TRIES = 3
#: After so many, an interpreter has found out what a call does.
_REHEARSALS = 20


class _Request:
    """A job that is to be started, as the worker describes it. Many wait: its variables are read when it is forked."""

    def __init__(self, fields: Sequence[bytes]) -> None:
        self.id, _, self.place, stdout, stderr, self._text, self.cpus, bound, *variables = fields
        self._outputs = stdout, stderr
        self._is_bound = bound == b"bound"
        self._variables = variables[0] if variables else b""
        self.started = 0.0
        #: The process that waits until this job may begin, and what tells it so.
        self.pid = 0
        self.gate = -1

    def give_cpus(self, cpus: bytes) -> None:
        if cpus:
            self.cpus = cpus

    def job(self, calls: WarmCalls, names: Mapping[bytes, bytes | None]) -> Job:
        variables = dict([each.split(b"=", 1) for each in self._variables.split(b"\0")]) if self._variables else {}
        job = Job(self._outputs, self._text, variables, _mark(variables, names), self._is_bound)
        job.call = calls.find(self._text, variables)
        return job


class _Server:
    """Reads requests, forks, waits, reports: one thread, so that a fork copies nothing half done."""

    def __init__(self, requests: int, report: int) -> None:
        score = _own_score(os.environ.pop("TORC_WARM_SCORE", None))
        _limit_files(int(os.environ.pop("TORC_WARM_FILES", "0")))
        self._settings = JobSettings(_hide_environment(), score)
        #: By these and by their attempts, jobs are known.
        self._names = {name: os.environb.get(name) for name in (b"TORC_WORKER_ID", b"SLURM_JOB_ID")}
        #: By their processes.
        self._running: dict[int, _Request] = {}
        #: Those that have a process which has not begun, by it.
        self._forked: dict[int, _Request] = {}
        #: They wait for a place; by their ids.
        self._queue: dict[bytes, _Request] = {}
        #: They have one.
        self._due: list[_Request] = []
        #: Begun, but perhaps not yet in a session of their own.
        self._young: list[tuple[int, bytes]] = []
        self._lines: list[bytes] = []
        self._text = b""
        self._requests = requests
        self._report = report
        self._wake, self._wakes = _open_pipe()
        self._failures, self._fails = _open_pipe()
        #: What was read there, by the process that said it.
        self._told: dict[int, bytes] = {}
        self._calls = WarmCalls()

    def serve(self) -> None:
        """Until the worker closes the requests; jobs that run continue."""
        self._prepare()
        self._lines.append(b"ready")
        self._flush()
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            events = poll.poll(_DELAY_MS if self._lines or self._young else None)
            for file, _ in events:
                if file == self._requests:
                    piece = os.read(file, 1 << 16)
                    if not piece:
                        return
                    self._read(piece)
                else:
                    os.read(file, 4096)
                    self._reap()
            if not events:
                self._flush()

    def _prepare(self) -> None:
        segment = Segment(None)
        for _ in range(_REHEARSALS):
            rehearse(self._calls.rehearsal(segment), self._settings.place, {b"TORC_REHEARSAL": b"1"})
        segment.close()
        # blocked rather than ignored, which programs would inherit; and what a job begins with
        for each in SIGNALS:
            _signal.signal(each, _signal.default_int_handler if each == _signal.SIGINT else _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_BLOCK, SIGNALS)
        _signal.signal(_signal.SIGCHLD, _wake_up)
        _signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        # a job does not copy what it only looks at
        gc.collect()
        gc.freeze()

    # ------------------------------------------------------------------ requests

    def _read(self, piece: bytes) -> None:
        text = self._text + piece
        at = 0
        while len(text) - at >= _LENGTH_SIZE:
            end = at + _LENGTH_SIZE + int.from_bytes(text[at : at + _LENGTH_SIZE], "big")
            if len(text) < end:
                break
            self._take(text[at + _LENGTH_SIZE : end - 1].split(b"\0", _MOST_SPLITS))
            at = end
        self._text = text[at:]
        self._start_due()

    def _take(self, fields: list[bytes]) -> None:
        turn = fields[1]
        if len(fields) > 3:
            request = _Request(fields)
            if turn == b"now":
                self._due.append(request)
            else:
                self._queue[request.id] = request
            return
        waiting = self._queue.pop(fields[0], None)
        if waiting is None:
            return
        if turn == b"now":
            waiting.give_cpus(fields[2] if len(fields) > 2 else b"")
            self._due.append(waiting)
        else:
            self._dismiss(waiting)
            self._tell(b"withdrawn %s" % waiting.id)

    # ------------------------------------------------------------------ starting

    def _start_due(self) -> None:
        while self._due:
            request = self._due.pop(0)
            try:
                self._start(request)
            except OSError as error:
                self._tell(b"error %s %d a process" % (request.id, error.errno or 0))

    def _start(self, request: _Request) -> None:
        if self._calls.load_more():
            for each in list(self._forked.values()):
                self._dismiss(each)
        for _ in range(_MOST_TRIES):
            if request.pid == 0:
                self._fork(request)
            pid = request.pid
            if self._open_gate(request):
                request.started = time.monotonic()
                self._running[pid] = request
                self._young.append((pid, b"pid %s %d %.3f" % (request.id, pid, request.started * 1000)))
                return
        raise OSError(errno.EAGAIN, "it is killed before it begins")

    def _fork(self, first: _Request) -> None:
        """Forks processes, which do not begin yet, for this job and for those that will be started next."""
        requests = [first]
        for each in (*self._due, *self._queue.values()):
            if len(requests) == _MOST_FORKS:
                break
            if each.pid == 0:
                requests.append(each)
        gates = _open_gates(len(requests))
        jobs = [each.job(self._calls, self._names) for each, _ in zip(requests, gates)]
        own = (self._requests, self._report, self._wake, self._wakes, self._failures)
        others = [*own, *(each.gate for each in self._forked.values()), *(file for pair in gates for file in pair)]
        # the garbage collector would look at all that is new here, in each of them
        gc.freeze()
        try:
            for request, job, (gate, opens) in zip(requests, jobs, gates):
                pid = os.fork()
                if pid == 0:
                    become(job, self._settings, gate, self._fails, others)
                self._forked[pid] = request
                request.pid, request.gate = pid, opens
        except OSError:
            if first.pid == 0:
                raise
        finally:
            for request, (gate, opens) in zip(requests, gates):
                os.close(gate)
                if request.pid == 0:
                    os.close(opens)

    def _open_gate(self, request: _Request) -> bool:
        """Lets its process begin; False if that has been killed."""
        try:
            os.write(request.gate, request.cpus + b"\n")
        except BrokenPipeError:
            return False
        else:
            return True
        finally:
            self._dismiss(request)

    def _dismiss(self, request: _Request) -> None:
        """The process of a job that was not let in ends."""
        if request.pid != 0:
            del self._forked[request.pid]
            os.close(request.gate)
            request.pid = 0

    # ------------------------------------------------------------------ ending

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            request = self._running.pop(pid, None)
            if request is not None:
                self._ended(pid, status, used, request)
            elif pid in self._forked:
                self._dismiss(self._forked[pid])
        self._start_due()
        # while many wait, the worker need not send more at once
        if len(self._queue) < 4:
            self._flush()

    def _ended(self, pid: int, status: int, used: resource.struct_rusage, request: _Request) -> None:
        ended = time.monotonic()
        if status == NOT_STARTED << 8:
            failure = self._failure_of(pid)
            if failure is not None:
                self._young = [each for each in self._young if each[0] != pid]
                self._tell(b"error %s %s" % (request.id, failure))
                return
        try:
            os.killpg(pid, 0)
            is_gone = False
        except OSError as error:
            is_gone = isinstance(error, ProcessLookupError)
        following = None
        # after a kill the worker may be about to take all others back
        if is_gone and not os.WIFSIGNALED(status) and request.place:
            following = next((each for each in self._queue.values() if each.place == request.place), None)
        cpu_ms = round((used.ru_utime + used.ru_stime) * 1000)
        self._report_young(pid)
        if following is not None:
            del self._queue[following.id]
            following.give_cpus(request.cpus)
            self._due.append(following)
        group = b"gone" if is_gone else b"left"
        after = b"-" if following is None else following.id
        self._lines.append(
            b"end %s %d %d %.3f %s %s %d %.3f"
            % (request.id, status, cpu_ms, (ended - request.started) * 1000, group, after, used.ru_maxrss, ended * 1000)
        )

    def _failure_of(self, pid: int) -> bytes | None:
        """Why a process has not begun, as it has said itself; None if it has."""
        try:
            lines = os.read(self._failures, 1 << 16).splitlines()
        except BlockingIOError:
            lines = []
        for line in lines:
            whose, _, failure = line.partition(b" ")
            self._told[int(whose)] = failure
        return self._told.pop(pid, None)

    # ------------------------------------------------------------------ reports

    def _tell(self, line: bytes) -> None:
        self._lines.append(line)
        self._flush()

    def _report_young(self, ended: int) -> None:
        """Tells of processes whose signals reach all of their group by now."""
        young, self._young = self._young, []
        for pid, line in young:
            if pid == ended or _has_session(pid):
                self._lines.append(line)
            else:
                self._young.append((pid, line))

    def _flush(self) -> None:
        self._report_young(0)
        if not self._lines:
            return
        text = b"\n".join(self._lines) + b"\n"
        self._lines.clear()
        while text:
            text = text[os.write(self._report, text) :]


def _mark(variables: Mapping[bytes, bytes], names: Mapping[bytes, bytes | None]) -> bytes:
    """Descendants that leave the session are found by what the kernel shows as their environment."""
    given = [(name, variables.get(name, value)) for name, value in names.items()]
    given.append((b"TORC_ATTEMPT_KEY", variables.get(b"TORC_ATTEMPT_KEY")))
    return b"\0" + b"".join([b"%s=%s\0" % (name, value) for name, value in given if value is not None])


def _open_gates(most: int) -> list[tuple[int, int]]:
    """As many as there are files for, at least one.

    Raises:
        OSError: there are none.
    """
    gates = [os.pipe()]
    try:  # noqa: SIM105  # contextlib is not loaded
        gates.extend(os.pipe() for _ in range(most - 1))
    except OSError:
        pass
    return gates


def _open_pipe() -> tuple[int, int]:
    """One that neither of its ends waits for."""
    ends = os.pipe()
    for each in ends:
        os.set_blocking(each, False)
    return ends


def _wake_up(number: int, frame: object) -> None:
    """With a handler, the signal writes to the wake-up file."""


def _has_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _own_score(wanted: str | None) -> bytes | None:
    """The score by which the kernel chooses what to kill; None when jobs inherit enough."""
    try:
        with open("/proc/self/oom_score_adj", encoding="ascii") as file:
            return None if wanted is None or int(file.read()) >= int(wanted) else wanted.encode()
    except OSError:
        return None


def _limit_files(most: int) -> None:
    """For this process, which needs few, and so for its jobs. 0 for no other limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most > 0 and (soft == resource.RLIM_INFINITY or soft > most):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _hide_environment() -> tuple[int, int] | None:
    """Empties what the kernel shows as the environment of this process, and returns where that is.

    A search for processes of jobs must not find this one.
    """
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[47]), int(fields[48])
    except (OSError, ValueError, IndexError):
        return None
    if not 0 < start < end:
        return None
    # the C library keeps copies of its own from now on
    for name, value in list(os.environb.items()):
        os.environb[name] = value
    write_place((start, end), b"")
    return start, end


def _take_streams() -> tuple[int, int]:
    """Requests and reports: what a module reads and prints as it is imported is not among them."""
    requests, report = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return requests, report


def main(words: Sequence[str]) -> None:
    """Imports what is named, and serves."""
    names = list(words)
    requests, report = _take_streams()
    if names[:1] == ["--path"]:
        extend_import_path(names[1].split(os.pathsep))
        del names[:2]
    for name in names:
        importlib.import_module(name)
    # a job would write it again
    sys.stdout.flush()
    _Server(requests, report).serve()


if __name__ == "__main__":
    # what is pickled by name must find the module, not the program
    from torc_hpc.warm import main as serve

    serve(sys.argv[1:])
