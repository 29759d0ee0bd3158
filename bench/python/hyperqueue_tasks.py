"""``hyperqueue_tasks.py none|files|chain|diamond COUNT``: prints the seconds from the start of HyperQueue to the end of COUNT
times ``true`` in two slots. Its server and worker share this process, which is slower than its own program; results stay in
memory, and it is asked once a second whether they have ended."""

from __future__ import annotations

import sys
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def describe(shape, count):
    job = Job(max_fails=0)
    kept = {} if shape == "files" else {"stdout": None, "stderr": None}

    def add(after=()):
        return job.program(["true"], deps=after, **kept)

    if shape == "chain":
        last = [add()]
        for _ in range(count - 1):
            last = [add(last)]
    elif shape == "diamond":
        first = [add()]
        add([add(first) for _ in range(count - 2)])
    else:
        for _ in range(count):
            add()
    return job


if __name__ == "__main__":
    shape, count = sys.argv[1], int(sys.argv[2])
    begin = time.perf_counter()
    with LocalCluster(worker_config=WorkerConfig(cores=2)) as cluster:
        client = cluster.client()
        submitted = client.submit(describe(shape, count))
        assert client.wait_for_jobs([submitted])
        seconds = time.perf_counter() - begin
    print(seconds)
