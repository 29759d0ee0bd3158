"""``calls.py torc|parsl numbers|megabytes COUNT``: prints the seconds from the first call to the last result."""

from __future__ import annotations

import sys
import time


def number(n):
    return n


def megabyte(n):
    return bytes([n % 256]) * 1_000_000


def by_torc(function, count):
    from torc_hpc import Executor

    begin = time.perf_counter()
    with Executor(max_workers=2) as pool:
        check(function, pool.map(function, range(count)))
        # what follows the last result is the end of the worker
        return time.perf_counter() - begin


def by_parsl(function, count):
    import parsl
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    provider = LocalProvider(init_blocks=1, max_blocks=1)
    workers = HighThroughputExecutor(
        max_workers_per_node=2, address="127.0.0.1", provider=provider
    )
    parsl.load(Config(executors=[workers], run_dir="parsl"))
    call = parsl.python_app(function)
    begin = time.perf_counter()
    futures = [call(n) for n in range(count)]
    check(function, (future.result() for future in futures))
    seconds = time.perf_counter() - begin
    parsl.dfk().cleanup()
    return seconds


def check(function, results):
    count = 0
    for n, result in enumerate(results):
        assert result == function(n), n
        count = n + 1
    assert count == int(sys.argv[3]), count


if __name__ == "__main__":
    calls = {"torc": by_torc, "parsl": by_parsl}[sys.argv[1]]
    print(
        calls({"numbers": number, "megabytes": megabyte}[sys.argv[2]], int(sys.argv[3]))
    )
