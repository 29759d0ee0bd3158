"""Small results of many calls in one file, to which the calls of one fork server append.

A record is appended by one write, before the end of its call is reported. What a call leaves that is killed as it
writes, or finds no space, is no record: its length or checksum is wrong, and the next mark is looked for.
"""

from __future__ import annotations

import os

__all__ = ["LARGEST", "NUMBER_SIZE", "Segment", "Segments", "packed", "unpacked"]

#: Of each number in a file. No module of C is loaded for these and for checksums: its pages are mapped in each fork.
NUMBER_SIZE = 8
#: A result that is larger gets a file of its own.
LARGEST = 1 << 16
#: Number of the call, length of the name of the attempt, length of the result, checksum.
_HEAD_SIZE = 4 * NUMBER_SIZE
#: The largest one that makes a checksum a single digit of an integer.
_PRIME = 1073741789
_DIGITS = frozenset("0123456789abcdef")
_NAME_SIZE = 32


class Segment:
    """A new one in ``folder``, to which this process and those that it forks append; without one nothing is kept.

    Raises:
        OSError: there can be none.
    """

    def __init__(self, folder: str | None) -> None:
        # before each record, so that it is found after one that is not whole
        self._mark = os.urandom(16)
        path, flags = os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        if folder is not None:
            path, flags = os.path.join(folder, self._mark.hex()), flags | os.O_CREAT | os.O_EXCL
        self._file = os.open(path, flags, 0o600)
        self._identity = _identity(self._file)

    def append(self, number: int, attempt: str, result: bytes) -> bool:
        """Whether all of it was written; otherwise it does not count."""
        name = attempt.encode()
        # written out: each function that is called here is some more pages in each fork
        checksum = int.from_bytes(b"%d %s %s" % (number, name, result), "big") % _PRIME
        first, second = number.to_bytes(8, "big"), len(name).to_bytes(8, "big")
        third, fourth = len(result).to_bytes(8, "big"), checksum.to_bytes(8, "big")
        record = b"".join((self._mark, first, second, third, fourth, name, result))
        try:
            # a program may have closed what it did not open, and opened something else
            return _identity(self._file) == self._identity and os.write(self._file, record) == len(record)
        except OSError:
            return False

    def close(self) -> None:
        os.close(self._file)


def _identity(file: int) -> tuple[int, int]:
    stat = os.fstat(file)
    return stat.st_dev, stat.st_ino


def packed(*numbers: int) -> bytes:
    return b"".join([each.to_bytes(NUMBER_SIZE, "big") for each in numbers])


def unpacked(text: bytes) -> list[int]:
    return [int.from_bytes(text[at : at + NUMBER_SIZE], "big") for at in range(0, len(text), NUMBER_SIZE)]


def _checksum(number: int, name: bytes, result: bytes) -> int:
    return int.from_bytes(b"%d %s %s" % (number, name, result), "big") % _PRIME


class Segments:
    """Reads the records of all segments in ``folder``, which grow meanwhile."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        #: How far each has been read.
        self._ends: dict[str, int] = {}
        self._results: dict[tuple[int, str], bytes] = {}

    def take(self, number: int, attempt: str) -> bytes | None:
        """The result of an attempt, once; None if there is none."""
        if (number, attempt) not in self._results:
            self._read_on()
        return self._results.pop((number, attempt), None)

    def _read_on(self) -> None:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return
        for name in names:
            # a file system may keep files of its own here, such as .nfs*
            if len(name) != _NAME_SIZE or not _DIGITS.issuperset(name):
                continue
            start = self._ends.get(name, 0)
            with open(os.path.join(self._folder, name), "rb") as file:
                file.seek(start)
                text = file.read()
            self._ends[name] = start + self._take_records(bytes.fromhex(name), text)

    def _take_records(self, mark: bytes, text: bytes) -> int:
        """Returns where the next record starts, or one that is not whole yet."""
        start = 0
        while True:
            end = self._take_record(text, start + len(mark)) if text.startswith(mark, start) else None
            if end is None:
                # each is written after the one before it
                end = text.find(mark, start + 1)
                if end < 0:
                    return start
            start = end

    def _take_record(self, text: bytes, at: int) -> int | None:
        """Returns its end; None if it is not whole."""
        first = at + _HEAD_SIZE
        if len(text) < first:
            return None
        number, name_size, size, checksum = unpacked(text[at:first])
        middle = first + name_size
        end = middle + size
        name, result = text[first:middle], text[middle:end]
        if len(text) < end or _checksum(number, name, result) != checksum:
            return None
        self._results[number, name.decode()] = result
        return end
