"""Rows of the lists of torc: lists of mappings, which know how to become a data frame and a table of a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

__all__ = ["Records"]

_SHOWN_ROWS = 50


class Records(list[dict[str, Any]]):
    """Rows as the list commands of torc print them, in their order."""

    def __init__(self, rows: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(rows)

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a data frame of pandas; columns that end in ``_time`` and ``timestamp`` are instants.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas  # noqa: PLC0415
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install 'torc-hpc[pandas]'") from error
        frame: pandas.DataFrame = pandas.DataFrame(list(self))
        for column in frame.columns:
            if column.endswith("_time") or column == "timestamp":
                frame[column] = pandas.to_datetime(frame[column], format="ISO8601", utc=True)
        return frame

    def _repr_html_(self) -> str:
        columns = [name for name in self[0] if any(row[name] is not None for row in self)] if self else []
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(row[name]))}</td>" for name in columns) + "</tr>"
            for row in self[:_SHOWN_ROWS]
        )
        more = f"<p>{len(self):,} rows, the first {_SHOWN_ROWS} are shown</p>" if len(self) > _SHOWN_ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
