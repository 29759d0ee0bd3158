from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from torc_hpc import Torc, TorcError, Workflow, WorkflowStatus, function_job
from torc_hpc.functions import add_children


def test_is_built_run_and_looked_at() -> None:
    workflow = Workflow("sweep", resource_requirements=[{"name": "small", "num_cpus": 1, "memory": "100m"}])
    fits = [
        workflow.add_job(f"fit_{n}", f"echo {n} > $TORC_RESULT_FILE", resource_requirements="small") for n in (1, 2)
    ]
    breaks = workflow.add_job("breaks [*?]", "echo no data >&2; exit 3", depends_on=fits)
    workflow.add_job("never", "true", depends_on=[breaks])
    assert repr(workflow) == "<Workflow sweep, 4 jobs>"
    assert workflow.run() == WorkflowStatus.FAILED
    assert workflow.result(fits[1]) == 2
    assert [row["job_name"] for row in workflow.failures()] == ["breaks [*?]"]
    assert workflow.why(breaks) == ["It failed with return code 3 (exit_code)."]
    assert [job["name"] for job in workflow.jobs("name=fit_*")] == ["fit_1", "fit_2"]
    assert workflow.events("type=workflow_ended")[0]["data"]["status"] == "failed"
    assert "failed" in repr(workflow)
    assert 'aria-valuenow="3"' in workflow._repr_html_()
    with pytest.raises(KeyError):
        workflow.result("nope")

    with pytest.raises(TorcError, match=r"has ended \(failed\)") as refused:
        workflow.run()
    assert (refused.value.code, refused.value.hint) == (
        "conflict",
        "run(resume=True) runs again what has not succeeded.",
    )

    plan = workflow.rerun_failed(dry_run=True)
    assert plan["dry_run"] is True
    assert workflow.status()["run_id"] == 1
    again = Workflow.open("sweep")
    assert again.key == workflow.key
    again.rerun_failed()
    assert again.status()["run_id"] == 2


def test_rows_become_a_data_frame_and_a_table() -> None:
    pandas = pytest.importorskip("pandas")
    workflow = Workflow("w")
    workflow.add_jobs({"name": f"j<{n}>", "command": f"exit {n}"} for n in range(3))
    workflow.run()
    frame = workflow.results().to_frame()
    assert list(frame["return_code"]) == [0, 1, 2]
    assert isinstance(frame["start_time"].dtype, pandas.DatetimeTZDtype)
    assert (frame["end_time"] >= frame["start_time"]).all()
    assert workflow.results("return_code=9").to_frame().empty
    table = workflow.jobs()._repr_html_()
    assert "<td>j&lt;1&gt;</td>" in table
    assert "held" in table and "expires_at" not in table


def test_what_is_wrong_is_said_with_its_place_and_nothing_is_stored(torc: Torc) -> None:
    workflow = Workflow("w")
    workflow.add_job("a", "true", depends_on=["nope"])
    with pytest.raises(TorcError) as wrong:
        workflow.run()
    assert (wrong.value.code, wrong.value.exit_code) == ("invalid_spec", 2)
    assert "nope" in str(wrong.value)
    assert workflow.key is None
    with pytest.raises(TorcError) as missing:
        Workflow.open("w")
    assert missing.value.code == "not_found"
    with pytest.raises(TorcError):
        workflow.status()
    stored = Workflow("w\x1b[2J")
    stored.add_job("a", "true")
    assert repr(stored) == "<Workflow w\\x1b[2J, 1 job>"
    key = stored.create()
    assert repr(stored) == f"<workflow {key} (w\\x1b[2J): uninitialized, 1 job>"
    with pytest.raises(TorcError, match="are for a new one"):
        stored.run(fail_fast=True)
    with pytest.raises(TorcError, match="are for a new one"):
        stored.run(timeout=60)
    assert stored.status()["status"] == WorkflowStatus.UNINITIALIZED


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORC_PROGRAM")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TorcError, match="TORC_PROGRAM"):
        Torc()


def test_waits_for_workers_elsewhere(torc: Torc, capfd: pytest.CaptureFixture[str]) -> None:
    workflow = Workflow("w")
    workflow.add_job("a", "while [ ! -e go ]; do sleep 0.05; done")
    workflow.create()
    with pytest.raises(TorcError, match="torc workflows start"):
        workflow.wait()
    workflow.start()
    worker = torc.start("jobs", "run", str(workflow.key))
    with pytest.raises(TimeoutError):
        workflow.wait(timeout=1)
    assert '"error"' not in capfd.readouterr().err
    waiting = threading.Thread(target=lambda: ended.append(workflow.wait(progress=True)))
    ended: list[str] = []
    waiting.start()
    shown = ""
    while "running" not in shown:
        time.sleep(0.1)
        shown += capfd.readouterr().err
    Path("go").touch()
    waiting.join()
    worker.communicate()
    assert ended == [WorkflowStatus.DONE]


def test_functions_pass_values_on_and_add_children(torc: Torc) -> None:
    def spread() -> None:
        add_children([function_job(f"part_{n}", lambda n=n: n * n) for n in range(3)], before=["total"])

    def total(*parts: int) -> dict[str, int]:
        return {"total": sum(parts)}

    workflow = Workflow("w")
    workflow.add_jobs(
        [
            function_job("spread", spread),
            function_job("total", total, depends_on=["spread"]),
            function_job("fixed", lambda a, b: [a, b], 1, "x"),
        ]
    )
    assert workflow.run() == WorkflowStatus.DONE, json.dumps(workflow.failures())
    assert workflow.result("total") == {"total": 5}
    assert workflow.result("fixed") == [1, "x"]


def test_the_lines_of_the_readme_run_as_they_stand() -> None:
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text()
    lines = text.split("```python\n")[1].split("```")[0]
    Path("lines.py").write_text(lines)
    ended = subprocess.run([sys.executable, "lines.py"], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert ended.stdout.startswith("328350\ndone\n")
    assert "[101 rows x " in ended.stdout
    assert len(Path("report.txt").read_text().splitlines()) == 100
