"""Prints docs/python-reference.md from the signatures and docstrings of the package in python/, without importing it.

python3 site/python_reference.py > docs/python-reference.md
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "python" / "src" / "torc_hpc"
# what people import, in the order of docs/python.md
MODULES = {
    "torc_hpc": ["workflow", "executor", "functions", "records", "program"],
    "torc_hpc.jobmon": ["jobmon"],
    "torc_hpc.colonies": ["colonies"],
}
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def exported(tree: ast.Module) -> list[str]:
    """The names in ``__all__``; without it, those that do not begin with an underscore."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return [node.name for node in tree.body if isinstance(node, (ast.ClassDef, *Function)) and node.name[0] != "_"]


def parameters(source: str, function: ast.FunctionDef, is_method: bool) -> str:
    """As they stand in the source, on one line, without ``self`` or ``cls``."""

    def text(node: ast.AST) -> str:
        return " ".join((ast.get_source_segment(source, node) or "").split())

    def shown(arg: ast.arg, default: ast.expr | None, stars: str = "") -> str:
        kind = "" if arg.annotation is None else f": {text(arg.annotation)}"
        value = "" if default is None else f"{' = ' if kind else '='}{text(default)}"
        return f"{stars}{arg.arg}{kind}{value}"

    args = function.args
    listed = args.posonlyargs + args.args
    defaults = [None] * (len(listed) - len(args.defaults)) + list(args.defaults)
    words = [shown(arg, default) for arg, default in zip(listed, defaults)]
    if args.posonlyargs:
        words.insert(len(args.posonlyargs), "/")
    if is_method and not any(text(each) == "staticmethod" for each in function.decorator_list):
        words = words[1:]
    if args.vararg is not None:
        words.append(shown(args.vararg, None, "*"))
    elif args.kwonlyargs:
        words.append("*")
    words += [shown(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg is not None:
        words.append(shown(args.kwarg, None, "**"))
    result = "" if function.returns is None or function.name == "__init__" else f" -> {text(function.returns)}"
    return f"({', '.join(word for word in words if word.lstrip('*')[:1] != '_')}){result}"


def described(node: ast.AST) -> str:
    """The docstring as Markdown: sections such as ``Args:`` become lists, and ``Example::`` a block."""
    text = re.sub("``([^`]+)``", r"`\1`", inspect.cleandoc(ast.get_docstring(node, clean=False) or ""))
    # an indented block is code in Markdown too
    text = re.sub(r"(?<=\w)::\n\n", ":\n\n", text)
    pieces = re.split(r"^(\w+)::?\n((?:[ ]+.*\n?|\n)*)", text, flags=re.MULTILINE)
    lines = [pieces[0]]
    for title, body, rest in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
        inner = inspect.cleandoc(f"\n{body}").strip()
        if title.startswith("Example"):
            lines.append(f"```python\n{inner}\n```")
        elif title in ("Returns", "Yields"):
            lines.append(f"{title}: {' '.join(inner.split())}")
        else:
            entries = [" ".join(entry.split()) for entry in re.split(r"\n(?=\S)", inner)]
            items = [
                re.sub(r"^([\w.*, ]+): ", lambda names: f"`{'`, `'.join(names[1].split(', '))}`: ", entry)
                for entry in entries
            ]
            lines.append(f"{title}:\n\n" + "\n".join(f"- {item}" for item in items))
        lines.append(rest)
    return "\n\n".join(line.strip() for line in lines if line.strip())


def function_lines(source: str, function: ast.FunctionDef, owner: str | None) -> list[str]:
    names = {ast.unparse(each).split("(")[0] for each in function.decorator_list}
    prefix = "" if owner is None else f"{owner}."
    shape = "" if "property" in names else parameters(source, function, owner is not None)
    level = "###" if owner is None else "####"
    return [f"{level} {prefix}{function.name}", f"```python\n{prefix}{function.name}{shape}\n```", described(function)]


def is_shown(node: ast.stmt) -> bool:
    if not isinstance(node, Function) or node.name.startswith("_"):
        return False
    # what takes something private is called by the package itself
    is_own = any(
        each.annotation is not None and re.search(r"\b_[A-Z]", ast.unparse(each.annotation)) for each in node.args.args
    )
    return ast.get_docstring(node) is not None and not is_own


def class_lines(source: str, node: ast.ClassDef) -> list[str]:
    made = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
    fields = [" ".join((ast.get_source_segment(source, each) or "").split()) for each in node.body
              if isinstance(each, ast.AnnAssign) and ast.unparse(each.target)[0] != "_"]  # fmt: skip
    bases = [ast.unparse(base) for base in node.bases]
    shape = parameters(source, made, True) if made is not None else ""
    head = f"{node.name}{shape}" if shape else f"class {node.name}{f'({chr(44).join(bases)})' if bases else ''}"
    lines = [f"### {node.name}", f"```python\n{chr(10).join([head, *(f'    {field}' for field in fields)])}\n```"]
    lines.append(described(node))
    for each in node.body:
        if is_shown(each):
            lines += function_lines(source, each, node.name)
    return lines


def main() -> None:
    package = exported(ast.parse((SOURCE / "__init__.py").read_text()))
    lines = [
        "# Reference of the Python package",
        "Written by `python3 site/python_reference.py > docs/python-reference.md`. [python.md](python.md) introduces the package.",
    ]
    for module, files in MODULES.items():
        lines.append(f"## {module}")
        for file in files:
            source = (SOURCE / f"{file}.py").read_text()
            tree = ast.parse(source)
            names = [name for name in exported(tree) if module != "torc_hpc" or name in package]
            if module != "torc_hpc":
                lines.append(described(tree))
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and node.name in names:
                    lines += class_lines(source, node)
                elif isinstance(node, Function) and node.name in names and is_shown(node):
                    lines += function_lines(source, node, None)
    print("\n\n".join(line for line in lines if line))


main()
