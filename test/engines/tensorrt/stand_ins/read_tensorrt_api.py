"""Makes tensorrt_api.json: names, arguments and enumerators of TensorRT's Python API, version by version.

They are read from the binding's own source, `python/src` of https://github.com/NVIDIA/TensorRT, at the tag of
each version, so that the stand-in refuses what the real module would refuse. To take up a version:

    git -C TensorRT worktree add ../v11.1 v11.1
    cd test/engines/tensorrt/stand_ins
    python read_tensorrt_api.py 8.6=v8.6.1 10.3=v10.3.0 10.13=v10.13.3 11.1=v11.1

A method is a list of overloads, each a list of argument names ('=' after one that has a default); an
attribute is `get`, `set` or `get set`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CLASSES = [
    "ILogger",
    "Builder",
    "IBuilderConfig",
    "INetworkDefinition",
    "ILayer",
    "ICastLayer",
    "ITensor",
    "OnnxParser",
    "ParserError",
    "Runtime",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ITimingCache",
    "IProgressMonitor",
]
ENUMS = [
    "ILogger.Severity",
    "BuilderFlag",
    "NetworkDefinitionCreationFlag",
    "MemoryPoolType",
    "DeviceType",
    "TensorIOMode",
    "DataType",
    "OnnxParserFlag",
    "LayerType",
]
KINDS = {"def_property_readonly": "get", "def_readonly": "get", "def_readwrite": "get set"}

Members = dict[str, object]


def read(checkout: Path) -> dict[str, dict[str, object]]:
    classes: dict[str, Members] = {}
    enums: dict[str, list[str]] = {}
    for source in sorted((checkout / "python" / "src").rglob("*.cpp")):
        variables: dict[str, str] = {}
        for kind, scope, name, variable, calls in declarations(without_comments(source.read_text())):
            if variable:
                variables[variable] = name
            if kind == "class_":
                classes[name] = members(calls)
            else:
                outer = f"{variables[scope]}." if scope in variables else ""
                enums[outer + name] = [parts[0].strip('"') for method, parts in calls if method == "value"]
    return {
        "classes": {name: classes[name] for name in CLASSES if name in classes},
        "enums": {name: enums[name] for name in ENUMS},
    }


def members(calls: list[tuple[str, list[str]]]) -> Members:
    found: Members = {}
    for method, parts in calls:
        name = parts[0].strip('"')
        if name.startswith("add_"):  # layers are the parser's business
            continue
        if method == "def_property":
            found[name] = "set" if parts[1] == "nullptr" else "get set"
        elif method in KINDS:
            found[name] = KINDS[method]
        elif method == "def":
            arguments = [match for part in parts[1:] if (match := re.match(r'"(\w+)"_a\s*(=?)', part))]
            overload = [argument[1] + argument[2] for argument in arguments]
            name = "__init__" if name.startswith("py::init") else name
            overloads = found.setdefault(name, [])
            assert isinstance(overloads, list)
            overloads.append(overload)
    return found


def declarations(text: str) -> Iterator[tuple[str, str, str, str, list[tuple[str, list[str]]]]]:
    """(class_ or enum_, scope, name, C++ variable, calls chained to it) of each binding."""
    for match in re.finditer(r"py::(class_|enum_)\s*<", text):
        start = end_of(text, match.end() - 1, "<>")
        head = re.match(r"\s*(\w*)\s*([({])", text[start:])
        if not head:
            continue
        opening = start + head.end() - 1
        closing = end_of(text, opening, "()" if head[2] == "(" else "{}")
        arguments = split(text[opening + 1 : closing - 1])
        if len(arguments) < 2:
            continue
        calls = list(chain(text, closing))
        if head[1]:
            for again in re.finditer(rf"\b{head[1]}\b(?=\s*\.def)", text):
                calls += chain(text, again.end())
        yield match[1], arguments[0], arguments[1].strip('"'), head[1], calls


def chain(text: str, position: int) -> Iterator[tuple[str, list[str]]]:
    """The calls `.method(arguments)` that follow."""
    while match := re.match(r"\s*\.(\w+)\s*\(", text[position:]):
        opening = position + match.end() - 1
        position = end_of(text, opening, "()")
        yield match[1], split(text[opening + 1 : position - 1])


def end_of(text: str, opening: int, pair: str) -> int:
    """Position after the bracket that closes the one at `opening`."""
    depth, position, quoted = 0, opening, False
    while True:
        character = text[position]
        if character == '"' and text[position - 1] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += {pair[0]: 1, pair[1]: -1}.get(character, 0)
        position += 1
        if not depth:
            return position


def split(arguments: str) -> list[str]:
    """At the commas that are not within brackets or quotes."""
    parts, depth, quoted = [""], 0, False
    for character in arguments:
        quoted ^= character == '"'
        depth += 0 if quoted else (character in "([{") - (character in ")]}")
        if character == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def written(api: dict[str, dict[str, dict[str, object]]]) -> str:
    """JSON with one class or enumeration a line."""
    versions = []
    for version, kinds in api.items():
        groups = []
        for kind, entries in kinds.items():
            lines = ",\n".join(f"      {json.dumps(name)}: {json.dumps(entries[name])}" for name in entries)
            groups.append(f'    "{kind}": {{\n{lines}\n    }}')
        versions.append(f'  "{version}": {{\n' + ",\n".join(groups) + "\n  }")
    return "{\n" + ",\n".join(versions) + "\n}\n"


if __name__ == "__main__":
    checkouts = dict(argument.split("=") for argument in sys.argv[1:])
    found = {version: read(Path(checkout)) for version, checkout in checkouts.items()}
    Path(__file__).with_name("tensorrt_api.json").write_text(written(found))  # type: ignore[arg-type]
