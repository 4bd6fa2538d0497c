"""Documents of apps."""

from functools import partial
from typing import Annotated, Any, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.times import format_time
from tenancy.rules.apps import PLATFORM_MAX_CHARACTERS, App
from tenancy.rules.body_members import Name
from tenancy.rules.partial_change import PartialChange
from tenancy.rules.texts import parse_line

Platform = Annotated[
    str,
    AfterValidator(partial(parse_line, max_characters=PLATFORM_MAX_CHARACTERS)),
    Field(json_schema_extra={"minLength": 1, "maxLength": PLATFORM_MAX_CHARACTERS}),
]


class NewApp(BaseModel):
    """The body of POST /v1/apps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    platform: Platform


class AppChange(PartialChange):
    """The body of PATCH /v1/apps/{app_id}. A field that is None does not change."""

    name: Name | None = None
    platform: Platform | None = None


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
