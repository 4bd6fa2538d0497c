"""Which passwords people may choose: long enough, and not among those that are guessed first."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from pydantic_core import PydanticCustomError
from zxcvbn import zxcvbn

PASSWORD_MIN_CHARACTERS: Final = 12
PASSWORD_MAX_CHARACTERS: Final = 256
LEAST_SCORE: Final = 3  # of zxcvbn's 0 to 4: more than 10**8 guesses
JUDGED_CHARACTERS: Final = 72  # zxcvbn takes no more, and its time grows faster than the length
SEPARATORS: Final = re.compile(r"[\W_]+")


def parse_password(text: str, *, about: Iterable[str]) -> str:
    """Return *text* as it is hashed: NFKC, so that another keyboard's spelling of it is the same password.

    *about* is what a stranger knows of its owner: names and addresses do not make a password better.

    Raises:
        ValueError: it has fewer than 12 characters or more than 256, it is too common, or no text.
    """
    password = unicodedata.normalize("NFKC", text)
    password.encode()  # half a surrogate pair is no text, and no hash could be made of it
    if not PASSWORD_MIN_CHARACTERS <= len(password) <= PASSWORD_MAX_CHARACTERS:
        limits = {"least": PASSWORD_MIN_CHARACTERS, "most": PASSWORD_MAX_CHARACTERS}
        raise PydanticCustomError("password_length", "Expected {least} to {most} characters.", limits)
    if _score(password, about) < LEAST_SCORE:
        raise PydanticCustomError("too_common", "The password is too easy to guess. Use a few unrelated words.")
    return password


def _score(password: str, about: Iterable[str]) -> int:
    known = [word for text in about for word in (text, *SEPARATORS.split(text)) if word]
    score: int = zxcvbn(password[:JUDGED_CHARACTERS], user_inputs=known)["score"]
    return score
