"""``python -m torc_hpc.warm [--path FOLDERS] [MODULE..]``: starts the jobs of a worker by forking itself.

A worker of torc runs it for jobs that name it as ``warm``, and writes requests to its standard input. A job whose
command runs this interpreter starts without the time in which Python starts; bash runs any other command. The named
modules are imported once, before the first job.

What is shared is only what is imported here: a job is a process of its own with its own session, output and
environment, and nothing that it changes is seen by another.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import atexit
import gc
import importlib
import mmap
import os
import re
import resource
import runpy
import select
import shlex
import signal
import struct
import sys
import time

from torc_hpc.call import main as run_own_call
from torc_hpc.exchange import Call, Folder, extend_import_path, open_segment, run_call
from torc_hpc.segments import Segment

# the less is loaded here, the less each fork copies: what few jobs need is imported where they do
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

__all__ = ["main"]

_SHELL = ("bash", "-c", "--")
#: Those that do not end the server.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
#: Lines that nobody needs at once wait so long for others.
_DELAY_MS = 2
_LENGTH = struct.Struct(">I")
#: The variables of a job stay together.
_MOST_SPLITS = 8
#: As plain numbers: what the module ``signal`` makes of them takes longer than what is done with them.
_CHILD, _DEFAULT, _UNBLOCK = int(signal.SIGCHLD), int(signal.SIG_DFL), int(signal.SIG_UNBLOCK)
_NUMBERS = tuple(int(each) for each in _SIGNALS)
#: What is below ``os.environ``, which ``os.putenv`` leaves as it is.
_environment = getattr(os.environb, "_data", os.environb)
#: The module that runs a call of a Python function.
_CALL = "torc_hpc.call"
#: So much of the calls of a folder is read at once.
_READ_AHEAD = 1 << 20


class _Request:
    """A job that is to be started, as the worker describes it. Many wait: its variables are read when it starts."""

    def __init__(self, fields: Sequence[bytes]) -> None:
        self.id, _, self.place, self.stdout, self.stderr, self.text, self.cpus, bound, *variables = fields
        self.is_bound = bound == b"bound"
        self._variables = variables[0] if variables else b""
        self._own_cpus = b""

    def give_cpus(self, cpus: bytes) -> None:
        if cpus:
            self.cpus = self._own_cpus = cpus

    def variables(self) -> dict[bytes, bytes]:
        found = dict([each.split(b"=", 1) for each in self._variables.split(b"\0")]) if self._variables else {}
        if self._own_cpus:
            found[b"TORC_CPUS"] = self._own_cpus
        return found


class _Running:
    """A job whose process has been forked."""

    def __init__(self, request: _Request) -> None:
        self.request = request
        self.started = time.monotonic()


class _Server:
    """Reads requests, forks, waits, reports: one thread, so that a fork copies nothing half done."""

    def __init__(self, requests: int, report: int) -> None:
        self._score = _own_score(os.environ.pop("TORC_WARM_SCORE", None))
        self._files = int(os.environ.pop("TORC_WARM_FILES", "0"))
        self._place = _hide_environment()
        #: By these and by their attempts, jobs are known.
        self._names = {name: os.environb.get(name) for name in (b"TORC_WORKER_ID", b"SLURM_JOB_ID")}
        self._running: dict[int, _Running] = {}
        self._queue: list[_Request] = []
        #: Forked, but perhaps not yet in a session of their own.
        self._young: list[tuple[int, bytes]] = []
        self._lines: list[bytes] = []
        self._text = b""
        self._requests = requests
        self._report = report
        self._wake, wakes = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wakes, False)
        # blocked rather than ignored, which programs would inherit; and what a job begins with
        for each in _SIGNALS:
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        signal.signal(signal.SIGCHLD, _wake_up)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        self._closed_in_jobs = (self._requests, self._report, self._wake, wakes)
        self._calls = _Calls()

    def serve(self) -> None:
        """Until the worker closes the requests; jobs that run continue."""
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

    # ------------------------------------------------------------------ requests

    def _read(self, piece: bytes) -> None:
        text = self._text + piece
        at = 0
        while len(text) - at >= _LENGTH.size:
            end = at + _LENGTH.size + _LENGTH.unpack_from(text, at)[0]
            if len(text) < end:
                break
            self._take(text[at + _LENGTH.size : end - 1].split(b"\0", _MOST_SPLITS))
            at = end
        self._text = text[at:]

    def _take(self, fields: list[bytes]) -> None:
        turn = fields[1]
        if len(fields) > 3:
            request = _Request(fields)
            if turn == b"now":
                self._start(request)
            else:
                self._queue.append(request)
            return
        waiting = next((each for each in self._queue if each.id == fields[0]), None)
        if waiting is None:
            return
        self._queue.remove(waiting)
        if turn == b"now":
            waiting.give_cpus(fields[2] if len(fields) > 2 else b"")
            self._start(waiting)
        else:
            self._tell(b"withdrawn %s" % waiting.id)

    # ------------------------------------------------------------------ starting

    def _start(self, request: _Request) -> None:
        output = errors = -1
        path = request.stdout
        try:
            output = _open_output(path)
            path = request.stderr
            errors = _open_output(path)
            path = b"a process"
            variables = request.variables()
            call = self._calls.find(request.text, variables)
            pid = os.fork()
            if pid == 0:
                self._become(request, variables, output, errors, call)
        except OSError as error:
            self._tell(b"error %s %d %s" % (request.id, error.errno or 0, path.replace(b"\n", b" ")))
        else:
            self._running[pid] = _Running(request)
            self._young.append((pid, b"pid %s %d" % (request.id, pid)))
        finally:
            for file in (output, errors):
                if file >= 0:
                    os.close(file)

    def _become(
        self, request: _Request, variables: dict[bytes, bytes], output: int, errors: int, call: _Call | None
    ) -> NoReturn:
        """In the child. Does not return. All that is done here copies memory: it must be little."""
        code = 126
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            _signal.signal(_CHILD, _DEFAULT)
            _signal.pthread_sigmask(_UNBLOCK, _NUMBERS)
            os.dup2(output, 1)
            os.dup2(errors, 2)
            for file in (output, errors, *self._closed_in_jobs):
                os.close(file)
            for name, value in variables.items():
                os.putenv(name, value)
            _environment.update(variables)
            _write_place(self._place, self._mark(variables))
            _limit(request, self._score, self._files)
            _draw_anew()
            code = _exit_code_of(os.fsdecode(request.text), call)
        except BaseException:
            _print_error()
        finally:
            os._exit(code)

    def _mark(self, variables: Mapping[bytes, bytes]) -> bytes:
        """Descendants that leave the session are found by what the kernel shows as their environment."""
        given = [(name, variables.get(name, value)) for name, value in self._names.items()]
        given.append((b"TORC_ATTEMPT_KEY", variables.get(b"TORC_ATTEMPT_KEY")))
        return b"\0" + b"".join([b"%s=%s\0" % (name, value) for name, value in given if value is not None])

    # ------------------------------------------------------------------ ending

    def _reap(self) -> None:
        while self._running:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            running = self._running.pop(pid, None)
            if running is not None:
                self._ended(pid, status, used, running)

    def _ended(self, pid: int, status: int, used: resource.struct_rusage, running: _Running) -> None:
        request = running.request
        ran_ms = (time.monotonic() - running.started) * 1000
        try:
            os.killpg(pid, 0)
            is_gone = False
        except OSError as error:
            is_gone = isinstance(error, ProcessLookupError)
        following = None
        # after a kill the worker may be about to take all others back
        if is_gone and not os.WIFSIGNALED(status) and request.place:
            following = next((each for each in self._queue if each.place == request.place), None)
        cpu_ms = round((used.ru_utime + used.ru_stime) * 1000)
        self._report_young(pid)
        if following is not None:
            self._queue.remove(following)
            following.give_cpus(request.cpus)
        group = b"gone" if is_gone else b"left"
        after = b"-" if following is None else following.id
        self._lines.append(
            b"end %s %d %d %.3f %s %s %d" % (request.id, status, cpu_ms, ran_ms, group, after, used.ru_maxrss)
        )
        if following is not None:
            self._start(following)
        # while many wait, the worker need not send more at once
        if len(self._queue) < 4:
            self._flush()

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


def _wake_up(number: int, frame: object) -> None:
    """With a handler, the signal writes to the wake-up file."""


class _Call:
    """A call of a Python function that is about to run."""

    def __init__(self, call: Call, words: list[str], attempt: str, needs_more: mmap.mmap) -> None:
        self._call = call
        self._words = words
        self._attempt = attempt
        self._needs_more = needs_more

    def run(self) -> int:
        sys.argv = self._words
        _, folder, number = self._words
        has_returned = run_call(folder, int(number), self._attempt, self._call)
        if "cloudpickle" in sys.modules:
            self._needs_more[0] = 1
        return 0 if has_returned else 1


class _Calls:
    """Of calls of Python functions, what others need too is read here, once, before their processes are forked."""

    def __init__(self) -> None:
        #: Memory that calls share: one sets it that had to load cloudpickle.
        self._needs_more = mmap.mmap(-1, 1)
        #: By the commands without the numbers of the calls; None for commands of another kind.
        self._folders: dict[bytes, tuple[str, Folder, Segment | None] | None] = {}

    def find(self, text: bytes, variables: Mapping[bytes, bytes]) -> _Call | None:
        """What a command runs; None if that is no call, or cannot be read, which it will report itself."""
        start, _, number = text.rpartition(b" ")
        if not number.isdigit():
            return None
        if start not in self._folders:
            self._folders[start] = self._open(start)
        found = self._folders[start]
        if found is None:
            return None
        path, folder, segment = found
        try:
            call = folder.call(int(number))
            attempt = b"%s.%s" % (variables[b"TORC_RUN_ID"], variables[b"TORC_ATTEMPT_ID"])
        except Exception:
            return None
        call.segment = segment
        if self._needs_more[0] != 0:
            self._load_more()
        return _Call(call, [_CALL, path, number.decode()], attempt.decode(), self._needs_more)

    def _load_more(self) -> None:
        """Once, for all calls that follow."""
        self._needs_more[0] = 0
        if "cloudpickle" in sys.modules:
            return
        try:
            importlib.import_module("cloudpickle")
        except Exception:  # each call finds its own
            return
        gc.freeze()

    def _open(self, start: bytes) -> tuple[str, Folder, Segment | None] | None:
        if len(self._folders) >= 8:
            self._forget()
        words = _words_of(os.fsdecode(start))
        if len(words) != 4 or words[:3] != [sys.executable, "-m", _CALL]:
            return None
        return words[3], Folder(words[3], _READ_AHEAD), open_segment(words[3])

    def _forget(self) -> None:
        for found in self._folders.values():
            if found is not None and found[2] is not None:
                found[2].close()
        self._folders.clear()


def _has_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _open_output(path: bytes) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)


def _own_score(wanted: str | None) -> bytes | None:
    """The score by which the kernel chooses what to kill; None when jobs inherit enough."""
    try:
        with open("/proc/self/oom_score_adj", encoding="ascii") as file:
            return None if wanted is None or int(file.read()) >= int(wanted) else wanted.encode()
    except OSError:
        return None


def _limit(request: _Request, score: bytes | None, files: int) -> None:
    if request.is_bound and request.cpus:
        # they may have been taken from this node meanwhile
        try:  # noqa: SIM105  # contextlib is not loaded
            os.sched_setaffinity(0, _cpus_of(request.cpus.decode()))
        except (OSError, ValueError):
            pass
    if score is not None:
        _write("/proc/self/oom_score_adj", score)
    if files > 0:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or soft > files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def _draw_anew() -> None:
    """The global generator of numpy, if it was imported before; Python's own does so by itself."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        numpy.random.seed()


