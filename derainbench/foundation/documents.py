"""Reading YAML and JSON that somebody else wrote: what is wrong with it fits in one line.

The libraries let through what they stumble over, of any type. A text is also refused that would
read, but grow beyond all bounds afterwards: lists nested a thousand deep, or aliases of aliases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Beyond what any configuration, card or result holds; far below where Python's stack ends.
MAX_DEPTH = 60
MAX_YAML_NODES = 200_000  # aliases written out
MAX_DIGITS = 1000  # Python refuses to show numbers of more than 4300


class Unreadable(ValueError):
    """Why a text is no YAML or JSON of ours, in one line."""


def document_text(path: Path, missing: str = "cannot be read (no such file)") -> str:
    """A text file, UTF-8; a byte order mark is left out.

    Args:
        path: of the file.
        missing: what the message says if there is none.

    Raises:
        BenchError: if there is no such file, it is no regular one, or no UTF-8 text.
    """
    try:
        return regular_file(path, missing).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BenchError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BenchError(f"{path}: not UTF-8 text; save it with the encoding UTF-8") from error


def parse_yaml(text: str) -> Any:
    """What a YAML text says.

    Raises:
        Unreadable: if it is not YAML, is nested too deeply, grows too large once its aliases are
            written out, or gives a key twice.
    """
    try:
        _check_events(yaml.parse(text, Loader=_Loader))
        return yaml.load(text, Loader=_Loader)
    except Unreadable:
        raise
    except yaml.MarkedYAMLError as error:
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable(f"{said}{_place(error.problem_mark)}") from error
    except Exception as error:  # what the scanner, int() or datetime say of a value
        raise Unreadable(" ".join(str(error).split()) or type(error).__name__) from error


def parse_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        Unreadable: if it is not JSON, or is nested too deeply.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise Unreadable("is nested too deeply") from error
    except ValueError as error:
        raise Unreadable(" ".join(str(error).split())) from error
    _check_depth(content)
    return content


def read_json_file(path: Path, remedy: str, missing: str = "no such file") -> Any:
    """A JSON file.

    Args:
        path: of the file.
        remedy: what the message tells the user to do about a damaged one.
        missing: what it says if there is none.

    Raises:
        BenchError: if it is missing or damaged.
    """
    try:
        return parse_json(document_text(path, missing))
    except Unreadable as error:
        raise BenchError(f"{path}: damaged JSON ({error}); {remedy}") from error


def shown(value: object, longest: int = 100) -> str:
    """A value as messages show it: in Python's notation, in one line, cut if it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return f"a value of type {type(value).__name__} that is too long to show"
    return text if len(text) <= longest else f"{text[:longest]}…"


def _check_events(events: Iterable[yaml.Event]) -> None:
    """Goes through a YAML text without making anything of it."""
    sizes: dict[str, int] = {}  # of anchored nodes, their aliases written out
    open_nodes: list[_Node] = []
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append(_Node(event))
            if len(open_nodes) > MAX_DEPTH:
                raise Unreadable(f"is nested more than {MAX_DEPTH} deep{_place(event.start_mark)}")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            node = open_nodes.pop()
            size, anchor = node.size, node.anchor
        elif isinstance(event, yaml.ScalarEvent):
            size, anchor = 1, event.anchor
            if (
                event.implicit[0]
                and len(event.value) > MAX_DIGITS
                and event.value[0] in "+-.0123456789"
            ):
                raise Unreadable(f"holds a number that is too long{_place(event.start_mark)}")
        elif isinstance(event, yaml.AliasEvent):
            if any(node.anchor == event.anchor for node in open_nodes):
                raise Unreadable(f"*{event.anchor} holds itself{_place(event.start_mark)}")
            size, anchor = sizes.get(str(event.anchor), 1), None
        else:
            continue
        if anchor:
            sizes[anchor] = size
        if open_nodes:
            open_nodes[-1].take(event, size)
            size = open_nodes[-1].size
        if size > MAX_YAML_NODES:
            raise Unreadable(f"holds more than {MAX_YAML_NODES} values once aliases are followed")


class _Node:
    """A list or mapping whose end has not come yet."""

    def __init__(self, start: yaml.CollectionStartEvent) -> None:
        self.anchor = start.anchor
        self.size = 1
        self._mapping = isinstance(start, yaml.MappingStartEvent)
        self._count = 0
        self._keys: set[str] = set()

    def take(self, event: yaml.Event, size: int) -> None:
        """Counts a node that lies in this one; every other one of a mapping is a key."""
        is_key = self._mapping and self._count % 2 == 0
        self._count += 1
        self.size += size
        if is_key and isinstance(event, yaml.ScalarEvent):
            if event.value in self._keys and event.value != "<<":
                raise Unreadable(f"key '{event.value}' is given twice{_place(event.start_mark)}")
            self._keys.add(event.value)


def _place(mark: Any) -> str:
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _check_depth(content: Any) -> None:
    layer = [content]
    for _ in range(MAX_DEPTH + 1):
        inner = (
            v.values() if isinstance(v, dict) else v for v in layer if isinstance(v, dict | list)
        )
        layer = [value for values in inner for value in values]
        if not layer:
            return
    raise Unreadable(f"is nested more than {MAX_DEPTH} deep")
