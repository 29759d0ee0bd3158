"""Files through which functions and their results pass between the program that asks and the jobs that answer.

A folder holds the calls of one workflow, all in one file, and the results: small ones of fork servers in segments, one
file for each other attempt of a job. A result counts only if torc says that this attempt is the one that ended the job:
an attempt that was given up, and still writes, is not read.
"""

from __future__ import annotations

import _pickle as pickle  # the module pickle loads a lot
import os
import sys

from torc_hpc import plain
from torc_hpc.segments import LARGEST, NUMBER_SIZE, Segment, Segments, packed, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["Call", "Calls", "Folder", "RemoteTraceback", "Results", "open_segment", "run_call"]

_CALLS, _PLACES, _FUNCTIONS, _RESULTS, _PATH = "calls.pkl", "places", "functions", "results", "path.pkl"
_SEGMENTS = "segments"
#: Where a call is, its length, and the number of its function.
_PLACE_SIZE = 3 * NUMBER_SIZE
_IN_ONE_FOLDER = 1000
#: Values of these types are plain, without a look into them.
_SIMPLE = frozenset((type(None), bool, int, float, str, bytes))


class RemoteTraceback(Exception):
    """The traceback of the job, as the cause of the exception that it raised."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class Calls:
    """Writes calls, in order, into a new folder below ``parent``."""

    def __init__(self, parent: str) -> None:
        import tempfile  # noqa: PLC0415  # a fork server needs none of what it imports

        os.makedirs(parent, mode=0o700, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="calls-", dir=parent)
        os.mkdir(os.path.join(self.folder, _FUNCTIONS))
        os.mkdir(os.path.join(self.folder, _RESULTS))
        os.mkdir(os.path.join(self.folder, _SEGMENTS))

    def write(self, calls: Sequence[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]) -> None:
        """Each call: a function, its arguments, its named arguments. A function is stored once."""
        numbers: dict[int, int] = {}
        offset = 0
        _write(os.path.join(self.folder, _PATH), pickle.dumps(import_path()))
        with (
            open(os.path.join(self.folder, _CALLS), "wb") as file,
            open(os.path.join(self.folder, _PLACES), "wb") as places,
        ):
            for number, (function, words, named) in enumerate(calls):
                at = numbers.get(id(function))
                if at is None:
                    at = numbers[id(function)] = len(numbers)
                    _write(os.path.join(self.folder, _FUNCTIONS, str(at)), _pickled(function, _name(function)))
                call = _pickled((words, named), f"an argument of {_name(function)}")
                file.write(call)
                places.write(packed(offset, len(call), at))
                offset += len(call)
                if number % _IN_ONE_FOLDER == 0:
                    os.mkdir(os.path.join(self.folder, _RESULTS, str(number // _IN_ONE_FOLDER)))


class Call:
    """One that is read from its folder, in part still pickled, and what else it needs."""

    def __init__(
        self, path: Sequence[str], arguments: bytes | tuple[Any, Any], function: bytes | Callable[..., Any]
    ) -> None:
        #: Where modules are found too.
        self.path = path
        self.arguments = arguments
        self.function = function
        self.segment: Segment | None = None


class Folder:
    """Reads calls from a folder.

    Args:
        most_bytes: how much is read ahead and kept: the next calls are mostly those that follow. What is plain is then
            unpickled too.
    """

    def __init__(self, folder: str, most_bytes: int = 0) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._path: list[str] | None = None
        self._places = _Ahead(os.path.join(folder, _PLACES), most_bytes)
        self._arguments = _Ahead(os.path.join(folder, _CALLS), most_bytes)
        self._functions: dict[int, bytes | Callable[..., Any]] = {}

    def call(self, number: int) -> Call:
        if self._path is None:
            path = pickle.loads(_read(os.path.join(self._folder, _PATH)))
            self._path = [each for each in path if each not in sys.path]
        offset, length, at = unpacked(self._places.read(number * _PLACE_SIZE, _PLACE_SIZE))
        return Call(self._path, self._plain(self._arguments.read(offset, length)), self._function(at))

    def _function(self, at: int) -> bytes | Callable[..., Any]:
        function = self._functions.get(at)
        if function is None:
            function = self._plain(_read(os.path.join(self._folder, _FUNCTIONS, str(at))))
            if self._most_bytes > 0:
                if len(self._functions) >= 16:
                    self._functions.clear()
                self._functions[at] = function
        return function

    def _plain(self, text: bytes) -> Any:
        """What is pickled; still pickled if reading it could do more than make values and functions, or takes long."""
        if len(text) > self._most_bytes:
            return text
        try:
            return plain.loads(text)
        except plain.NotPlainError:
            return text


class _Ahead:
    """Reads from a file that does not change, with what follows."""

    def __init__(self, path: str, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._start = 0
        self._text = b""

    def read(self, offset: int, length: int) -> bytes:
        if length > self._most_bytes:
            return _read(self._path, offset, length)
        start = offset - self._start
        if not 0 <= start <= len(self._text) - length:
            self._text = _read(self._path, offset, self._most_bytes)
            self._start, start = offset, 0
        return self._text[start : start + length]


def run_call(folder: str, number: int, attempt: str, call: Call | None = None) -> bool:
    """In the job: runs a call and writes what it returned or raised.

    Args:
        attempt: which attempt of the job this is; no two have the same.
        call: what was read before.

    Returns:
        Whether it returned.
    """
    try:
        call = call if call is not None else Folder(folder).call(number)
        sys.path.extend(call.path)
        arguments, function = call.arguments, call.function
        words, named = pickle.loads(arguments) if isinstance(arguments, bytes) else arguments
        if isinstance(function, bytes):
            function = pickle.loads(function)
        value = function(*words, **named)
        outcome = _returned(function, value)
        has_returned = True
    except BaseException as error:  # also SystemExit: the job says how it ended
        import traceback  # noqa: PLC0415

        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        outcome = [_raised(error, text)]
        has_returned = False
        traceback.print_exc()
    is_small = len(outcome) == 1 and len(outcome[0]) <= LARGEST
    segment = call.segment if call is not None and is_small else None
    if segment is None or not segment.append(number, attempt, outcome[0]):
        path = _result_path(folder, number, attempt)
        _write(f"{path}.new", *outcome)
        os.rename(f"{path}.new", path)
    return has_returned


class Results:
    """Reads the results of a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._segments = Segments(os.path.join(folder, _SEGMENTS))

    def take(self, number: int, attempt: str) -> tuple[bool, Any]:
        """Whether the call returned, and what it returned or raised. A small one of a fork server is read once.

        Raises:
            FileNotFoundError: this attempt has written none: it was killed, or its node died.
        """
        result = self._segments.take(number, attempt)
        if result is None:
            result = _read(_result_path(self._folder, number, attempt))
        has_returned, value = pickle.loads(result)
        if has_returned:
            return True, value
        error, text = value
        error.__cause__ = RemoteTraceback(text)
        return False, error


