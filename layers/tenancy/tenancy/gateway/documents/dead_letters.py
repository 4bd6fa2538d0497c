"""Documents of dead letters: groups by kind and cause, with samples without their bodies."""

from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, WholeNumber
from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.cursors import MAX_PAGE, Page
from tenancy.rules.dead_letters import MAX_SHOWN_SAMPLES, DeadLetterKind, LetterGroup, LetterSample


class DeadLettersQuery(BaseModel):
    """The query of GET /v1/organizations/{organization_id}/dead-letters."""

    model_config = ConfigDict(frozen=True)

    cursor: Cursor | None = None
    limit: Annotated[WholeNumber, Field(ge=1, le=MAX_PAGE)] = MAX_PAGE


class LetterSampleAnswer(TypedDict):
    """A dead letter without its body."""

    id: Uuid
    received_at: Time
    bytes: int
    events: int | None
    call_index: int | None
    redriven_at: Time | None
    failed_again_at: Time | None


class LetterGroupAnswer(TypedDict):
    """The dead letters of one kind and cause."""

    kind: DeadLetterKind
    cause: str
    count: int
    events: int | None
    bytes: int
    redrivable: int
    redriven: int
    failed_again: int
    first_received_at: Time
    last_received_at: Time
    samples: Annotated[list[LetterSampleAnswer], Field(max_length=MAX_SHOWN_SAMPLES)]


class RedrivenAnswer(TypedDict):
    """The dead letters that were sent back, and those that wait for another request."""

    redriven: int
    waiting: int


def letter_page_document(page: Page[LetterGroup]) -> dict[str, Any]:
    """Return one page of dead letters."""
    return page_document(page, _group)


def _group(group: LetterGroup) -> dict[str, Any]:
    return {
        "kind": group.kind.value,
        "cause": group.cause,
        "count": group.count,
        "events": group.events,
        "bytes": group.size_bytes,
        "redrivable": group.redrivable,
        "redriven": group.redriven,
        "failed_again": group.failed_again,
        "first_received_at": format_time(group.first_received_at),
        "last_received_at": format_time(group.last_received_at),
        "samples": [_sample(sample) for sample in group.samples],
    }


def _sample(sample: LetterSample) -> dict[str, Any]:
    return {
        "id": str(sample.id),
        "received_at": format_time(sample.first_received_at),
        "bytes": sample.size_bytes,
        "events": sample.events,
        "call_index": sample.call_index,
        "redriven_at": format_optional_time(sample.redriven_at),
        "failed_again_at": format_optional_time(sample.failed_again_at),
    }
