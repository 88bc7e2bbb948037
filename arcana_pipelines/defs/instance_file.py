"""Can Dagster use a `dagster.yaml`? Where it cannot, one sentence with the line, before anything is opened.

Dagster has no public way to check the file without opening the storage that it names, so its private reader is used
(a test runs it against the installed release), and nothing is checked but the YAML where it has moved. No sentence
repeats a value of the file: there are passwords among them.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

# The parts of the file that name a class, as Dagster's reader calls what it has read of them.
_CLASSES = {
    "storage": "storage_data",
    "run_storage": "run_storage_data",
    "event_log_storage": "event_storage_data",
    "schedule_storage": "schedule_storage_data",
    "local_artifact_storage": "local_artifact_storage_data",
    "compute_logs": "compute_logs_data",
    "scheduler": "scheduler_data",
    "run_coordinator": "run_coordinator_data",
    "run_queue": "run_coordinator_data",
    "run_launcher": "run_launcher_data",
    "secrets": "secrets_loader_data",
    "defs_state_storage": "defs_state_storage_data",
}
# Commands do without these two, so that what they need (a package, a variable) may be missing where commands run.
_OF_THE_DAEMON = ("run_coordinator", "run_queue", "run_launcher")
_KINDS = {
    "Bool": "true or false",
    "Int": "a whole number",
    "Float": "a number",
    "String": "a text",
    "ARRAY": "a list",
}
_REFERENCE = "https://docs.dagster.io/deployment/oss/dagster-yaml"

Place = Sequence[str | int]
Fault = tuple[int, str]


def fault(file: Path) -> str | None:
    """What is wrong with a `dagster.yaml`, after the number of its line. None: nothing, or there is no such file."""
    try:
        first = min(_faults(file), default=None)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{error.strerror}"
    return None if first is None else f"line {first[0]}: {first[1]}"


def told(errors: Sequence[Any], below: Place) -> list[str]:
    """What Dagster found wrong with a configuration that stands in the file at this place, in words without values."""
    nowhere = yaml.compose("{}", Loader=yaml.SafeLoader)
    return [said for _, said in _all(nowhere, below, errors)]


def _faults(file: Path) -> Iterator[Fault]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield error.object[: error.start].count(b"\n") + 1, "it is not UTF-8"
        return
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        yield _of_yaml(error, text)
        return
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        yield 1, "it has to be a mapping, `name: value` in each line"
        return
    for key, _ in root.value:
        if key.tag != "tag:yaml.org,2002:str":
            yield key.start_mark.line + 1, f"{key.value!r} is not a setting"
            return
    try:
        yield from _of_dagster(file, root)
    except yaml.YAMLError as error:
        yield _of_yaml(error, text)


def _of_yaml(error: yaml.YAMLError, text: str) -> Fault:
    if isinstance(error, yaml.reader.ReaderError):
        return text.count("\n", 0, error.position) + 1, "a control character that YAML does not allow"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return 1, "it is not YAML"
    problem = error.problem or "it is not YAML"
    if any(word in problem for word in ("alias", "anchor", "tag")):
        problem = "a value that begins with *, & or ! has to stand in quotes"
    if error.context and error.context_mark and error.context_mark.line != error.problem_mark.line:
        problem += f" ({error.context} that begins in line {error.context_mark.line + 1})"
    return error.problem_mark.line + 1, problem


def _of_dagster(file: Path, root: yaml.MappingNode) -> Iterator[Fault]:
    try:
        from dagster._config import process_config, resolve_to_config_type
        from dagster._core.instance.ref import InstanceRef
    except ImportError:
        return
    try:
        read = InstanceRef.from_dir(str(file.parent))
    except yaml.YAMLError:
        raise
    except dg.DagsterInvalidConfigError as error:
        yield from _all(root, (), error.errors)
        if not error.errors:
            yield from _no_mappings(root)
            said = next(iter(str(error).splitlines()), type(error).__name__)
            lines = [line for name, line in _keys(root) if re.search(rf"\b{re.escape(name)}\b", said)]
            yield max(lines, default=1), said.rstrip(".")
        return
    except Exception as error:
        yield from _no_mappings(root)
        yield root.end_mark.line + 1, f"Dagster cannot read it ({type(error).__name__})"
        return
    for name, node in _entries(root):
        named = getattr(read, _CLASSES.get(name, ""), None)
        if named is None:
            continue
        try:
            of_class = getattr(importlib.import_module(named.module_name), named.class_name)
            schema = resolve_to_config_type(of_class.config_type())
        except ImportError as error:
            if name in _OF_THE_DAEMON:
                continue
            yield (
                _line(root, (name, "module")),
                f"{named.module_name}, which '{name}' names, cannot be imported ({error})",
            )
            continue
        except Exception:
            yield (
                _line(root, (name, "class")),
                f"{named.module_name} has no {named.class_name} that could be a '{name}'",
            )
            continue
        result = process_config(schema, named.config_dict)
        errors = result.errors or ()
        if name in _OF_THE_DAEMON:
            errors = [error for error in errors if error.reason.name != "FAILED_POST_PROCESSING"]
        yield from _all(root, _to_config(name, node), errors)


def _no_mappings(root: yaml.MappingNode) -> Iterator[Fault]:
    for name, node in _entries(root):
        if not isinstance(node, yaml.MappingNode):
            yield _line(root, (name,)), f"'{name}' has to be a mapping of settings"


def _all(root: yaml.MappingNode, before: Place, errors: Sequence[Any]) -> Iterator[Fault]:
    for error in errors:
        path = (*before, *_path(error))
        unknown = _names(error) if error.reason.name.endswith("NOT_DEFINED") else []
        for name in unknown:
            of = f" of '{_dotted(path)}'" if path else ""
            yield _line(root, (*path, name)), f"'{name}' is not a setting{of} ({_REFERENCE})"
        if not unknown:
            yield _line(root, path), _said(root, path, error)


def _said(root: yaml.MappingNode, path: Place, error: Any) -> str:
    reason, where = error.reason.name, _dotted(path)
    if reason.startswith("MISSING"):
        lacking = f"'{where}'" if where else "it"
        return f"{lacking} lacks {' and '.join(repr(name) for name in _names(error))}"
    if reason == "SELECTOR_FIELD_ERROR":
        return f"'{where}' has to have exactly one entry"
    if reason == "FAILED_POST_PROCESSING":
        variable = _node(root, (*path, "env"))
        if isinstance(variable, yaml.ScalarNode):
            state = "does not hold what is needed" if variable.value in os.environ else "is not set"
            return f"'{where}' is read from the variable {variable.value}, which {state}"
        return f"'{where}' cannot be used"
    expected = getattr(error.error_data, "config_type_snap", None)
    return f"'{where}' has to be {'of another form' if expected is None else _kind(expected)}"


def _kind(expected: Any) -> str:
    if expected.enum_values:
        return "one of " + ", ".join(value.value for value in expected.enum_values)
    if "SHAPE" in expected.kind.name or expected.kind.name == "MAP":
        return "a mapping of settings"
    if expected.kind.name == "SELECTOR":
        names = [field.name for field in expected.fields or ()]
        return "one value or `env: VARIABLE`" if names == ["env"] else f"a mapping with one of {', '.join(names)}"
    if expected.kind.name == "SCALAR_UNION":
        scalar = next((kind for name, kind in _KINDS.items() if f".{name}" in expected.key), "a value")
        return f"{scalar} or `env: VARIABLE`"
    return _KINDS.get(expected.key) or _KINDS.get(expected.kind.name, "of another form")


def _names(error: Any) -> list[str]:
    one = getattr(error.error_data, "field_name", None)
    return [one] if one is not None else list(getattr(error.error_data, "field_names", ()))


def _dotted(path: Place) -> str:
    return ".".join(map(str, path))


def _path(error: Any) -> list[str | int]:
    parts = []
    for entry in error.stack.entries:
        for name in ("field_name", "list_index", "map_key"):
            if hasattr(entry, name):
                parts.append(getattr(entry, name))
    return parts


def _to_config(name: str, node: yaml.Node) -> Place:
    """Where the settings of a class stand in the file."""
    path: list[str | int] = [name]
    entries = dict(_entries(node))
    while "config" not in entries and len(entries) == 1 and name == "storage" and len(path) == 1:
        (kind,) = entries
        path.append(kind)
        entries = dict(_entries(entries[kind]))
    return [*path, "config"] if "config" in entries else path


def _entries(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    return [(key.value, value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _keys(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """Every setting in the file, with its line."""
    for child in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from _keys(child)
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            yield key.value, key.start_mark.line + 1
        yield from _keys(value)


def _node(node: yaml.Node, path: Place) -> yaml.Node | None:
    for part in path:
        entries: dict[str | int, yaml.Node] = {}
        entries.update(enumerate(node.value) if isinstance(node, yaml.SequenceNode) else _entries(node))
        if part not in entries:
            return None
        node = entries[part]
    return node


def _line(root: yaml.MappingNode, path: Place) -> int:
    """The line of what a path leads to, or of the last part of it that is there."""
    line: int = root.start_mark.line
    for depth, part in enumerate(path):
        node = _node(root, path[:depth])
        keys = [key for key, _ in node.value if key.value == part] if isinstance(node, yaml.MappingNode) else []
        place = keys[0] if keys else _node(root, path[: depth + 1])
        if place is None:
            break
        line = place.start_mark.line
    return line + 1
