"""The lines of ColonyOS's workflow tutorial with another import and connection; a labeled worker is the executor."""

from __future__ import annotations

from torc_hpc import Torc
from torc_hpc.colonies import Colonies, ProcessGraph, Workflow, func_spec

client = Colonies
colony_name = "test"
prvkey = "your_private_key"


def run(torc: Torc, graph: ProcessGraph) -> ProcessGraph:
    """The executor."""
    torc.call("jobs", "run", graph.processgraphid, "--label", "python-executor", expected=(0, 1))
    return Colonies().get_processgraph(graph.processgraphid, prvkey)


def outputs(graph: ProcessGraph) -> dict[str, object]:
    client = Colonies()
    processes = [client.get_process(pid, prvkey) for pid in graph.processids]
    return {process.spec.nodename: process.output for process in processes}


def test_two_steps(torc: Torc) -> None:
    client = Colonies()

    # Define functions
    def gen_nums(ctx={}):
        return 1, 2

    def sum_nums(n1, n2, ctx={}):
        return n1 + n2

    # Create workflow
    wf = Workflow(colonyname=colony_name)

    # First function - generates data
    f1 = func_spec(
        func=gen_nums,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=100,
        maxwaittime=100,
    )
    wf.functionspecs.append(f1)

    # Second function - depends on first
    f2 = func_spec(
        func=sum_nums,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=100,
        maxwaittime=100,
    )
    f2.conditions.dependencies.append("gen_nums")
    wf.functionspecs.append(f2)

    # Submit workflow
    processgraph = client.submit_workflow(wf, prvkey)
    print(f"Workflow submitted: {processgraph.processgraphid}")

    assert processgraph.state == Colonies.WAITING
    done = run(torc, processgraph)
    assert done.state == Colonies.SUCCESSFUL
    assert outputs(done) == {"gen_nums": [1, 2], "sum_nums": 3}


def test_several_dependencies(torc: Torc) -> None:
    client = Colonies()

    def fetch_a(ctx={}):
        return {"source": "A", "value": 10}

    def fetch_b(ctx={}):
        return {"source": "B", "value": 20}

    def merge(a, b, ctx={}):
        return a["value"] + b["value"]

    wf = Workflow(colonyname=colony_name)

    # Two parallel fetchers
    f_a = func_spec(
        func=fetch_a,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=60,
        maxwaittime=60,
    )
    wf.functionspecs.append(f_a)

    f_b = func_spec(
        func=fetch_b,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=60,
        maxwaittime=60,
    )
    wf.functionspecs.append(f_b)

    # Merge depends on both fetchers
    f_merge = func_spec(
        func=merge,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=60,
        maxwaittime=60,
    )
    f_merge.conditions.dependencies.append("fetch_a")
    f_merge.conditions.dependencies.append("fetch_b")
    wf.functionspecs.append(f_merge)

    processgraph = client.submit_workflow(wf, prvkey)
    assert outputs(run(torc, processgraph))["merge"] == 30


def test_map_and_reduce(torc: Torc) -> None:
    client = Colonies()
    colonies = client

    def map(ctx={}):
        code = """def gen_nums(ctx={}):
    return 1, 2"""

        processgraphid = ctx["process"].processgraphid
        map_processid = ctx["process"].processid
        executor_prvkey = ctx["executor_prvkey"]

        # Get the processgraph
        processgraph = colonies.get_processgraph(processgraphid, executor_prvkey)

        # Find the reduce process
        reduce_process = colonies.find_process("reduce", processgraph.processids, executor_prvkey)
        reduce_processid = reduce_process.processid

        # Add child processes dynamically
        insert = True
        for i in range(5):
            f = func_spec(
                func="gen_nums",
                args=[],
                colonyname=ctx["colonyname"],
                executortype="python-executor",
                maxexectime=100,
                maxwaittime=100,
                code=code,
            )
            colonies.add_child(
                processgraphid, map_processid, reduce_processid, f, f"gen_nums_{i}", insert, executor_prvkey
            )
            insert = False

    def reduce(*nums, ctx={}):
        total = 0
        for n in nums:
            total += n
        return total

    wf = Workflow(colonyname=colony_name)

    # Map function
    f_map = func_spec(
        func=map,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=100,
        maxwaittime=100,
    )
    wf.functionspecs.append(f_map)

    # Reduce function - depends on map
    f_reduce = func_spec(
        func=reduce,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=100,
        maxwaittime=100,
    )
    f_reduce.conditions.dependencies.append("map")
    wf.functionspecs.append(f_reduce)

    processgraph = client.submit_workflow(wf, prvkey)
    # Result: (1+2) * 5 = 15
    done = run(torc, processgraph)
    assert len(done.processids) == 7
    assert outputs(done)["reduce"] == 15

    # Get workflow status
    processgraph = client.get_processgraph(processgraph.processgraphid, prvkey)
    print(f"State: {processgraph.state}")
    print(f"Processes: {len(processgraph.processids)}")

    # Get individual process details
    for pid in processgraph.processids:
        process = client.get_process(pid, prvkey)
        print(f"  {process.spec.funcname}: {process.state}")
        assert process.state == Colonies.SUCCESSFUL


def test_a_function_that_raises_is_tried_again_and_fails(torc: Torc) -> None:
    def my_function(ctx={}):
        raise ValueError("no")

    wf = Workflow(colonyname=colony_name)
    f = func_spec(
        func=my_function,
        args=[],
        colonyname=colony_name,
        executortype="python-executor",
        maxexectime=300,  # 5 minutes max execution
        maxwaittime=60,  # 1 minute to find executor
        maxretries=3,  # Retry up to 3 times on failure
    )
    wf.functionspecs.append(f)
    graph = run(torc, Colonies().submit_workflow(wf, prvkey))
    assert graph.state == Colonies.FAILED
    assert len(torc.records("results", "list", "-k", graph.processgraphid)) == 4
