"""Documents of dead letters: groups by kind and cause, with samples without their bodies."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.dead_letters import LetterGroup, LetterSample
from tenancy.use_cases.dead_letters.read_dead_letters import LetterPage

MAX_GROUPS: Final = 100
MAX_CURSOR_CHARACTERS: Final = 1_200  # 200 characters of a cause, of up to 4 bytes each, in base64


class DeadLettersQuery(BaseModel):
    """The query of GET /v1/organizations/{organization_id}/dead-letters."""

    model_config = ConfigDict(frozen=True)

    cursor: Annotated[str | None, Field(max_length=MAX_CURSOR_CHARACTERS)] = None
    limit: Annotated[int, Field(ge=1, le=MAX_GROUPS)] = MAX_GROUPS


def letter_page_document(page: LetterPage) -> dict[str, Any]:
    """Return one page of dead letters."""
    return {
        "data": [_group(group) for group in page.groups],
        "pagination": {"next_cursor": page.next_cursor, "has_more": page.next_cursor is not None},
    }


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
