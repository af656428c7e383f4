"""Reading YAML settings into checked models, with one-line errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from derainbench.foundation.documents import Unreadable, document_text, parse_yaml, shown
from derainbench.foundation.errors import BenchError
from derainbench.foundation.suggestions import did_you_mean

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Settings that cannot be changed, and in which a key that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping.

    Raises:
        BenchError: if the file is missing, no regular file, not YAML, or holds something else.
    """
    try:
        content = parse_yaml(document_text(path))
    except Unreadable as error:
        raise BenchError(f"{path}: not valid YAML ({error})") from error
    if not isinstance(content, dict):
        raise BenchError(f"{path}: expected keys and values, found {type(content).__name__}")
    return content


def check(model: type[Model], values: Any, source: str) -> Model:
    """Validates ``values``; the first problem becomes one line naming ``source`` and the key.

    Raises:
        BenchError: if anything is misspelt, missing or out of range.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = error.errors()
        # A misspelt key shows up as one unknown and maybe one missing key: name the unknown one.
        problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            reason = "unknown key" + did_you_mean(
                str(problem["loc"][-1]), _keys_beside(model, problem["loc"])
            )
        else:
            reason = problem["msg"].removeprefix("Value error, ")
            # What is wrong of several values together names them itself.
            together = problem["type"] == "value_error" and isinstance(problem["input"], dict)
            if problem["type"] != "missing" and not together:
                reason += f" (found {shown(problem['input'])})"
        raise BenchError(f"{source}: {f'{key}: ' if key else ''}{reason}") from error


def _keys_beside(model: type[BaseModel], location: tuple) -> list[str]:
    """The keys allowed where a misspelt one was found."""
    schema = model.model_json_schema()
    node = schema
    for part in location[:-1]:
        node = _resolve(schema, node)
        if "properties" in node and part in node["properties"]:
            node = node["properties"][part]
        elif part in node.get("discriminator", {}).get("mapping", ()):
            node = {"$ref": node["discriminator"]["mapping"][part]}
        else:
            # A list, or a mapping with free keys: pydantic describes its values in one of two places.
            node = _resolve(schema, node)
            values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
            node = next((v for v in [*values, node.get("items")] if isinstance(v, dict)), {})
    return list(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict, node: dict) -> dict:
    for option in node.get("anyOf", ()):
        if "$ref" in option or "items" in option:
            node = option
    if "$ref" in node:
        return schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node
