"""Documents of erasures of data subjects."""

from functools import partial
from typing import Annotated, Any, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.erasures import DataSubject, Erasure, ErasureStatus, SubjectKind, hash_subject
from tenancy.rules.texts import NAME_MAX_CHARACTERS, parse_bounded

Name = Annotated[
    str,
    AfterValidator(partial(parse_bounded, max_characters=NAME_MAX_CHARACTERS)),
    Field(json_schema_extra={"minLength": 1, "maxLength": NAME_MAX_CHARACTERS}),
]


class NewErasure(BaseModel):
    """The body of POST /v1/erasures: one name of one data subject.

    The name is neither returned nor logged.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        json_schema_extra={"minProperties": 1},
    )

    device_id: Name | None = None
    user_id: Name | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "NewErasure":
        if (self.device_id is None) == (self.user_id is None):
            raise ValueError("Name the data subject with exactly one of `device_id` and `user_id`.")
        return self

    def subject(self) -> DataSubject:
        """Return the data subject as a digest, without the name."""
        if self.device_id is not None:
            return hash_subject(SubjectKind.DEVICE_ID, self.device_id)
        return hash_subject(SubjectKind.USER_ID, self.user_id or "")


class ErasedCountAnswer(TypedDict):
    """Rows before and after an erasure. Both are null until it has run."""

    before: int | None
    after: int | None


class ErasureAnswer(TypedDict):
    """An erasure, without the name of its data subject."""

    id: Uuid
    subject: SubjectKind
    status: ErasureStatus
    requested_at: Time
    erased_at: Time | None
    confirmed_at: Time | None
    events: ErasedCountAnswer
    held_events: ErasedCountAnswer


def erasure_document(erasure: Erasure) -> dict[str, Any]:
    """Return an erasure without the name of its data subject."""
    return {
        "id": str(erasure.id),
        "subject": erasure.subject_kind.value,
        "status": erasure.status.value,
        "requested_at": format_time(erasure.requested_at),
        "erased_at": format_optional_time(erasure.erased_at),
        "confirmed_at": format_optional_time(erasure.confirmed_at),
        "events": _counts(erasure.events_before, erasure.events_after),
        "held_events": _counts(erasure.held_events_before, erasure.held_events_after),
    }


def _counts(before: int, after: int | None) -> dict[str, int | None]:
    return {"before": before if after is not None else None, "after": after}
