"""Opaque tokens: their form is checked without a look-up, and they are never shown."""

import hashlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.credentials import redact_text
from tenancy.rules.keys.api_keys import ALPHABET
from tenancy.rules.people.opaque_tokens import (
    OPAQUE_TOKEN_CHARACTERS,
    OpaqueToken,
    TokenType,
    find_token,
    generate_token,
)

ACME = UUID("00000000-0000-4000-8000-0000000000ac")
REFRESH = generate_token(TokenType.REFRESH, ACME)
TOKENS = [generate_token(token_type, ACME) for token_type in TokenType]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.type.value)
def test_generated_token_is_valid(token: OpaqueToken) -> None:
    assert find_token(token.text, token.type) == token
    assert len(token.text) == OPAQUE_TOKEN_CHARACTERS


@given(st.uuids())
def test_token_tells_its_organization(organization_id: UUID) -> None:
    assert generate_token(TokenType.REFRESH, organization_id).organization_id == organization_id


def test_no_two_tokens_are_equal() -> None:
    assert len({generate_token(TokenType.ONE_TIME, ACME) for _ in range(1_000)}) == 1_000


def test_digest_is_the_sha_256_of_the_text() -> None:
    assert REFRESH.digest == hashlib.sha256(REFRESH.text.encode()).digest()


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.type.value)
def test_token_of_another_type_is_none(token: OpaqueToken) -> None:
    for other in set(TokenType) - {token.type}:
        assert find_token(token.text, other) is None
        assert find_token(other.value + token.text[2:], other) is None


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.type.value)
def test_representation_hides_the_token(token: OpaqueToken) -> None:
    for shown in (repr(token), str(token), f"{token}", repr([token])):
        assert token.text[35:] not in shown
        assert ACME.hex not in shown


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.type.value)
def test_logs_and_paths_hide_a_token(token: OpaqueToken) -> None:
    assert redact_text(f"before {token.text} after") == "before … after"


@given(st.integers(3, OPAQUE_TOKEN_CHARACTERS - 1), st.sampled_from(sorted(ALPHABET)))
def test_one_wrong_character_makes_it_no_token(place: int, letter: str) -> None:
    changed = REFRESH.text[:place] + letter + REFRESH.text[place + 1 :]

    assert (find_token(changed, TokenType.REFRESH) is None) == (changed != REFRESH.text)


TEXT = REFRESH.text
OTHER_FORMS = [
    "",
    "rt_",
    TEXT[:-1],
    TEXT + "0",
    TEXT + "\n",
    " " + TEXT,
    TEXT + "\0",
    TEXT.upper(),
    TEXT.replace("_", "-", 1),
    "rt_" + "é" * 81,
    "rt_" + "\uff11" * 81,
    "rt_" + "0" * 81,
    TEXT * 2,
    "rt_" + "a" * 100_000,
]


@pytest.mark.parametrize("text", OTHER_FORMS, ids=range(len(OTHER_FORMS)))
def test_text_of_another_form_is_no_token(text: str) -> None:
    assert find_token(text, TokenType.REFRESH) is None


@given(st.text())
def test_arbitrary_text_is_no_token(text: str) -> None:
    assert find_token(text, TokenType.ONE_TIME) is None
    assert find_token(f"ot_{text}", TokenType.ONE_TIME) is None
