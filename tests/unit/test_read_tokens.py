"""Read tokens: their content, the organizations that can use them, and texts that are no tokens."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenancy.rules.read_tokens import derive_token_key, format_position_token, format_time_token, parse_token
from tenancy.rules.replica_reads import WriteMark
from tests.members import for_each

ACME = UUID("0a000000-0000-4000-8000-00000000000a")
GLOBEX = UUID("0b000000-0000-4000-8000-00000000000b")
WRITTEN_AT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
KEY = derive_token_key("postgresql://tenancy_functions:password@primary/tenancy")
OTHER_KEY = derive_token_key("postgresql://tenancy_functions:next-password@primary/tenancy")
POSITION = 0x16_B374D848
TOKEN = format_position_token(WRITTEN_AT, POSITION, key=KEY, organization_id=ACME)


def test_position_is_for_its_organization() -> None:
    mark = parse_token(TOKEN, key=KEY, organization_id=ACME)

    assert mark == WriteMark(written_at=WRITTEN_AT, position=POSITION)
    assert parse_token(TOKEN, key=KEY, organization_id=GLOBEX) is None
    assert parse_token(TOKEN, key=OTHER_KEY, organization_id=ACME) is None


def test_time_is_the_senders_own() -> None:
    token = format_time_token(WRITTEN_AT)

    assert parse_token(token, key=OTHER_KEY, organization_id=GLOBEX) == WriteMark(written_at=WRITTEN_AT)


def test_changed_token_is_unreadable() -> None:
    for index in range(1, len(TOKEN)):
        changed = TOKEN[:index] + ("A" if TOKEN[index] != "A" else "B") + TOKEN[index + 1 :]

        assert parse_token(changed, key=KEY, organization_id=ACME) is None


def test_time_that_no_date_can_have_is_late() -> None:
    mark = parse_token("t__________8", key=KEY, organization_id=ACME)

    assert mark is not None
    assert mark.written_at.year == 9999


@for_each(
    "text", ["", "t", "p", "t!", "tAAAA", "pAAAA", "x" + TOKEN[1:], TOKEN + "A" * 100, "p" + "ü" * 59, "\0", "t=="]
)
def test_other_text_is_no_token(text: str) -> None:
    assert parse_token(text, key=KEY, organization_id=ACME) is None


@pytest.mark.parametrize("position", [0, POSITION, 2**64 - 1])
def test_length_tells_nothing(position: int) -> None:
    assert len(format_position_token(WRITTEN_AT, position, key=KEY, organization_id=ACME)) == len(TOKEN)
