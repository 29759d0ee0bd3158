"""Files through which functions and their results pass between the program that asks and the jobs that answer.

A folder holds the calls of one workflow, all in one file, and the results, one file for each attempt of a job. A result
counts only if torc says that this attempt is the one that ended the job: an attempt that was given up, and still
writes, is not read.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle

__all__ = ["Calls", "RemoteTraceback", "read_result", "run_call"]

_CALLS, _PLACES, _FUNCTIONS, _RESULTS, _PATH = "calls.pkl", "places", "functions", "results", "path.pkl"
_PLACE = struct.Struct("<QQI")
_IN_ONE_FOLDER = 1000


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
        os.makedirs(parent, mode=0o700, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="calls-", dir=parent)
        os.mkdir(os.path.join(self.folder, _FUNCTIONS))
        os.mkdir(os.path.join(self.folder, _RESULTS))

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
                places.write(_PLACE.pack(offset, len(call), at))
                offset += len(call)
                if number % _IN_ONE_FOLDER == 0:
                    os.mkdir(os.path.join(self.folder, _RESULTS, str(number // _IN_ONE_FOLDER)))


def run_call(folder: str, number: int, attempt: str) -> bool:
    """In the job: runs a call and writes what it returned or raised.

    Args:
        attempt: which attempt of the job this is; no two have the same.

    Returns:
        Whether it returned.
    """
    try:
        with open(os.path.join(folder, _PATH), "rb") as file:
            extend_import_path(pickle.load(file))
        with open(os.path.join(folder, _PLACES), "rb") as places:
            places.seek(number * _PLACE.size)
            offset, length, at = _PLACE.unpack(places.read(_PLACE.size))
        with open(os.path.join(folder, _CALLS), "rb") as file:
            file.seek(offset)
            words, named = pickle.loads(file.read(length))
        with open(os.path.join(folder, _FUNCTIONS, str(at)), "rb") as file:
            function = pickle.load(file)
        value = function(*words, **named)
        outcome = _pickled((True, value), f"what {_name(function)} returned, a {type(value).__name__},")
        has_returned = True
    except BaseException as error:  # also SystemExit: the job says how it ended
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        outcome = _raised(error, text)
        has_returned = False
        traceback.print_exc()
    path = _result_path(folder, number, attempt)
    _write(f"{path}.new", outcome)
    os.rename(f"{path}.new", path)
    return has_returned


def read_result(folder: str, number: int, attempt: str) -> tuple[bool, Any]:
    """Whether the call returned, and what it returned or raised.

    Raises:
        FileNotFoundError: this attempt has written none: it was killed, or its node died.
    """
    with open(_result_path(folder, number, attempt), "rb") as file:
        has_returned, value = pickle.load(file)
    if has_returned:
        return True, value
    error, text = value
    error.__cause__ = RemoteTraceback(text)
    return False, error


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
    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        hint = "Open files, locks, connections and generators inside the function, and pass data or the names of files."
        raise TypeError(f"{what} cannot pass between programs: {error}\n{hint}") from error


def _raised(error: BaseException, text: str) -> bytes:
    try:
        outcome = cloudpickle.dumps((False, (error, text)))
        # one that cannot be read back would hide the traceback
        pickle.loads(outcome)
        return bytes(outcome)
    except Exception:
        return bytes(cloudpickle.dumps((False, (RuntimeError(f"{type(error).__name__}: {error}"), text))))


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
