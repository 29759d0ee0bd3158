"""Calls of Python functions in a fork server: what several need is read once, before their processes are forked."""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import sys

from torc_hpc.exchange import Call, Folder, open_segment, run_call
from torc_hpc.segments import Segment
from torc_hpc.warm_job import CALL, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ReadCall", "WarmCalls"]

#: So much of the calls of a folder is read at once: more is more pages in each fork.
_READ_AHEAD = 1 << 16


class ReadCall:
    """A call that is about to run."""

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


class WarmCalls:
    """Finds the calls that commands run."""

    def __init__(self) -> None:
        #: Memory that calls share: one sets it that had to load cloudpickle.
        self._needs_more = mmap.mmap(-1, 1)
        #: By the commands without the numbers of the calls; None for commands of another kind.
        self._folders: dict[bytes, tuple[str, Folder, Segment | None] | None] = {}

    def find(self, text: bytes, variables: Mapping[bytes, bytes]) -> ReadCall | None:
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
        return ReadCall(call, [CALL, path, number.decode()], attempt.decode(), self._needs_more)

    def load_more(self) -> bool:
        """Loads what a call had to load itself, once, for all that follow. Whether there was something."""
        if self._needs_more[0] == 0:
            return False
        self._needs_more[0] = 0
        if "cloudpickle" in sys.modules:
            return False
        try:
            importlib.import_module("cloudpickle")
        except Exception:  # each call finds its own
            return False
        gc.freeze()
        return True

    def rehearsal(self, segment: Segment) -> ReadCall:
        """A call of nothing, whose result goes to ``segment``."""
        call = Call([], ((0,), {}), _identity)
        call.segment = segment
        return ReadCall(call, [CALL, "", "0"], "0.0", self._needs_more)

    def _open(self, start: bytes) -> tuple[str, Folder, Segment | None] | None:
        if len(self._folders) >= 8:
            self._forget()
        words = words_of(os.fsdecode(start))
        if len(words) != 4 or words[:3] != [sys.executable, "-m", CALL]:
            return None
        return words[3], Folder(words[3], _READ_AHEAD), open_segment(words[3])

    def _forget(self) -> None:
        for found in self._folders.values():
            if found is not None and found[2] is not None:
                found[2].close()
        self._folders.clear()


def _identity(value: object) -> object:
    return value
