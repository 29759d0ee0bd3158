"""The processes that a fork server starts: each waits until it may begin, becomes a job, and runs its command.

All that is done here copies memory that was shared with the server: it must be little.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import atexit
import os
import runpy
import sys

from torc_hpc.call import main as run_own_call

# the less is loaded here, the less each fork copies: what few jobs need is imported where they do
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from torc_hpc.warm_calls import ReadCall

__all__ = ["CALL", "NOT_STARTED", "SIGNALS", "Job", "JobSettings", "become", "rehearse", "words_of", "write_place"]

_SHELL = ("bash", "-c", "--")
#: The module that runs a call of a Python function.
CALL = "torc_hpc.call"
#: Those that do not end a server.
SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1, _signal.SIGUSR2)
#: The exit code of a process that has told why its job has not started.
NOT_STARTED = 126
#: A message is written at once.
_LONGEST_PATH = 2048
#: What is below ``os.environ``, which ``os.putenv`` leaves as it is.
_environment = getattr(os.environb, "_data", os.environb)


class JobSettings:
    """What all jobs of a server have in common.

    Args:
        place: where the kernel finds the environment that it shows.
        score: by which the kernel chooses what to kill; None when jobs inherit enough.
    """

    def __init__(self, place: tuple[int, int] | None, score: bytes | None) -> None:
        self.place = place
        self.score = score


class Job:
    """One as its process needs it."""

    def __init__(
        self, outputs: tuple[bytes, bytes], text: bytes, variables: dict[bytes, bytes], mark: bytes, is_bound: bool
    ) -> None:
        self.outputs = outputs
        self.text = text
        self.variables = variables
        #: What the kernel shows as its environment.
        self.mark = mark
        self.is_bound = is_bound
        self.call: ReadCall | None = None


def become(job: Job, settings: JobSettings, gate: int, failures: int, others: Sequence[int]) -> NoReturn:
    """In a process that was just forked. Does not return.

    Args:
        gate: gives a line with the CPUs of the job once it may begin, or ends if it must not.
        failures: takes a line if it cannot begin.
        others: files of the server that this process must not have open, perhaps with ``gate``.
    """
    code = NOT_STARTED
    try:
        for file in others:
            if file != gate:
                os.close(file)
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        cpus = os.read(gate, 4096)
        if cpus and _open_outputs(job.outputs, failures):
            # before it leaves the group of the server: what is left when the server is killed has its mark
            write_place(settings.place, job.mark)
            # by its session the server sees that it has begun
            os.setsid()
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, SIGNALS)
            os.close(gate)
            os.close(failures)
            _enter(job, settings, cpus[:-1])
            code = _exit_code_of(job)
    except BaseException:
        _print_error()
    finally:
        os._exit(code)


def rehearse(call: ReadCall, place: tuple[int, int] | None, variables: Mapping[bytes, bytes]) -> None:
    """Does in the server what a call will do, as far as that leaves no trace: what is filled here, calls share."""
    job = Job((b"/dev/null", b"/dev/null"), b"", dict(variables), b"", False)
    streams, words = (os.dup(1), os.dup(2)), sys.argv
    try:
        _open_outputs(job.outputs, -1)
        write_place(place, job.mark)
        _enter(job, JobSettings(place, None), b"")
        call.run()
        # what the imported modules have left to do belongs to the jobs
        if atexit._ncallbacks() == 0 and "threading" not in sys.modules:
            _finish()
    finally:
        sys.argv = words
        for own, file in zip((1, 2), streams):
            os.dup2(file, own)
            os.close(file)
        for name in variables:
            del os.environb[name]
        write_place(place, b"")


def _open_outputs(paths: Sequence[bytes], failures: int) -> bool:
    for own, path in zip((1, 2), paths):
        try:
            file = _open_output(path)
            os.dup2(file, own)
            os.close(file)
        except OSError as error:
            text = b"%d %d %s\n" % (os.getpid(), error.errno or 0, path[:_LONGEST_PATH].replace(b"\n", b" "))
            os.write(failures, text)
            return False
    return True


def _open_output(path: bytes) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)


def _enter(job: Job, settings: JobSettings, cpus: bytes) -> None:
    variables = job.variables
    if cpus:
        variables[b"TORC_CPUS"] = cpus
    for name, value in variables.items():
        os.putenv(name, value)
    _environment.update(variables)
    _limit(settings, cpus if job.is_bound else b"")
    _draw_anew()


def _limit(settings: JobSettings, cpus: bytes) -> None:
    if cpus:
        # they may have been taken from this node meanwhile
        try:  # noqa: SIM105  # contextlib is not loaded
            os.sched_setaffinity(0, _cpus_of(cpus.decode()))
        except (OSError, ValueError):
            pass
    if settings.score is not None:
        _write("/proc/self/oom_score_adj", settings.score)


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


def write_place(place: tuple[int, int] | None, text: bytes) -> None:
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

#: Of a text that a shell would only split at its spaces.
_plain = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./ -")


def _run(text: str) -> None:
    words = words_of(text)
    if len(words) > 1 and _is_own(words[0]) and _is_runnable(words[1:]):
        _run_python(words[1:])
        return
    for each in (_signal.SIGINT, _signal.SIGPIPE):
        _signal.signal(each, _signal.SIG_DFL)
    os.execvp(_SHELL[0], [*_SHELL, text])


def words_of(text: str) -> list[str]:
    return text.split() if _plain.issuperset(text) else _quoted_words(text)


def _quoted_words(text: str) -> list[str]:
    """Those of a text as ``shlex.join`` writes it; none for another one."""
    import shlex  # noqa: PLC0415

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
        if words[1] == CALL:
            sys.exit(run_own_call())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
        runpy.run_path(words[0], run_name="__main__")


def _exit_code_of(job: Job) -> int:
    """Runs a command."""
    code = 0
    try:
        if job.call is not None:
            code = job.call.run()
        else:
            _run(os.fsdecode(job.text))
    except SystemExit as error:
        code = _code_of(error)
    except BaseException:
        _print_error()
        code = 1
    has_finished = _finish()
    return code if has_finished else code or 120


def _finish() -> bool:
    """What an interpreter does before it ends. Whether nothing of it failed."""
    try:
        threading = sys.modules.get("threading")
        if threading is not None and threading.active_count() > 1:
            threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        _print_error()
        return False
    return True


def _print_error() -> None:
    import traceback  # noqa: PLC0415

    traceback.print_exc()


def _code_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1
