from __future__ import annotations

import concurrent.futures
import json
import os
import pickle
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import torc_hpc
from torc_hpc import Executor, JobFailed, Torc, TorcError, task
from torc_hpc.exchange import Calls, RemoteTraceback, Results, run_call


def test_maps_in_order_here_and_as_a_task() -> None:
    assert torc_hpc.map(lambda x, y: x * y, range(4), range(4)) == [0, 1, 4, 9]

    @task(memory="200m", runtime="PT5M", max_retries=1)
    def name_of_job(n: int) -> tuple[int, str]:
        """Its own documentation."""
        return n, os.environ["TORC_JOB_NAME"]

    assert name_of_job.__doc__ == "Its own documentation."
    assert name_of_job.map([7]) == [(7, "name_of_job_0")]


@pytest.mark.usefixtures("patient")
def test_a_function_that_raises_gives_its_exception_with_its_traceback() -> None:
    def breaks(n: int) -> int:
        return 1 // n

    with Executor() as pool:
        futures = [pool.submit(breaks, n) for n in (1, 0)]
        pool.flush()
        assert futures[0].result() == 1
        with pytest.raises(ZeroDivisionError) as raised:
            futures[1].result()
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "in breaks" in str(raised.value.__cause__)
    [key] = pool.workflow_keys
    assert pool.torc.call("status", key, expected=(0, 1))["num_failed"] == 1


def test_futures_complete_as_their_jobs_do() -> None:
    def wait_for(path: str) -> str:
        while not Path(path).exists():
            time.sleep(0.05)
        return path

    with Executor(max_workers=2) as pool:
        slow, fast = (pool.submit(wait_for, os.path.abspath(name)) for name in ("slow", "fast"))
        Path("fast").touch()
        try:
            first = next(concurrent.futures.as_completed([slow, fast]))
            assert first is fast
            while not slow.running():
                time.sleep(0.05)
            # what runs is not canceled, as in other executors
            assert not slow.cancel()
        finally:
            Path("slow").touch()
    assert slow.result().endswith("slow")


@pytest.mark.usefixtures("patient")
def test_what_waits_is_canceled_with_its_job(torc: Torc) -> None:
    def wait() -> None:
        while not Path("go").exists():
            time.sleep(0.05)

    here = os.getcwd()
    with Executor(max_workers=1) as pool:
        first = pool.submit(lambda: (os.chdir(here), wait()))
        second = pool.submit(pow, 2, 3)
        pool.flush()
        while not first.running():
            time.sleep(0.05)
        assert second.cancel()
        [key] = pool.workflow_keys
        while torc.records("jobs", "list", "-k", key, "-f", "name=pow_1")[0]["status"] != "canceled":
            time.sleep(0.1)
        # who waits for it is woken while the other one still runs
        assert concurrent.futures.wait([second], timeout=300).done == {second}
        Path("go").touch()
        with pytest.raises(concurrent.futures.CancelledError):
            second.result()


@pytest.mark.parametrize(
    "start", ["submit()", "thread = threading.Thread(target=submit, daemon=True); thread.start(); thread.join()"]
)
def test_a_program_ends_after_its_calls(start: str) -> None:
    program = f"""
import threading, torc_hpc
def submit():
    torc_hpc.Executor().submit(pow, 2, 3).add_done_callback(lambda it: print(it.result()))
{start}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("8\n", "")


def test_calls_that_come_slowly_are_collected_while_a_workflow_is_made() -> None:
    with Executor() as pool:
        for n in range(10):
            pool.submit(abs, n)
            # longer than it waits for more, and shorter than it takes to make a workflow
            time.sleep(0.05)
    assert len(pool.workflow_keys) < 10


def test_what_is_mapped_is_one_workflow_however_slowly_its_items_come() -> None:
    def slowly() -> Iterator[int]:
        for n in range(3):
            yield n
            # longer than calls are collected
            time.sleep(0.1)

    with Executor() as pool:
        assert list(pool.map(abs, slowly())) == [0, 1, 2]
    assert len(pool.workflow_keys) == 1


def test_items_are_one_workflow_on_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = set()
    submit = Executor.submit

    def slowly(self: Executor, *words: Any) -> concurrent.futures.Future[Any]:
        future = submit(self, *words)
        # longer than calls are collected
        time.sleep(0.1)
        pools.add(self)
        return future

    monkeypatch.setattr(Executor, "submit", slowly)
    assert torc_hpc.map(abs, range(3)) == [0, 1, 2]
    [pool] = pools
    assert len(pool.workflow_keys) == 1


def test_an_interrupt_ends_what_runs(torc: Torc) -> None:
    with pytest.raises(KeyboardInterrupt), Executor() as pool:
        future = pool.submit(time.sleep, 600)
        while not future.running():
            time.sleep(0.05)
        raise KeyboardInterrupt
    [key] = pool.workflow_keys
    assert torc.call("status", key, expected=(0, 1))["status"] == "canceled"
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()
    with pytest.raises(RuntimeError):
        pool.submit(pow, 2, 3)


def test_an_interrupt_of_what_waits_leaves_the_calls_alone(tmp_path: Path) -> None:
    # all processes of a terminal, or of a notebook's kernel, get the signal
    program = """
