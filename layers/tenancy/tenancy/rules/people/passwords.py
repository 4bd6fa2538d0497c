"""The rules for passwords: a minimum length and a minimum strength."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from pydantic_core import PydanticCustomError
from zxcvbn_rs_py import zxcvbn

from tenancy.errors import BODY, FieldError, InvalidError

PASSWORD_MIN_CHARACTERS: Final = 12
PASSWORD_MAX_CHARACTERS: Final = 256
LEAST_SCORE: Final = 3  # of zxcvbn's 0 to 4: more than 10**8 guesses
# The time of zxcvbn grows with the square of the length, and with the number of digits and signs that stand for
# letters. The worst 24 characters take less than two hashes of a password (tests/unit/test_password_cost.py).
SCORED_CHARACTERS: Final = 24
SEPARATORS: Final = re.compile(r"[\W_]+")


def parse_password(text: str, *, about: Iterable[str]) -> str:
    """Return *text* in the form that is hashed, if it is a good password.

    The form is NFKC, so that all keyboards produce the same password. *about* are names and addresses of the owner.
    Words from them do not make a password stronger. The first 24 characters alone must be strong enough.

    Raises:
        ValueError: *text* has fewer than 12 or more than 256 characters, is easy to guess, or has a lone surrogate.
    """
    password = normalize_password(text) if len(text) <= PASSWORD_MAX_CHARACTERS else text
    password.encode()  # raises for a lone surrogate, which cannot be hashed
    if not PASSWORD_MIN_CHARACTERS <= len(password) <= PASSWORD_MAX_CHARACTERS:
        limits = {"least": PASSWORD_MIN_CHARACTERS, "most": PASSWORD_MAX_CHARACTERS}
        raise PydanticCustomError("password_length", "Expected {least} to {most} characters.", limits)
    if _score(password, about) < LEAST_SCORE:
        raise PydanticCustomError("too_common", "The password is too easy to guess. Use a few unrelated words.")
    return password


def normalize_password(text: str) -> str:
    """Return *text* in the form that is hashed: NFKC.

    It has at most `PASSWORD_MAX_CHARACTERS` characters.
    """
    return unicodedata.normalize("NFKC", text)


def require_password(text: str, *, about: Iterable[str]) -> str:
    """Return *text* in the form that is hashed, as `parse_password` does.

    The use case calls it after the request was parsed.

    Raises:
        InvalidError: *text* is no good password. Its error names the member `password` of the body.
    """
    try:
        return parse_password(text, about=about)
    except PydanticCustomError as error:
        code, message = error.type, error.message()
    except ValueError:
        code, message = "invalid_characters", "Expected valid Unicode text, without lone surrogates."
    raise InvalidError(message, errors=[FieldError(location=f"{BODY}/password", code=code, message=message)])


def _score(password: str, about: Iterable[str]) -> int:
    known = {word[:SCORED_CHARACTERS] for text in about for word in (text, *SEPARATORS.split(text)) if word}
    return int(zxcvbn(password[:SCORED_CHARACTERS], sorted(known)).score)