def _cpus_of(text: str) -> set[int]:
    cpus: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _write(path: str, content: bytes) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, content)
        finally:
            os.close(file)
    except OSError:
        pass  # it stays as it is


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
    _write_place((start, end), b"")
    return start, end


def _write_place(place: tuple[int, int] | None, text: bytes) -> None:
    if place is None or len(text) > place[1] - place[0]:
        return
    start, end = place
    try:
        file = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(file, text if text else bytes(end - start), start)
        finally:
            os.close(file)
    except OSError:
        pass  # forbidden here: they are found by their parents and sessions only


# ---------------------------------------------------------------------- commands

#: A text that a shell would only split at its spaces.
_plain = re.compile(r"[A-Za-z0-9_@%+=:,./ -]+")


def _run(text: str) -> None:
    words = _words_of(text)
    if len(words) > 1 and _is_own(words[0]) and _is_runnable(words[1:]):
        _run_python(words[1:])
        return
    for each in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(each, signal.SIG_DFL)
    os.execvp(_SHELL[0], [*_SHELL, text])


def _words_of(text: str) -> list[str]:
    return text.split() if _plain.fullmatch(text) else _quoted_words(text)


def _quoted_words(text: str) -> list[str]:
    """Those of a text as ``shlex.join`` writes it; none for another one."""
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    return words if shlex.join(words) == text else []