import concurrent.futures, os, signal, time, torc_hpc
# where it is ignored, as in the background of a script, it stays so
signal.signal(signal.SIGINT, signal.default_int_handler)
future = torc_hpc.Executor().submit(abs, -1)
while not os.path.exists("creates"):
    time.sleep(0.05)
try:
    os.killpg(0, signal.SIGINT)
    concurrent.futures.wait([future])
except KeyboardInterrupt:
    open("interrupted", "w").close()
print(future.result())
"""
    wait = "[[ \" $* \" != *' create '* ]] || { touch creates; until [[ -e interrupted ]]; do sleep 0.05; done; }"
    environment = {**os.environ, "TORC_PROGRAM": shlex.join(torc_after(wait, tmp_path).program)}
    words = [sys.executable, "-c", program]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, start_new_session=True)
    assert (ended.stdout, ended.stderr) == ("1\n", "")


def test_a_job_that_is_killed_has_no_result_and_says_why() -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with Executor() as pool, pytest.raises(JobFailed) as failed:
        pool.submit(die).result()
    assert failed.value.return_code == 137


def test_a_call_whose_process_ends_in_its_middle_has_no_result() -> None:
    with Executor() as pool, pytest.raises(JobFailed, match="ended without a result"):
        pool.submit(os._exit, 0).result()


def test_failures_of_jobs_pass_between_programs() -> None:
    failed = pickle.loads(pickle.dumps(JobFailed("7", "oom", 137)))
    assert (failed.job_key, failed.cause, failed.return_code) == ("7", "oom", 137)


def test_large_and_odd_values_arrive_whole() -> None:
    class Odd:
        def __init__(self, value: int) -> None:
            self.value = value

    def make(n: int) -> tuple[bytes, Odd]:
        return bytes([n]) * 1_000_000, Odd(n)

    for n, (content, odd) in enumerate(torc_hpc.map(make, range(20))):
        assert content == bytes([n]) * 1_000_000
        assert odd.value == n


def test_a_specification_that_is_refused_is_an_error_of_each_call() -> None:
    with Executor(labels=[""]) as pool, pytest.raises(torc_hpc.TorcError):
        pool.submit(pow, 2, 3).result()


def test_jobs_are_named_after_functions_and_braces_in_their_commands_mean_nothing(tmp_path: Path) -> None:
    with Executor(torc=Torc(str(tmp_path / "{call}"))) as pool:
        futures = [pool.submit(*words) for words in ((abs, -1), (abs, -2), (str, 3), (abs, -4))]
        assert [future.result() for future in futures] == [1, 2, "3", 4]
    with Executor() as other:
        assert list(other.map(abs, [-1, -2, -3])) == [1, 2, 3]
    names = [
        [job["name"] for job in each.torc.records("jobs", "list", "-k", each.workflow_keys[0])]
        for each in (pool, other)
    ]
    assert names == [["abs_0", "abs_1", "str_2", "abs_3"], ["abs_0", "abs_1", "abs_2"]]


def test_jobs_that_a_call_adds_are_not_of_the_executor() -> None:
    def add() -> str:
        return str(torc_hpc.add_children([{"name": "child", "command": "true"}])[0]["status"])

    assert torc_hpc.map(lambda _: add(), [0]) == ["blocked"]


def test_only_the_result_of_the_attempt_that_counts_is_read(tmp_path: Path) -> None:
    calls = Calls(str(tmp_path))
    calls.write([(lambda: os.environ["ATTEMPT"], (), {})])
    for attempt in ("1.1", "1.2"):
        os.environ["ATTEMPT"] = attempt
        assert run_call(calls.folder, 0, attempt)
    results = Results(calls.folder)
    assert results.take(0, "1.2") == (True, "1.2")
    with pytest.raises(FileNotFoundError):
        results.take(0, "1.3")


@pytest.mark.usefixtures("patient")
def test_calls_that_fit_no_worker_end_with_the_reason() -> None:
    with Executor(max_workers=1) as pool:
        fits = pool.submit(pow, 2, 3)
        huge = pool.submit(task(cpus=100_000)(abs), -1)
        pool.flush()
        assert fits.result() == 8
        with pytest.raises(TorcError, match="needs 100000 CPUs; no worker so far had more than") as raised:
            huge.result()
    assert "abs_1" in raised.value.message
    assert raised.value.hint is not None and "torc why" in raised.value.hint


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("dies", ["worker", "server"])
def test_a_worker_that_is_killed_is_replaced(dies: str, tmp_path: Path) -> None:
    def work(n: int) -> tuple[int, str]:
        attempt = os.environ["TORC_ATTEMPT_ID"]
        (tmp_path / f"ran_{n}_{attempt}").write_text(f"{os.getppid()}\n")
        while not (tmp_path / "go").exists():
            time.sleep(0.02)
        return n, attempt

    first = tmp_path / "ran_0_1"
    with Executor(max_workers=1, warm=False) as pool:
        futures = [pool.submit(work, n) for n in range(3)]
        pool.flush()
        while not first.exists() or not first.read_text().endswith("\n"):
            time.sleep(0.05)
        worker = parent_of(int(first.read_text()))
        os.kill(worker if dies == "worker" else parent_of(worker), signal.SIGKILL)
        (tmp_path / "go").touch()
        results = [future.result() for future in futures]
    assert [n for n, _ in results] == [0, 1, 2]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.usefixtures("patient")
def test_a_worker_that_is_always_killed_ends_its_calls_with_the_reason(tmp_path: Path) -> None:
    with Executor(torc=torc_after("[[ \" $* \" != *' jobs run '* ]] || kill -9 $$", tmp_path)) as pool:
        futures = [pool.submit(abs, n) for n in range(2)]
        pool.flush()
        for future in futures:
            with pytest.raises(TorcError, match="has not run") as raised:
                future.result()
            assert str(raised.value.__cause__) == "torc ended with -9"


def torc_after(script: str, folder: Path) -> Torc:
    """A program that runs some bash before it is torc."""
    program = folder / "torc"
    program.write_text(f'#!/bin/bash\n{script}\nexec {shlex.join(Torc().program)} "$@"\n')
    program.chmod(0o755)
    return Torc(program=[str(program)])


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("end", ["done", "disabled"])
def test_calls_are_canceled_beside_one_that_ends_meanwhile(end: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    program = shlex.join(Torc().program)
    list_over = f"{program} -F json jobs list -k 1 -f status={end}"
    begin = f"touch {go}" if end == "done" else f"{program} jobs disable 2 >&2"
    # as the first command comes to cancel the second and the third call, the second one ends
    torc = torc_after(
        f"""
