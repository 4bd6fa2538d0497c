"""The body of a request as bounded bytes, and as JSON that every store can hold."""

from itertools import islice
from typing import Final

import msgspec

from tenancy.errors import BODY, FieldError, InvalidError, TooLargeError
from tenancy.gateway.http import Request
from tenancy.rules.json_faults import malformed_json
from tenancy.rules.json_members import NO_OBJECT_TEXT
from tenancy.rules.resolution import ORGANIZATION_MEMBER

MAX_VALUES: Final = 1_000  # members and elements of a body. Each invalid one costs time and a part of the answer.


def read_body(request: Request, *, most: int) -> bytes:
    """Return the body of *request*, of at most *most* bytes.

    Raises:
        TooLargeError: it has more bytes.
        MalformedRequestError: it is marked as Base64, and it is not.
    """
    size = request.measure_body()
    if size > most:
        raise TooLargeError(f"The body has {size} bytes. At most {most} are allowed.")
    return request.body


def parse_json(body: bytes) -> str:
    """Return *body* as text if it is a JSON object that every store can hold.

    NaN, lone surrogates, deep nesting and whole numbers with thousands of digits are rejected. `organization_id` is
    left out: every body may have it, and it was compared before.

    Raises:
        MalformedRequestError: the body is not such JSON.
        InvalidError: the body is no object, or has more members and elements than any route takes.
    """
    try:
        text = body.decode()
        document = msgspec.json.decode(text)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise malformed_json(body, error) from error
    if _has_more_values(document, MAX_VALUES):
        raise too_many(BODY, f"The body has more than {MAX_VALUES} members and elements", MAX_VALUES)
    if not isinstance(document, dict):
        errors = [FieldError(location=BODY, code="invalid_type", message=NO_OBJECT_TEXT)]
        raise InvalidError("The body is not a JSON object.", errors=errors)
    if ORGANIZATION_MEMBER not in document:
        return text
    del document[ORGANIZATION_MEMBER]
    return msgspec.json.encode(document).decode()


def too_many(location: str, found: str, most: int) -> InvalidError:
    """Return the refusal of a *location* that has more than *most* values."""
    text = f"{found}. At most {most} are allowed."
    return InvalidError(text, errors=[FieldError(location=location, code="too_long", message=text)])


def _has_more_values(document: object, most: int) -> bool:
    """Return whether *document* has more than *most* members and elements.

    The count ends at *most*.
    """
    found, containers = 0, [document]
    while containers and found <= most:
        container = containers.pop()
        if isinstance(container, dict | list):
            found += len(container)
            containers.extend(islice(container.values() if isinstance(container, dict) else container, most))
    return found > most
