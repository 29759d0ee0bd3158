"""How calls and results pass between programs, without torc."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from torc_hpc import plain
from torc_hpc.exchange import Calls, Folder, Results, open_segment, run_call
from torc_hpc.segments import LARGEST, Segment, Segments


def test_records_are_read_as_they_are_appended(tmp_path: Path) -> None:
    reader = Segments(str(tmp_path))
    assert reader.take(0, "1.1") is None
    one, other = Segment(str(tmp_path)), Segment(str(tmp_path))
    assert one.append(0, "1.1", b"a") and other.append(0, "1.2", b"b") and one.append(7, "2.10", b"")
    assert reader.take(0, "1.2") == b"b"
    assert reader.take(7, "2.10") == b""
    assert reader.take(0, "1.1") == b"a"
    assert reader.take(0, "2.10") is None
    # what a network file system keeps of a file that was removed while it was open
    (tmp_path / ".nfs000000000123456700000001").write_bytes(b"")
    assert one.append(0, "2.10", bytes(LARGEST))
    assert reader.take(0, "2.10") == bytes(LARGEST)


@pytest.mark.parametrize("has_been_read", [False, True])
def test_of_a_record_that_was_torn_at_any_place_nothing_is_read_and_all_others_are(
    tmp_path: Path, has_been_read: bool
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert Segment(str(whole)).append(3, "1.1", b"what was written")
    [file] = whole.iterdir()
    size = file.stat().st_size
    for kept in range(size + 1):
        folder = tmp_path / f"{kept} {has_been_read}"
        folder.mkdir()
        segment, reader = Segment(str(folder)), Segments(str(folder))
        [file] = folder.iterdir()
        assert segment.append(2, "1.1", b"before")
        start = file.stat().st_size
        assert segment.append(3, "1.1", b"what was written")
        os.truncate(file, start + kept)
        if has_been_read:
            assert reader.take(2, "1.1") == b"before"
            assert (reader.take(3, "1.1") is None) == (kept < size)
        assert segment.append(4, "1.1", b"after")
        assert reader.take(4, "1.1") == b"after"
        if not has_been_read:
            assert reader.take(3, "1.1") == (b"what was written" if kept == size else None)
            assert reader.take(2, "1.1") == b"before"


def test_what_was_damaged_is_not_read(tmp_path: Path) -> None:
    segment = Segment(str(tmp_path))
    assert segment.append(1, "1.1", b"abc") and segment.append(2, "1.1", b"def")
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"abc", b"abd"))
    reader = Segments(str(tmp_path))
    assert reader.take(1, "1.1") is None
    assert reader.take(2, "1.1") == b"def"


def test_a_result_for_which_there_is_no_space_or_no_segment_gets_a_file(tmp_path: Path) -> None:
    calls = Calls(str(tmp_path))
    calls.write([(lambda n: n, (n,), {}) for n in range(3)])
    folder, segment, results = Folder(calls.folder), open_segment(calls.folder), Results(calls.folder)
    assert segment is not None
    # a program may close all files, and open others
    segment.close()
    with open(tmp_path / "other", "xb") as other:
        for number in range(3):
            call = folder.call(number)
            call.segment = segment
            assert run_call(calls.folder, number, "1.1", call)
            assert results.take(number, "1.1") == (True, number)
        assert other.tell() == 0
    assert (tmp_path / "other").read_bytes() == b""


@pytest.mark.parametrize("size", [0, 1, LARGEST - 20, LARGEST, LARGEST + 1, 3_000_000])
def test_bytes_of_any_size_come_back_as_they_were(tmp_path: Path, size: int) -> None:
    calls = Calls(str(tmp_path))
    value = os.urandom(size)
    calls.write([(bytes, (value,), {})])
    call = Folder(calls.folder).call(0)
    call.segment = open_segment(calls.folder)
    assert run_call(calls.folder, 0, "1.1", call)
    assert Results(calls.folder).take(0, "1.1") == (True, value)
    # as a job that no fork server has started
    assert run_call(calls.folder, 0, "1.2")
    assert Results(calls.folder).take(0, "1.2") == (True, value)


@pytest.mark.parametrize("ahead", [0, 100, 1 << 20])
def test_calls_are_the_same_however_much_is_read_at_once(tmp_path: Path, ahead: int) -> None:
    calls = Calls(str(tmp_path))
    offset = 5
    functions = [lambda n, more=b"": (n + offset, len(more)), lambda n, more=b"": (n * offset, len(more))]
    calls.write([(functions[n % 2], (n,), {"more": bytes(n % 7 * 1000)}) for n in range(60)])
    folder, segment, results = Folder(calls.folder, ahead), open_segment(calls.folder), Results(calls.folder)
    for number in [*range(60), 3, 59, 0]:
        call = folder.call(number)
        call.segment = segment
        assert run_call(calls.folder, number, "1.1", call)
        value = number + offset if number % 2 == 0 else number * offset
        assert results.take(number, "1.1") == (True, (value, number % 7 * 1000))


class _Loud:
    """Something of a program runs when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def test_nothing_of_a_program_runs_before_the_process_of_its_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_module.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_module  # type: ignore[import-not-found]  # noqa: PLC0415

    touched = str(tmp_path / "touched")
    calls = Calls(str(tmp_path))
    loud = _Loud(touched)
    calls.write([(lambda: own_module.__name__, (), {}), (lambda: loud, (), {}), (len, (loud,), {}), (abs, (-3,), {})])
    del sys.modules["own_module"]
    folder = Folder(calls.folder, 1 << 20)
    read = [folder.call(number) for number in range(4)]
    assert "own_module" not in sys.modules
    assert not os.path.exists(touched)
    assert run_call(calls.folder, 0, "1.1", read[0])
    assert run_call(calls.folder, 1, "1.1", read[1])
    assert os.path.exists(touched)
    assert run_call(calls.folder, 3, "1.1", read[3])
    assert Results(calls.folder).take(0, "1.1") == (True, "own_module")
    assert Results(calls.folder).take(3, "1.1") == (True, 3)


