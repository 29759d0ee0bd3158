"""Calls that a fork server starts: one Python for all of a worker, a process of its own for each."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import sys
import time
from pathlib import Path

import pytest

import torc_hpc
from torc_hpc import Executor, JobFailed, Torc, Workflow
from torc_hpc.exchange import RemoteTraceback


def wait_until_gone(pid: int) -> None:
    while True:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.05)


def _job_key(path: Path) -> int:
    return int(path.stem.split("_")[1])


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_one_python_starts_all_calls_and_ends_with_its_worker() -> None:
    # in here, so that no call imports this module, which takes longer than all else of it
    def where(n: int) -> tuple[int, int, bool, str]:
        """The parent of a call, whether it leads its session, and its job."""
        return n, os.getppid(), os.getsid(0) == os.getpid(), os.environ["TORC_JOB_NAME"]

    places = torc_hpc.map(where, range(300), max_workers=2)
    assert [place[0] for place in places] == list(range(300))
    assert all(leads for _, _, leads, _ in places)
    assert len({name for *_, name in places}) == 300
    [server] = {parent for _, parent, *_ in places}
    wait_until_gone(server)

    [(_, starter, leads, _)] = torc_hpc.map(where, range(1), warm=False)
    assert leads
    assert starter != server


def test_calls_share_nothing_but_what_is_imported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("drawn.py").write_text("import os\nowner = os.getpid()\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def change(_: int) -> tuple[int, int, str | None]:
        import drawn  # noqa: PLC0415

        before = os.environ.get("CHANGED")
        os.environ["CHANGED"] = "yes"
        return drawn.owner, os.getpid(), before

    own = torc_hpc.map(change, range(3), max_workers=1)
    assert all(owner == pid and before is None for owner, pid, before in own)
    shared = torc_hpc.map(change, range(3), max_workers=1, warm=["drawn"])
    assert len({owner for owner, *_ in shared}) == 1
    assert all(owner != pid and before is None for owner, pid, before in shared)


def test_what_results_need_is_loaded_once() -> None:
    def call(n: int) -> tuple[bool, complex]:
        return "cloudpickle" in sys.modules, complex(0, n)

    results = torc_hpc.map(call, range(4), max_workers=1)
    assert results == [(False, 0j), (True, 1j), (True, 2j), (True, 3j)]


def test_what_a_module_prints_and_reads_as_it_is_imported_is_not_in_the_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("loud.py").write_text(
        "import os, sys\nowner = os.getpid()\nprint('imported')\nos.write(1, b'a banner ')\nsaid = sys.stdin.read()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def call(_: int) -> tuple[bool, str]:
        import loud  # noqa: PLC0415

        return loud.owner == os.getpid(), loud.said

    assert torc_hpc.map(call, range(3), max_workers=1, warm=["loud"]) == [(False, "")] * 3


@pytest.mark.usefixtures("patient")
def test_raises_prints_and_exits_as_in_a_python_of_its_own(torc: Torc) -> None:
    def says(n: int) -> int:
        print("out", n)
        print("err", n, file=sys.stderr)
        if n == 1:
            raise ValueError("one")
        if n == 2:
            sys.exit(7)
        return n

    with Executor() as pool:
        futures = [pool.submit(says, n) for n in range(3)]
        pool.flush()
        concurrent.futures.wait(futures)
    assert futures[0].result() == 0
    with pytest.raises(ValueError, match="one") as raised:
        futures[1].result()
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "in says" in str(raised.value.__cause__)
    with pytest.raises(SystemExit):
        futures[2].result()
    [key] = pool.workflow_keys
    rows = torc.records("results", "list", "-k", key)
    assert {row["job_name"]: row["return_code"] for row in rows} == {"says_0": 0, "says_1": 1, "says_2": 1}
    for n in range(3):
        said = torc.call("jobs", "logs", f"says_{n}", "-k", key)
        assert said["stdout"] == f"out {n}\n"
        assert said["stderr"].splitlines()[0] == f"err {n}"


def test_limits_hold_and_descendants_end_with_their_call(tmp_path: Path) -> None:
    def leaves(path: str) -> None:
        # a daemon: of its own session, and its parent has ended
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                Path(path).write_text(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        while not Path(path).exists() or not Path(path).read_text():
            time.sleep(0.05)
        if path.endswith("late"):
            time.sleep(600)

    def grows(_: int) -> int:
        kept = bytearray(400_000_000)
        time.sleep(600)
        return len(kept)

    late, early = str(tmp_path / "late"), str(tmp_path / "early")
    with Executor(runtime="PT8S") as pool:
        timed, left = pool.submit(leaves, late), pool.submit(leaves, early)
        concurrent.futures.wait([timed, left])
    assert left.result() is None
    with pytest.raises(JobFailed, match="job_timeout"):
        timed.result()
    with Executor(memory="150m") as pool, pytest.raises(JobFailed, match="oom"):
        pool.submit(grows, 0).result()
    for path in (late, early):
        wait_until_gone(int(Path(path).read_text()))


@pytest.mark.usefixtures("patient")
def test_a_fork_server_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    def work(n: int) -> tuple[int, str]:
        attempt = os.environ["TORC_ATTEMPT_ID"]
        with open(tmp_path / "servers", "a") as file:
            file.write(f"{os.getppid()}\n")
        if n == 2 and not (tmp_path / "first").exists():
            (tmp_path / "first").write_text(str(os.getpid()))
            # most often before the server has said that this call has begun
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        if n == 2:
            try:
                state = Path(f"/proc/{(tmp_path / 'first').read_text()}/stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                state = "Z"
            assert state == "Z"
        return n, attempt

    with Executor(max_workers=1) as pool:
        futures = [pool.submit(work, n) for n in range(12)]
        pool.flush()
        results = [future.result() for future in futures]
    assert [n for n, _ in results] == list(range(12))
    assert results[2] == (2, "2")
    assert len(set((tmp_path / "servers").read_text().split())) == 2


@pytest.mark.usefixtures("patient")
def test_a_worker_that_is_killed_loses_and_doubles_nothing(tmp_path: Path, torc: Torc) -> None:
    go, ran = tmp_path / "go", tmp_path / "ran"

    def work(n: int) -> tuple[int, int]:
        with open(ran, "a") as file:
            file.write(f"{os.environ['TORC_WORKER_ID']} {os.getppid()} {os.getpid()}\n")
        while not go.exists():
            time.sleep(0.02)
        return n, os.getpid()

    ran.touch()
    torc.call("server", "start", "--daemon")
    try:
        with Executor(max_workers=1) as pool:
            futures = [pool.submit(work, n) for n in range(100)]
            pool.flush()
            while not ran.read_text().endswith("\n"):
                time.sleep(0.05)
            own = ran.read_text().split()[0]
            [key] = pool.workflow_keys
            other = torc.start("jobs", "run", key, "--output", str(tmp_path / "other"), "--max-parallel-jobs", "1")
            while len(ran.read_text().splitlines()) < 2:
                time.sleep(0.05)
            [[server, call]] = [[int(pid) for pid in rest] for who, *rest in _rows(ran) if who != own]
            # its call waits, and others that it has been given
            os.kill(_parent_of(server), signal.SIGKILL)
            other.communicate()
            wait_until_gone(server)
            os.kill(call, signal.SIGKILL)
            go.touch()
            results = [future.result() for future in futures]
    finally:
        torc.call("server", "stop")
    assert [n for n, _ in results] == list(range(100))
    assert len({pid for _, pid in results}) == 100


def _rows(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def test_a_server_that_cannot_start_costs_nothing_but_time() -> None:
    workflow = Workflow("cold")
    for n in range(5):
        workflow.add_job(f"a{n}", "test -z", warm="exit 3")
    assert workflow.run() == "done"


def test_commands_run_as_they_would_without(tmp_path: Path) -> None:
    Path("script.py").write_text("import sys, os\nprint(sys.argv, __name__, sys.path[0] == os.getcwd())\n")
    server = f"'{sys.executable}' -m torc_hpc.warm"
    commands = {
        "script": f"'{sys.executable}' script.py 'a b'",
        "module": f"'{sys.executable}' -m json.tool --help",
        "text": f"'{sys.executable}' -c 'print(1)' | cat",
        "shell": 'echo "$TORC_JOB_NAME"; exit 0',
        "code": f"'{sys.executable}' -c 'raise SystemExit(3)'",
    }
    said = []
    for start in ({}, {"warm": server}):
        workflow = Workflow("commands")
        for name, command in commands.items():
            workflow.add_job(name, command, **start)
        output = tmp_path / ("warm" if start else "cold")
        assert workflow.run(output=str(output)) == "failed"
        codes = {row["job_name"]: row["return_code"] for row in workflow.results()}
        said.append((codes, [path.read_text() for path in sorted(output.glob("job_stdio/**/*.out"), key=_job_key)]))
    assert said[0] == said[1]
    assert said[0][0] == {"script": 0, "module": 0, "text": 0, "shell": 0, "code": 3}
    assert said[0][1][0] == "['script.py', 'a b'] __main__ True\n"


def test_large_results_arrive_whole() -> None:
    results = torc_hpc.map(lambda n: bytes([n % 256]) * 1_000_000, range(40), max_workers=2)
    assert all(result == bytes([n % 256]) * 1_000_000 for n, result in enumerate(results))


def test_jobs_that_say_nothing_else_keep_their_fork_server(torc: Torc) -> None:
    workflow = Workflow("kept")
    workflow.add_job("a", "true", warm="./serve")
    workflow.create()
    [row] = workflow.jobs()
    assert torc.call("jobs", "show", row["job_key"])["launch"] == {"warm": "./serve"}
