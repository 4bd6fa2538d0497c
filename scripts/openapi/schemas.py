"""Schemas of the document, from pydantic, Powertools and msgspec, in one dialect."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

PREFIX: Final = "#/components/schemas/"
REFERENCE: Final = re.compile(f'"{PREFIX}([^"]+)"')
# Powertools repeats a constraint of a query member under the name that Python has for it.
PYTHONS_NAMES: Final = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
NULL: Final = {"type": "null"}


class Schemas:
    """The schemas of a document by their names."""

    def __init__(self) -> None:
        """Begin without schemas."""
        self.named: dict[str, Any] = {}

    def add(self, schemas: Mapping[str, Any]) -> None:
        """Add named *schemas*.

        Raises:
            ValueError: the document has another schema under one of the names.
        """
        for name, schema in schemas.items():
            clean = clean_schema(schema)
            if self.named.setdefault(_short(name), clean) != clean:
                raise ValueError(f"Two schemas are named {_short(name)}.")

    def of_type(self, document: Any) -> dict[str, Any]:  # noqa: ANN401 - a type, also a generic one
        """Add the schemas that the type *document* needs, and return its own one."""
        schema = TypeAdapter(document).json_schema(mode="serialization", ref_template=f"{PREFIX}{{model}}")
        self.add(schema.pop("$defs", {}))
        name = _name_of(document)
        self.add({name: schema})
        return {"$ref": f"{PREFIX}{name}"}

    def parameters_of(self, model: type[BaseModel]) -> list[dict[str, Any]]:
        """Return the members of a query *model* as parameters, and add the schemas that they need."""
        schema = model.model_json_schema(ref_template=f"{PREFIX}{{model}}")
        self.add(schema.get("$defs", {}))
        required = schema.get("required", [])
        return [
            {"name": name, "in": "query", "required": name in required, "schema": each}
            for name, each in schema["properties"].items()
        ]


def list_used(document: object, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return those *schemas* to which *document* refers, directly or by others, sorted by name."""
    used: dict[str, Any] = {}
    waiting = [document]
    while waiting:
        found = {name: schemas[name] for name in REFERENCE.findall(json.dumps(waiting.pop())) if name not in used}
        used |= found
        waiting.extend(found.values())
    return dict(sorted(used.items()))


def _name_of(document: object) -> str:
    """Return the name of the schema of a type: that of its class, and of the type of its rows."""
    classes = (get_origin(document) or document, *get_args(document))
    return "_".join(str(getattr(each, "__name__", each)) for each in classes)


def clean_schema(schema: Any, *, is_schema: bool = True) -> Any:  # noqa: ANN401 - JSON
    """Return *schema* without generated titles, and with the names and numbers of JSON Schema.

    The members of `properties` are names of fields, which stay.
    """
    if isinstance(schema, list):
        return [clean_schema(each) for each in schema]
    if isinstance(schema, float) and schema.is_integer():
        return int(schema)
    if not isinstance(schema, dict):
        return schema
    if not is_schema:
        return {name: clean_schema(each) for name, each in schema.items()}
    return {
        PYTHONS_NAMES.get(name, name): _reference(each) if name == "$ref" else _clean_member(name, each)
        for name, each in schema.items()
        if name != "title"
    }


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the *schema* of a parameter without null: a client omits the parameter instead."""
    choices = [each for each in schema.get("anyOf", []) if each != NULL]
    if NULL not in schema.get("anyOf", []):
        return schema
    rest = {name: each for name, each in schema.items() if name not in {"anyOf", "default"}}
    return {**choices[0], **rest} if len(choices) == 1 else {**rest, "anyOf": choices}


def _clean_member(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if name == "description" and isinstance(value, str):
        return " ".join(value.partition("\n\n")[0].split())  # the rest of a docstring is for our own readers
    if name in {"const", "default", "enum", "example", "examples"}:
        return value
    return clean_schema(value, is_schema=name not in {"properties", "$defs"})


def _reference(target: str) -> str:
    return f"{PREFIX}{_short(target.rpartition('/')[2])}"


def _short(name: str) -> str:
    """Return the name of a schema. pydantic ends that of a generic type with an underscore."""
    return name.rstrip("_")