_FUNCTIONS = """
import math
import os.path

K = [1, 2]

def plain(n): return n + 1
def defaults(n, m=5, *, k=(1, 2)): return n, m, k
def annotated(n: "int") -> "str": "says"; return str(n)
def uses_names(n): return [math.floor(n + 0.5), K, other(n), os.path.basename("a/b")]
def other(n): return uses_names if n < 0 else n * 2
def counts(n): return 0 if n < 1 else 1 + counts(n - 1)
def makes(n): return list(x * n for x in range(n))
def has_class(n):
    class Own:
        value = n
    return Own().value

def outer():
    seen = []
    def even(n): return n == 0 or odd(n - 1)
    def odd(n): return n != 0 and even(n - 1)
    def inner(n):
        seen.append(n)
        return even(n), seen
    inner.note = "noted"
    return inner

def unset():
    def inner(n): return n if n > 0 else late
    if False: late = 1
    return inner

inner, unbound, short = outer(), unset(), lambda n: n ** 2
"""


def test_functions_are_read_as_cloudpickle_reads_them() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(_FUNCTIONS, names)
    read = 0
    for name, function in names.items():
        if not hasattr(function, "__code__"):
            continue
        text = cloudpickle.dumps(function)
        ours, theirs = plain.loads(text), pickle.loads(text)
        read += 1
        if name not in ("outer", "unset"):
            assert ours(3) == theirs(3) == (function(3) if name != "inner" else (False, [3]))
        for each in (
            "__name__",
            "__qualname__",
            "__module__",
            "__doc__",
            "__annotations__",
            "__defaults__",
            "__dict__",
        ):
            assert getattr(ours, each) == getattr(theirs, each), (name, each)
        assert sorted(ours.__globals__) == sorted(theirs.__globals__)
    assert read == 13
    assert plain.loads(cloudpickle.dumps(names["outer"]))()(4) == (True, [4])


def test_what_could_run_something_is_not_read_as_plain() -> None:
    class Own:
        pass

    for value in (Own, Own(), Path("a"), len, lambda: (Own(), 1), 1j, of_a_module):
        with pytest.raises(plain.NotPlainError):
            plain.loads(cloudpickle.dumps(value))


def of_a_module() -> None:
    """Of a module: it is pickled by its name."""


def test_values_are_written_as_plain_only_if_they_are_read_as_they_were() -> None:
    values = [None, True, 3, 2.5, "a", b"b", bytearray(b"c"), [1, (2, {"a": {3}})], frozenset({4}), 1 << 70]
    for value in values:
        assert plain.loads(plain.dumps(value)) == value

    class Number(int):
        pass

    for other in (Number(3), [Number(3)], {1: lambda: 1}, int, len, of_a_module, ValueError("a"), 1j, range(3)):
        with pytest.raises(plain.NotPlainError):
            plain.dumps(other)
