"""API keys: their form is checked without a look-up, and they are never shown."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.keys.api_keys import ALPHABET, ApiKey, KeyType, find_key, generate_key
from tests.members import for_each

KEYS = [generate_key(key_type) for key_type in KeyType]
LETTERS = set(ALPHABET)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.type.value)
def test_generated_key_is_valid(key: ApiKey) -> None:
    assert find_key(key.text) == key


@pytest.mark.parametrize("key_type", KeyType)
def test_key_is_prefix_random_characters_and_checksum(key_type: KeyType) -> None:
    text = generate_key(key_type).text

    assert text.startswith(f"{key_type.value}_")
    assert len(text) == 3 + 43 + 6
    assert LETTERS.issuperset(text[3:])


def test_key_carries_at_least_256_random_bits() -> None:
    assert len(ALPHABET) ** 43 > 2**256


def test_no_two_keys_are_equal() -> None:
    assert len({generate_key(KeyType.WRITE) for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.type.value)
def test_prefix_tells_the_type(key: ApiKey) -> None:
    assert key.text.startswith(key.type.value)


def test_digest_is_the_sha_256_of_the_whole_text() -> None:
    key = KEYS[0]
    assert key.digest == hashlib.sha256(key.text.encode()).digest()


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.type.value)
def test_repr_hides_the_key(key: ApiKey) -> None:
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert key.text not in shown
        assert key.text[3:20] not in shown

    assert key.hint in repr(key)
    assert len(key.hint) == 4


@given(st.integers(3, 51), st.sampled_from(sorted(ALPHABET)))
def test_one_wrong_character_makes_it_no_key(place: int, letter: str) -> None:
    text = KEYS[0].text
    changed = text[:place] + letter + text[place + 1 :]

    assert (find_key(changed) is None) == (changed != text)


@given(st.integers(3, 50))
def test_two_swapped_characters_make_it_no_key(place: int) -> None:
    text = KEYS[1].text
    changed = text[:place] + text[place + 1] + text[place] + text[place + 2 :]

    assert (find_key(changed) is None) == (changed != text)


def test_checksum_covers_the_prefix() -> None:
    assert find_key("sk" + KEYS[2].text[2:]) is None


KEY = KEYS[2].text


OTHER_FORMS = [
    "",
    "wk_",
    KEY[:-1],
    KEY + "0",
    KEY + "\n",
    "\n" + KEY,
    " " + KEY,
    KEY + "\0",
    KEY.upper(),
    KEY.replace("_", "-", 1),
    "xx" + KEY[2:],
    "wk_" + "é" * 49,
    "wk_" + "\uff11" * 49,
    "wk_" + "0" * 49,
    KEY * 2,
    "wk_" + "A" * 100_000,
]


@for_each("text", OTHER_FORMS, ids=range(len(OTHER_FORMS)))
def test_text_of_another_form_is_no_key(text: str) -> None:
    assert find_key(text) is None


@given(st.text())
def test_arbitrary_text_is_no_key(text: str) -> None:
    assert find_key(text) is None
    assert find_key(f"wk_{text}") is None