if [[ " $* " == *' jobs cancel '* && ! -e {go} ]]; then
  {begin}
  until {list_over} | grep -q '"job_key":"2"'; do sleep 0.1; done
  touch {go}
fi""",
        tmp_path,
    )

    def call(n: int) -> int:
        while n == 2 or (n == 0 and not go.exists()):
            time.sleep(0.05)
        return n

    with Executor(torc=torc, max_workers=1) as pool:
        futures = [pool.submit(call, n) for n in range(3)]
        pool.flush()
        while not futures[0].running():
            time.sleep(0.05)
        assert futures[1].cancel()
        assert futures[2].cancel()
        assert futures[0].result() == 0


def test_an_older_torc_that_knows_no_fork_servers_runs_calls_without(tmp_path: Path) -> None:
    message = 'standard input:1:50: jobs[0].warm: unknown key "warm" in a job; the allowed keys are name, command'
    error = shlex.quote(json.dumps({"error": {"code": "invalid_spec", "message": message, "hint": None}}))
    refuse = f"""
if [[ " $* " == *' create '* ]]; then
  spec=$(cat)
  if [[ $spec == *'"warm"'* ]]; then echo {error} >&2; exit 2; fi
  exec <<<"$spec"
fi"""
    assert torc_hpc.map(abs, [-1, -2], torc=torc_after(refuse, tmp_path)) == [1, 2]


def test_an_older_torc_that_creates_and_starts_by_two_commands_runs_calls(tmp_path: Path) -> None:
    error = shlex.quote(json.dumps({"error": {"code": "usage", "message": "unknown option '--start'", "hint": None}}))
    refuse = f"""
