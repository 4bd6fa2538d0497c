"""The strength check of any password costs less than a few hashes of it."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

import pytest
from pydantic_core import PydanticCustomError

from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.people.passwords import PASSWORD_MAX_CHARACTERS, SCORED_CHARACTERS, parse_password

MOST_HASHES = 5
# Digits and signs that stand for letters in zxcvbn. Each one with two meanings doubles the work.
LEET = "4@8({[<369!1|0$5+7%2"
ABOUT = ["Globex Corporation " * 13, "globex", "administrator@globex.example"]
SEEDS = range(10)
WORST = {
    "signs": LEET * 13,
    "signs with two meanings": "4@({[<691!|7$5+2" * 16,
    "few signs": "4@({[<691!|7" * 21,
    "repeats": "aab" * 85,
    "nested repeats": ("aab" * 3 + "b") * 25,
    "one character": "1" * 256,
    "words": "passwordqwertymonkeydragonletmein" * 7,
    "words in signs": "p4$$w0rd!|0v3y0u" * 16,
    "dates": "11/11/1111" * 25,
    "digits": "1234567890" * 25,
    "keys": "qwertyuiop[]asdfghjkl;'" * 11,
    "sequence": "abcdefghijklmnopqrstuvwxyz" * 9,
    "expanding characters": "\ufdfa" * 256,
    "combining marks": "\u0315\u0300" * 128,
    "emoji": "\U0001f600" * 256,
    "words of the owner": "globexcorporationadministrator" * 8,
    **{f"shuffled signs {seed}": "".join(Random(seed).sample(LEET, len(LEET))) * 12 for seed in SEEDS},
}


def cost(work: Callable[[], object]) -> float:
    """Return the least processor time of three attempts."""
    costs = []
    for _ in range(3):
        started = time.process_time()
        work()
        costs.append(time.process_time() - started)
    return min(costs)


def check(password: str) -> None:
    with suppress(PydanticCustomError):
        parse_password(password, about=ABOUT)


def test_no_password_costs_more_than_five_hashes() -> None:
    check("warm up the dictionaries")
    one_hash = cost(lambda: HASHER.hash("correct horse battery staple"))

    costs = {name: round(cost(partial(check, text)) / one_hash, 1) for name, text in WORST.items()}

    assert {name: hashes for name, hashes in costs.items() if hashes > MOST_HASHES} == {}


def test_longer_password_is_not_normalized() -> None:
    long = "\u0315\u0300" * 1_000_000

    assert cost(lambda: check(long)) < cost(lambda: HASHER.hash("correct horse battery staple"))


@pytest.mark.parametrize("tail", ["", "correct horse battery staple", "x" * (PASSWORD_MAX_CHARACTERS - 24)])
def test_strength_is_that_of_the_first_characters(tail: str) -> None:
    with pytest.raises(PydanticCustomError, match="too easy"):
        parse_password("a" * SCORED_CHARACTERS + tail, about=())


def test_long_name_of_the_owner_is_no_good_password() -> None:
    name = "Consolidated Globex Corporations of Springfield"

    with pytest.raises(PydanticCustomError, match="too easy"):
        parse_password(name, about=[name])