def _is_own(program: str) -> bool:
    """Whether it is this interpreter, with the same packages."""
    if program == sys.executable:
        return True
    found = _found(program)
    if found is None:
        return False
    path, own = os.path.abspath(found), os.path.abspath(sys.executable)
    return os.path.dirname(path) == os.path.dirname(own) and os.path.realpath(path) == os.path.realpath(own)


def _found(program: str) -> str | None:
    """As ``shutil.which``, which loads a lot."""
    paths = [program] if "/" in program else [os.path.join(folder, program) for folder in os.get_exec_path()]
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def _is_runnable(words: Sequence[str]) -> bool:
    """Whether they name a module or a file: other options are for an interpreter that starts."""
    return (words[0] == "-m" and len(words) > 1) or (not words[0].startswith("-") and os.path.isfile(words[0]))


def _run_python(words: Sequence[str]) -> None:
    if words[0] == "-m":
        sys.argv = list(words[1:])
        if words[1] == _CALL:
            sys.exit(run_own_call())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
        runpy.run_path(words[0], run_name="__main__")


def _exit_code_of(text: str, call: _Call | None) -> int:
    """Runs a command, and what an interpreter does before it ends."""
    code = 0
    try:
        if call is not None:
            code = call.run()
        else:
            _run(text)
    except SystemExit as error:
        code = _code_of(error)
    except BaseException:
        _print_error()
        code = 1
    try:
        threading = sys.modules.get("threading")
        if threading is not None and threading.active_count() > 1:
            threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        _print_error()
        code = code or 120
    return code


def _print_error() -> None:
    import traceback  # noqa: PLC0415

    traceback.print_exc()


def _code_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1


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
    server = _Server(requests, report)
    # a job does not copy what it only looks at
    gc.collect()
    gc.freeze()
    server.serve()


if __name__ == "__main__":
    # what is pickled by name must find the module, not the program
    from torc_hpc.warm import main as serve

    serve(sys.argv[1:])