if [[ " $* " == *' --start '* ]]; then cat >/dev/null; echo {error} >&2; exit 2; fi
if [[ " $* " == *' start '* ]]; then touch {shlex.quote(str(tmp_path / "started"))}; fi"""
    assert torc_hpc.map(abs, [-1, -2], torc=torc_after(refuse, tmp_path)) == [1, 2]
    assert (tmp_path / "started").exists()


def test_calls_among_whose_jobs_are_those_of_others_get_their_own_results(tmp_path: Path) -> None:
    # as if another program had made jobs at the same time
    between = """
if [[ " $* " == *' create '* ]]; then
  "${here[@]}" "$@" | sed 's/"last_job_key":"2"/"last_job_key":"3"/'
  exit
fi"""
    program = " ".join(shlex.quote(word) for word in Torc().program)
    assert torc_hpc.map(abs, [-1, -2], torc=torc_after(f"here=({program}){between}", tmp_path)) == [1, 2]


def test_calls_whose_allocations_have_all_ended_end_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torc_hpc.executor._SILENCE_SECONDS", 0.5)
    here = f"{shlex.join(Torc().program)} --dir {shlex.quote(Torc().directory)} -F json"
    # as if the allocations of the workflow had ended
    submit = f"""
if [[ " $* " == *' submit '* ]]; then
  {here} create -
  exec {here} start last >&2
fi"""
    with Executor(torc=torc_after(submit, tmp_path), slurm={"account": "abc", "walltime": "00:10:00"}) as pool:
        future = pool.submit(abs, -1)
        with pytest.raises(TorcError, match=r'has not run; .*\nOnly workers of Slurm config "calls" may take it'):
            future.result()


def test_what_cannot_be_pickled_is_named() -> None:
    lock = threading.Lock()

    def keeps() -> bool:
        return lock.locked()

    with Executor() as pool:
        assert_named(pool.submit(keeps), "keeps cannot pass between programs")
    with Executor() as pool:
        assert_named(pool.submit(print, lock), "an argument of print cannot pass")
    with Executor() as pool:
        assert_named(pool.submit(threading.Lock), "returned, a lock, cannot pass")


def assert_named(future: concurrent.futures.Future[object], words: str) -> None:
    with pytest.raises(TypeError, match="(?s)" + words + ".*cannot pickle.*names of files"):
        future.result()


def test_a_program_that_is_not_torc_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho 'unknown option -F' >&2; exit 2\n")
    other.chmod(0o755)
    with Executor(torc=Torc(program=[str(other)])) as pool, pytest.raises(TorcError, match=r"-F\n.*torc --version"):
        pool.submit(abs, 1).result()
    with pytest.raises(TorcError, match=r"nowhere/torc does not start: No such file.*\n.*TORC_PROGRAM"):
        Torc(program=["/nowhere/torc"]).call("list")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("num_before", [0, 1])
def test_maps_of_two_threads_are_a_workflow_each(num_before: int, torc: Torc) -> None:
    has_begun, is_done = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        has_begun.set()
        # while one thread is about to submit more, the other one gets its results
        assert is_done.wait(600)
        yield 2

    def double(n: int) -> int:
        return 2 * n

    with Executor() as pool, concurrent.futures.ThreadPoolExecutor() as threads:
        # they come with the first map
        before = [pool.submit(abs, -1) for _ in range(num_before)]
        slow = threads.submit(lambda: list(pool.map(double, items())))
        assert has_begun.wait(600)
        assert list(pool.map(double, range(3))) == [0, 2, 4]
        is_done.set()
        assert slow.result() == [2, 4]
        assert all(future.result() == 1 for future in before)
    keys = pool.workflow_keys
    assert sorted(len(torc.records("jobs", "list", "-k", key)) for key in keys) == sorted([2 + num_before, 3])
