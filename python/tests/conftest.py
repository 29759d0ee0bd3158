from __future__ import annotations

import os
from pathlib import Path

import pytest

from torc_hpc import Torc


@pytest.fixture(autouse=True)
def torc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Torc:
    """A server directory of its own for each test, and a working directory."""
    for name in [name for name in os.environ if name.startswith("TORC_") and name != "TORC_PROGRAM"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TORC_DIR", str(tmp_path / "server dir"))
    # programs of a notebook write there
    for name in ("XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return Torc()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are collected until flush or shutdown, however slow the machine is."""
    for name in ("_COLLECT_SECONDS", "_MOST_COLLECT_SECONDS"):
        monkeypatch.setattr(f"torc_hpc.executor.{name}", 600)
