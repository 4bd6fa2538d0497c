"""Documents of apps."""

from functools import partial
from typing import Annotated, Any, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.times import format_time
from tenancy.rules.apps import PLATFORM_MAX_CHARACTERS, App
from tenancy.rules.texts import NAME_MAX_CHARACTERS, parse_line, parse_name

AppName = Annotated[
    str, AfterValidator(parse_name), Field(json_schema_extra={"minLength": 1, "maxLength": NAME_MAX_CHARACTERS})
]
Platform = Annotated[
    str,
    AfterValidator(partial(parse_line, max_characters=PLATFORM_MAX_CHARACTERS)),
    Field(json_schema_extra={"minLength": 1, "maxLength": PLATFORM_MAX_CHARACTERS}),
]


class NewApp(BaseModel):
    """The body of POST /v1/apps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: AppName
    platform: Platform


def _document_change(schema: dict[str, Any]) -> None:
    """Take null out of the JSON schema of `AppChange`. Its validator refuses null."""
    for name, field in schema["properties"].items():
        [value] = [each for each in field["anyOf"] if each != {"type": "null"}]
        schema["properties"][name] = value
    schema["minProperties"] = 1


class AppChange(BaseModel):
    """The body of PATCH /v1/apps/{app_id}. A field that is None does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_document_change)

    name: AppName | None = None
    platform: Platform | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            raise ValueError("A null is not allowed. Omit members that do not change.")
        return value

    @model_validator(mode="after")
    def _changes_something(self) -> "AppChange":
        if not self.model_fields_set:
            raise ValueError("Expected at least one of name and platform.")
        return self


class OwnAppAnswer(TypedDict):
    """An app of an organization."""

    id: Uuid
    name: str
    platform: str
    created_at: Time


def app_document(app: App) -> dict[str, Any]:
    """Return an app."""
    return {
        "id": str(app.id),
        "name": app.name,
        "platform": app.platform,
        "created_at": format_time(app.created_at),
    }
