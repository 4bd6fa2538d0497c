"""The body of a PATCH: it has at least one member, and a member that it omits does not change."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator


def _document_members(schema: dict[str, Any]) -> None:
    """Take null out of the JSON schema. The validator refuses null."""
    for name, field in schema["properties"].items():
        values = [each for each in field.pop("anyOf", [field]) if each != {"type": "null"}]
        schema["properties"][name] = {**{key: field[key] for key in field if key != "default"}, **values[0]}
    schema["minProperties"] = 1


class PartialChange(BaseModel):
    """A change of some members. A field that is None does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_document_members)

    @field_validator("*", mode="before")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            raise ValueError("A null is not allowed. Omit members that do not change.")
        return value

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            *others, last = type(self).model_fields
            raise ValueError(f"Expected at least one of {', '.join(others)} and {last}.")
        return self