def open_segment(folder: str) -> Segment | None:
    """For the small results of calls; None where there can be none, and each gets a file."""
    try:
        return Segment(os.path.join(folder, _SEGMENTS))
    except OSError:
        return None


def import_path() -> list[str]:
    """Where this program finds its modules."""
    return [os.path.abspath(each) for each in sys.path]


def extend_import_path(folders: Sequence[str]) -> None:
    """Finds modules also where the program does that asked."""
    sys.path.extend(each for each in folders if each not in sys.path)


def _result_path(folder: str, number: int, attempt: str) -> str:
    return os.path.join(folder, _RESULTS, str(number // _IN_ONE_FOLDER), f"{number}.{attempt}")


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__


def _pickled(value: object, what: str) -> bytes:
    import cloudpickle  # noqa: PLC0415

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        hint = "Open files, locks, connections and generators inside the function, and pass data or the names of files."
        raise TypeError(f"{what} cannot pass between programs: {error}\n{hint}") from error


def _raised(error: BaseException, text: str) -> bytes:
    import cloudpickle  # noqa: PLC0415

    try:
        outcome = cloudpickle.dumps((False, (error, text)))
        # one that cannot be read back would hide the traceback
        pickle.loads(outcome)
        return bytes(outcome)
    except Exception:
        return bytes(cloudpickle.dumps((False, (RuntimeError(f"{type(error).__name__}: {error}"), text))))


def _returned(function: Callable[..., Any], value: object) -> list[bytes]:
    """In pieces, so that large bytes are not copied."""
    if type(value) is bytes and len(value) > LARGEST:
        pieces = _Pieces()
        pickle.Pickler(pieces, -1).dump((True, value))
        return pieces.all
    if type(value) in _SIMPLE:
        return [pickle.dumps((True, value), -1)]
    try:
        return [plain.dumps((True, value))]
    except Exception:  # also one of a type that fails: it is said below
        pass
    return [_pickled((True, value), f"what {_name(function)} returned, a {type(value).__name__},")]


class _Pieces:
    """A file for pickles that keeps what is written."""

    def __init__(self) -> None:
        self.all: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self.all.append(piece)


def _read(path: str, offset: int = 0, size: int | None = None) -> bytes:
    """``size``: at most; all by default."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        left = os.fstat(file).st_size - offset if size is None else size
        pieces = []
        while left > 0:
            piece = os.pread(file, left, offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    finally:
        os.close(file)


def _write(path: str, *pieces: bytes) -> None:
    with open(path, "wb") as file:
        file.writelines(pieces)
