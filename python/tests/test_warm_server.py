"""What a worker and a fork server say to each other, and the processes that wait until their jobs may begin."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Server:
    """A fork server, as a worker uses it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "torc_hpc.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.says() == ["ready"]

    def asks(self, key: int, turn: str, command: str, output: str | None = None) -> None:
        path = output or str(self._folder / f"{key}.out")
        variables = [f"TORC_ATTEMPT_KEY={key}", f"TORC_JOB_NAME=job {key}"]
        self.sends(key, turn, "place", path, f"{path}.err", command, "", "", *variables)

    def sends(self, *fields: object) -> None:
        text = b"".join(str(each).encode() + b"\0" for each in fields)
        assert self.process.stdin is not None
        self.process.stdin.write(struct.pack(">I", len(text)) + text)
        self.process.stdin.flush()

    def says(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().split()

    def output(self, key: int) -> str:
        return (self._folder / f"{key}.out").read_text()

    def children(self) -> set[int]:
        pid = self.process.pid
        return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    with made.process:
        yield made
        if made.process.poll() is None:
            for pid in made.children():
                os.kill(pid, signal.SIGKILL)
            made.process.kill()


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def begin(server: Server, tmp_path: Path, num_waiting: int) -> tuple[int, set[int]]:
    """A job that runs until its pipe is written to, and the processes of those that wait for its place."""
    os.mkfifo(tmp_path / "pipe")
    server.asks(1, "next", f"cat {tmp_path}/pipe")
    for key in range(2, 2 + num_waiting):
        server.asks(key, "next", f"echo $TORC_JOB_NAME; cut -d' ' -f6 /proc/$$/stat; echo {key} $$")
    # together with the first one the others are forked
    server.sends(1, "now", "")
    [word, key, pid, _] = server.says()
    assert (word, key) == ("pid", "1")
    waiting = server.children() - {int(pid)}
    assert len(waiting) == num_waiting
    return int(pid), waiting


def test_processes_of_waiting_jobs_begin_in_their_turn(server: Server, tmp_path: Path) -> None:
    first, waiting = begin(server, tmp_path, 3)
    # nothing of a job is done before its turn
    assert not any((tmp_path / f"{key}.out").exists() for key in (2, 3, 4))
    assert all(os.getsid(pid) == server.process.pid for pid in waiting)
    (tmp_path / "pipe").write_text("go\n")
    pids = []
    instants = []
    for key in (1, 2, 3, 4):
        if key > 1:
            [word, whose, pid, began] = server.says()
            assert (word, whose) == ("pid", str(key))
            pids.append(int(pid))
            instants.append(float(began))
        line = server.says()
        assert line[:3] == ["end", str(key), "0"]
        instants.append(float(line[8]))
        assert line[5:7] == ["gone", str(key + 1) if key < 4 else "-"]
    assert server.output(1) == "go\n"
    assert set(pids) == waiting
    for key, pid in zip((2, 3, 4), pids):
        assert server.output(key) == f"job {key}\n{pid}\n{key} {pid}\n"
    assert is_gone(first)
    # although several lines are told together
    assert instants == sorted(instants)


def test_a_job_whose_waiting_process_is_killed_runs(server: Server, tmp_path: Path) -> None:
    _, waiting = begin(server, tmp_path, 2)
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    (tmp_path / "pipe").write_text("")
    lines = [server.says() for _ in range(5)]
    assert [line[:2] for line in lines] == [["end", "1"], ["pid", "2"], ["end", "2"], ["pid", "3"], ["end", "3"]]
    assert [line[2] for line in lines if line[0] == "end"] == ["0", "0", "0"]
    assert server.output(3).startswith("job 3\n")


def test_the_process_of_a_job_that_is_taken_back_ends(server: Server, tmp_path: Path) -> None:
    first, _ = begin(server, tmp_path, 2)
    server.sends(2, "never")
    assert server.says() == ["withdrawn", "2"]
    server.sends(3, "never")
    assert server.says() == ["withdrawn", "3"]
    wait_for(lambda: server.children() == {first})
    assert not (tmp_path / "2.out").exists()


@pytest.mark.parametrize("end", ["killed", "closed"])
def test_processes_that_wait_end_with_the_server_and_jobs_do_not(server: Server, tmp_path: Path, end: str) -> None:
    first, waiting = begin(server, tmp_path, 3)
    if end == "killed":
        server.process.kill()
    else:
        assert server.process.stdin is not None
        server.process.stdin.close()
    server.process.wait()
    wait_for(lambda: all(is_gone(pid) for pid in waiting))
    assert not is_gone(first)
    (tmp_path / "pipe").write_text("still here\n")
    wait_for(lambda: is_gone(first))
    assert server.output(1) == "still here\n"


def test_a_job_whose_output_cannot_be_opened_has_not_begun(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server.asks(1, "now", "echo 1", str(tmp_path / "file" / "out"))
    assert server.says() == ["error", "1", "20", str(tmp_path / "file" / "out")]
    server.asks(2, "now", "exit 126")
    line = server.says()
    if line[0] == "pid":
        line = server.says()
    assert line[:3] == ["end", "2", str(126 << 8)]
