"""The torc program: every call of this package is one of its commands, with JSON as output."""

from __future__ import annotations

import codecs
import json
import os
import selectors
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import IO, Any

__all__ = ["Torc", "TorcError"]


class TorcError(Exception):
    """A command of torc failed.

    Attributes:
        code: what went wrong, as a word: ``usage``, ``not_found``, ``conflict``, ``already_complete`` ..
        message: the same as a sentence.
        hint: what helps, or None.
        exit_code: that of the command.
    """

    def __init__(self, code: str, message: str, hint: str | None = None, exit_code: int = 1) -> None:
        super().__init__(message if hint is None else f"{message}\n{hint}")
        self.code = code
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[Any, ...]:
        return (TorcError, (self.code, self.message, self.hint, self.exit_code))


def _program() -> list[str]:
    """The words that start torc: those of ``TORC_PROGRAM``, else ``torc`` on the ``PATH``."""
    stated = os.environ.get("TORC_PROGRAM")
    if stated:
        return shlex.split(stated)
    found = shutil.which("torc")
    if found is None:
        raise TorcError(
            "not_found",
            "there is no program torc on the PATH",
            "Install torc, or name it in the environment variable TORC_PROGRAM.",
        )
    return [found]


class Torc:
    """A server directory, and the program that works on it.

    Args:
        directory: the server directory; by default that of ``TORC_DIR``, else ``~/.torc``.
        program: the words that start torc; by default those of ``TORC_PROGRAM``, else ``torc`` on the ``PATH``.
    """

    def __init__(self, directory: str | None = None, program: Sequence[str] | None = None) -> None:
        stated = directory or os.environ.get("TORC_DIR") or os.path.join("~", ".torc")
        self.directory = os.path.abspath(os.path.expanduser(stated))
        self.program = list(program) if program is not None else _program()

    def words(self, *words: str) -> list[str]:
        """The whole command line of ``torc WORDS`` in this directory, with JSON as output."""
        return [*self.program, "--dir", self.directory, "-F", "json", "--no-prompts", *words]

    def call(self, *words: str, given: str | None = None, expected: Collection[int] = (0,)) -> Any:
        """Runs ``torc WORDS`` to its end.

        Args:
            given: its standard input.
            expected: exit codes that are no error.

        Returns:
            What it printed; None when it printed nothing.

        Raises:
            TorcError: it ended with another exit code.
        """
        try:
            done = subprocess.run(
                self.words(*words),
                input=given if given is not None else "",
                capture_output=True,
                text=True,
                check=False,
                # what interrupts a program interrupts its first thread, and what that calls
                start_new_session=threading.current_thread() is not threading.main_thread(),
            )
        except OSError as error:
            raise self._unusable(error) from error
        if done.returncode not in expected:
            raise error_of(done.stderr, done.returncode)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts ``torc WORDS`` and does not wait. It gets no Ctrl-C of this terminal."""
        try:
            return subprocess.Popen(
                self.words(*words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> TorcError:
        hint = "Install torc, or name it in the environment variable TORC_PROGRAM."
        return TorcError("not_found", f"the program {shlex.join(self.program)} does not start: {error.strerror}", hint)

    def records(self, *words: str) -> list[dict[str, Any]]:
        """The rows of a command that lists something."""
        reply = self.call(*words)
        rows: list[dict[str, Any]] = next(value for value in reply.values() if isinstance(value, list))
        return rows


def error_of(stderr: str, exit_code: int) -> TorcError:
    """What a command said on its standard error when it failed."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    for line in reversed(lines):
        try:
            stated = json.loads(line)["error"]
            return TorcError(stated["code"], stated["message"], stated.get("hint"), exit_code)
        except (ValueError, KeyError, TypeError):
            continue
    said = "\n".join(lines[-5:]) or f"torc ended with {exit_code}"
    # every torc that knows the options of this package says what is wrong as JSON
    hint = "This is no error that torc states. See whether torc --version is that of the package torc-hpc."
    return TorcError("failed", said, hint if exit_code > 0 else None, exit_code)


class Said:
    """What a command says on its standard error: notes go on to that of this program, its error is kept."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._error = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._file:
            for line in self._file:
                if line.startswith('{"error":'):
                    self._error = line
                else:
                    sys.stderr.write(line)

    def error(self) -> str:
        """Waits until it has said all."""
        self._reader.join()
        return self._error


def pieces_until(
    process: subprocess.Popen[str] | None, said: bytearray, file: IO[str], silence: float, is_over: Callable[[], bool]
) -> Iterator[bytes]:
    """What a file gives until its end, or until the end of a process, if one is given, or until it is over.

    Args:
        said: what the process writes to its standard error is added to it.
        is_over: asked after so many seconds of ``silence``.
    """
    beside = [] if process is None else [each for each in (process.stdout, process.stderr) if each is not None]
    with selectors.DefaultSelector() as selector:
        for each in (file, *beside):
            selector.register(each, selectors.EVENT_READ)
        while True:
            ready = selector.select(silence)
            if not ready and is_over():
                return
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                if piece:
                    if key.fileobj is file:
                        yield piece
                    elif process is not None and key.fileobj is process.stderr:
                        said += piece
                    continue
                selector.unregister(key.fileobj)
                if key.fileobj is file:
                    return
                beside.remove(key.fileobj)  # type: ignore[arg-type]
                if not beside:
                    return


def rows_of(pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The rows of a list while it is printed. A row may end before its line does: the comma comes with the next one."""
    decoder = json.JSONDecoder()
    characters = codecs.getincrementaldecoder("utf-8")("replace")
    text, is_open = "", False
    for piece in pieces:
        text += characters.decode(piece)
        if not is_open:
            _, bracket, rest = text.partition("[")
            if not bracket:
                continue
            text, is_open = rest, True
        while True:
            text = text.lstrip(",\n ")
            if not text.startswith("{"):
                break
            try:
                row, end = decoder.raw_decode(text)
            except ValueError:
                break
            text = text[end:]
            yield row
