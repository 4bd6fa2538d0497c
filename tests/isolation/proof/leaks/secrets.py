"""Secrets in clear: passwords, API keys and tokens, also in hexadecimal digits and in Base64."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from tenancy.rules.keys.api_keys import KeyType
from tests.given import PASSWORD, ROOT

KEY_KIND, REFRESH_TOKEN_KIND, ONE_TIME_TOKEN_KIND = "an API key", "a refresh token", "a one-time token"
ACCESS_TOKEN_KIND, PASSWORD_KIND = "an access token", "a password"
HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2}){12,}")
BASE64 = re.compile(r"[0-9A-Za-z+/_-]{16,}")


def passwords_of_samples() -> set[str]:
    """Return the passwords in the bodies of the sample events, from which all requests of the proof are made."""
    bodies = [json.loads(file.read_text()).get("body") for file in (ROOT / "events").glob("*/*.json")]
    documents = [_document(body) for body in bodies if isinstance(body, str)]
    return {password for document in documents for password in _passwords_in(document)}


def secrets_in(text: str) -> set[tuple[str, str]]:
    """Return the kind and the text of each secret that *text* shows.

    The signature of an access token has random characters. A part of them may look like an API key, and is none.
    """
    found = set()
    for reading in _readings(text):
        for kind, pattern in SECRET_FORMS.items():
            searched = reading if kind == ACCESS_TOKEN_KIND else SIGNATURE.sub(r"\1", reading)
            found |= {(kind, secret) for secret in pattern.findall(searched)}
    return found


def kinds_of_secrets_in(text: str) -> list[str]:
    """Return the kinds of the secrets that *text* shows, sorted."""
    return sorted({kind for kind, _ in secrets_in(text)})


def secrets_in_places(places: Iterable[tuple[str, str]]) -> list[str]:
    """Return a sentence for each place with a secret. *places* are pairs of a place's name and a text there."""
    texts = set(places)
    return sorted({f"{place} shows {kind}" for place, text in texts for kind in kinds_of_secrets_in(text)})


def _readings(text: str) -> Iterator[str]:
    """Yield *text*, and the texts that are encoded in it as hexadecimal digits or Base64."""
    yield text
    for digits in HEXADECIMAL.findall(text):
        yield bytes.fromhex(digits).decode("latin-1")
    for digits in BASE64.findall(text):
        complete = digits[: len(digits) - (len(digits) % 4 == 1)]  # a single digit stands for no byte
        padded = complete + "=" * (-len(complete) % 4)
        yield base64.b64decode(padded.replace("-", "+").replace("_", "/")).decode("latin-1")


def _document(body: str) -> Any:  # noqa: ANN401 - JSON
    with suppress(ValueError):
        return json.loads(body)
    return None


def _passwords_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        for name, member in value.items():
            if "password" in name and isinstance(member, str):
                yield member
            yield from _passwords_in(member)


PASSWORDS = sorted({PASSWORD} | passwords_of_samples())
# A part of a key or token is one as well. Digests, prefixes and hints of keys are shorter or have another form.
SECRET_FORMS = {
    KEY_KIND: re.compile(rf"(?:{'|'.join(KeyType)})_[0-9A-Za-z]{{20,}}"),
    REFRESH_TOKEN_KIND: re.compile(r"rt_[0-9a-f]{32}[0-9A-Za-z]*"),
    ONE_TIME_TOKEN_KIND: re.compile(r"ot_[0-9a-f]{32}[0-9A-Za-z]*"),
    ACCESS_TOKEN_KIND: re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}[\w.-]*"),
    PASSWORD_KIND: re.compile("|".join(re.escape(password) for password in PASSWORDS)),
}
# Of ES256, with which the platform signs: 64 bytes.
SIGNATURE = re.compile(r"(eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.)[\w-]{86}(?![\w-])")
