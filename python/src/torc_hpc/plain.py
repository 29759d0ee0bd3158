"""Pickles of plain values and functions, without loading cloudpickle and without running anything of a program.

A fork server reads them before it forks. The less it has loaded, the less a fork copies.
"""

from __future__ import annotations

import _pickle as pickle  # the module pickle loads a lot
import builtins
import io
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["NotPlainError", "dumps", "loads"]


class NotPlainError(Exception):
    """It needs cloudpickle, or something of a program."""


def loads(text: bytes) -> Any:
    """Reads what cloudpickle has written if that is made of plain values and functions.

    Raises:
        NotPlainError: it is not.
    """
    try:
        return _Unpickler(io.BytesIO(text)).load()
    except Exception as error:
        raise NotPlainError from error


def dumps(value: object) -> bytes:
    """Writes a plain value.

    Raises:
        NotPlainError: it is none.
    """
    file = io.BytesIO()
    _Pickler(file, -1).dump(value)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Called for all that is not of a type that pickle itself knows."""
        raise NotPlainError


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module != "cloudpickle.cloudpickle" or name not in _MAKERS:
            raise NotPlainError
        return _MAKERS[name]


# ---------------------------------------------------------------------- what cloudpickle calls to make a function


def _builtin_type(name: str) -> type:
    if name != "CodeType":
        raise NotPlainError
    return types.CodeType


def _make_function(
    code: types.CodeType, names: dict[str, Any], name: str | None, defaults: Any, closure: Any
) -> types.FunctionType:
    names["__builtins__"] = builtins.__dict__
    return types.FunctionType(code, names, name, defaults, closure)


def _make_cell(*content: Any) -> types.CellType:
    return types.CellType(*content)


def _complete_function(function: types.FunctionType, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    attributes, slots = state
    function.__dict__.update(attributes)
    function.__globals__.update(slots.pop("__globals__"))
    # it only held modules that are loaded by now
    del slots["_cloudpickle_submodules"]
    closure = slots.pop("__closure__")
    for own, given in zip(function.__closure__ or (), closure or ()):
        try:  # noqa: SIM105  # contextlib is not loaded
            own.cell_contents = given.cell_contents
        except ValueError:  # an empty one
            pass
    for name, value in slots.items():
        setattr(function, name, value)


_MAKERS: dict[str, Callable[..., Any]] = {
    "_builtin_type": _builtin_type,
    "_function_setstate": _complete_function,
    "_make_cell": _make_cell,
    "_make_empty_cell": _make_cell,
    "_make_function": _make_function,
    # of a module that is not loaded, nothing runs
    "subimport": sys.modules.__getitem__,
}
