"""How far a workflow is, while one waits: a line on a terminal, a bar in a notebook, nothing in a pipe."""

from __future__ import annotations

import html
import sys
from typing import Any

__all__ = ["Progress", "jobs_text", "status_html", "status_text", "visible"]

_WORDS = (("num_done", "done"), ("num_failed", "failed"), ("num_running", "running"), ("num_ready", "ready"))
_COLORS = (("num_succeeded", "#2e7d32"), ("num_failed", "#c62828"), ("num_running", "#1565c0"))


def status_text(line: dict[str, Any]) -> str:
    """A line of ``torc status`` in words."""
    counts = ", ".join(f"{line[key]:,} {word}" for key, word in _WORDS if line[key] > 0)
    how = f"{line['status']}, {jobs_text(line['num_jobs'])}"
    return f"workflow {line['workflow_key']} ({visible(line['name'])}): {how}{': ' if counts else ''}{counts}"


def visible(name: str) -> str:
    """As torc prints names: what a terminal would carry out is written as an escape sequence."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)


def jobs_text(count: int) -> str:
    """``1 job``, ``2,000 jobs``."""
    return f"{count:,} {'job' if count == 1 else 'jobs'}"


def status_html(line: dict[str, Any]) -> str:
    """The same as a bar for a notebook."""
    total = max(1, line["num_jobs"])
    counts = {**line, "num_succeeded": line["num_done"] - line["num_failed"]}
    parts = "".join(
        f'<div style="width:{100 * counts[key] / total:.2f}%;background:{color}"></div>' for key, color in _COLORS
    )
    return (
        f"<div>{html.escape(status_text(line))}</div>"
        f'<div role="progressbar" aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{line["num_done"]}" '
        'style="display:flex;height:8px;max-width:40em;background:#8884;border-radius:4px;overflow:hidden">'
        f"{parts}</div>"
    )


class Progress:
    """Shows lines of ``torc status``, each in the place of the last one."""

    def __init__(self, enabled: bool | None) -> None:
        self._display: Any = None
        self._is_notebook = _is_notebook()
        #: Whether anybody sees it.
        self.is_shown = enabled if enabled is not None else (self._is_notebook or sys.stderr.isatty())
        self._width = 0

    def show(self, line: dict[str, Any]) -> None:
        if not self.is_shown:
            return
        if not self._is_notebook:
            text = status_text(line)
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)
            return
        from IPython.display import HTML, display  # noqa: PLC0415

        shown = HTML(status_html(line))
        if self._display is None:
            self._display = display(shown, display_id=True)
        else:
            self._display.update(shown)

    def close(self) -> None:
        if self._width > 0:
            sys.stderr.write("\n")


def _is_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
