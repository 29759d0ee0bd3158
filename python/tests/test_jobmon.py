"""The lines of Jobmon's page on workflows, with other imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from torc_hpc import Torc, TorcError
from torc_hpc.jobmon import Task, Tool, WorkflowRunStatus


def test_arguments_say_which_workflow_it_is(torc: Torc) -> None:
    tool = Tool(name="my_application")

    workflow = tool.create_workflow(name="my_workflow", workflow_args="version_1")
    workflow.add_tasks([{"name": "only", "command": "true"}])
    result = workflow.run()
    assert result == WorkflowRunStatus.DONE

    # These are two different workflows
    wf1 = tool.create_workflow(name="pipeline", workflow_args="v1")
    wf2 = tool.create_workflow(name="pipeline", workflow_args="v2")

    # This resumes wf1 if it exists
    wf1_resumed = tool.create_workflow(name="pipeline", workflow_args="v1")

    for each in (wf1, wf2, wf1_resumed):
        each.add_tasks([Task("test -e data", name="only")])
    assert wf1.run() == WorkflowRunStatus.ERROR
    assert wf2.run() == WorkflowRunStatus.ERROR
    assert wf1.workflow_id != wf2.workflow_id
    with pytest.raises(TorcError) as refused:
        wf1_resumed.run()
    assert refused.value.code == "conflict"
    Path("data").touch()
    assert wf1_resumed.run(resume=True) == WorkflowRunStatus.DONE
    assert wf1_resumed.workflow_id == wf1.workflow_id
    with pytest.raises(TorcError) as complete:
        wf1_resumed.run(resume=True)
    assert complete.value.code == "already_complete"


def test_options_attributes_and_results(torc: Torc) -> None:
    tool = Tool(name="my_application")

    workflow = tool.create_workflow(
        name="my_workflow",
        workflow_args="v1",
        workflow_attributes={"release_id": 123, "description": "Production run for Q4"},
    )
    fetch = Task("echo fetched", name="fetch")
    check = Task("test -e data", name="check", upstream_tasks=[fetch])
    workflow.add_tasks([fetch, check, Task("true", name="report", upstream_tasks=[check])])

    status = workflow.run(
        resume=True,  # Resume if workflow exists
        fail_fast=True,  # Stop on first failure
        seconds_until_timeout=7200,  # 2 hour timeout
    )
    said = ""
    if status == WorkflowRunStatus.DONE:
        said = "Workflow completed successfully!"
    elif status == WorkflowRunStatus.ERROR:
        said = "Workflow failed - check task statuses"
    assert said == "Workflow failed - check task statuses"
    [stored] = torc.records("workflows", "list", "-f", "attribute.release_id=123")
    assert stored["workflow_key"] == workflow.workflow_id

    Path("data").touch()
    # Use the same workflow_args
    workflow = tool.create_workflow(
        name="my_workflow",
        workflow_args="v1",
        workflow_attributes={"release_id": 123, "description": "Production run for Q4"},
    )
    fetch = Task("echo fetched", name="fetch")
    check = Task("test -e data", name="check", upstream_tasks=[fetch])
    workflow.add_tasks([fetch, check, Task("true", name="report", upstream_tasks=[check])])
    assert workflow.run(resume=True) == WorkflowRunStatus.DONE
    runs = torc.records("results", "list", "-k", str(workflow.workflow_id), "-f", "job_name=fetch")
    assert len(runs) == 1


def test_limits_templates_and_resources(torc: Torc) -> None:
    tool = Tool(name="my_application")
    workflow = tool.create_workflow(name="my_workflow", max_concurrently_running=500)
    template = tool.get_task_template(
        template_name="fit", command_template="echo {location} {model}", node_args=["location"], task_args=["model"]
    )
    resources = {"cores": 1, "memory": 0.25, "runtime": 60}
    fits = [
        template.create_task(location=location, model="m", max_attempts=3, compute_resources=resources)
        for location in (1, 2)
    ]
    workflow.add_tasks([*fits, Task("true", upstream_tasks=fits)])
    assert workflow.run() == WorkflowRunStatus.DONE
    jobs = torc.records("jobs", "list", "-k", str(workflow.workflow_id))
    assert [job["name"] for job in jobs] == ["fit_1_m", "fit_2_m", "task_3"]
    assert [job["memory_bytes"] for job in jobs[:2]] == [2**28, 2**28]
    assert torc.call("workflows", "show", str(workflow.workflow_id))["max_concurrent_jobs"] == 500


def test_tasks_come_in_any_order_and_a_bound_workflow_runs(torc: Torc) -> None:
    for args in ("v1", ""):
        workflow = Tool(name="my_application").create_workflow(name="bound", workflow_args=args)
        first = Task("true")
        workflow.add_tasks([Task("true", upstream_tasks=[first]), first])
        key = workflow.bind()
        assert workflow.run() == WorkflowRunStatus.DONE
        assert workflow.workflow_id == key

    workflow = Tool(name="my_application").create_workflow(name="lacks one")
    workflow.add_task(Task("true", upstream_tasks=[Task("echo missing")]))
    with pytest.raises(TorcError, match="'echo missing', which was not added"):
        workflow.run()
