"""The requests of Segment SDKs and the answers that they expect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tenancy.errors import CredentialFault, UnauthenticatedError
from tenancy.gateway.headers import AUTHORIZATION
from tenancy.gateway.http import STAGE_PREFIX, Request, Response, json_answer
from tenancy.gateway.mentions import list_mentions
from tenancy.rules.api_keys import ApiKey, find_key
from tenancy.rules.credentials import parse_authorization
from tenancy.rules.events.batch import (
    SegmentBatch,
    decode_body,
    parse_segment_batch,
    parse_segment_call,
    replace_lone_surrogates,
)
from tenancy.rules.events.segment import BATCH_PATHS
from tenancy.rules.resolution import Mention

EXPECTED_KEY: Final = (
    "Send one write key: as user name of Basic credentials, as Bearer token, or as `writeKey` in the body."
)


@contextmanager
def naming_credential_faults() -> Iterator[None]:
    """Name the class of a refused credential, because these paths have no authorizer.

    Raises:
        UnauthenticatedError: the block raised it. The answer never tells whether a key exists.
    """
    try:
        yield
    except UnauthenticatedError as error:
        raise UnauthenticatedError(f"{error.fault} {EXPECTED_KEY}", fault=error.fault) from error


def parse_segment_request(request: Request) -> tuple[ApiKey, SegmentBatch, tuple[Mention, ...]]:
    """Return the write key, the calls and the mentions of a request to a Segment path.

    Mobile SDKs send the key only in the body.

    Raises:
        UnauthenticatedError: the request has no key, or two different keys.
        MalformedRequestError, InvalidError, TooLargeError: the body is not a batch.
    """
    body = replace_lone_surrogates(decode_body(request.body))  # mentions are searched in the same bytes
    batch = parse_segment_batch(body) if request.path in BATCH_PATHS else parse_segment_call(body)
    keys = {key for key in (_header_key(request), _body_key(batch.writeKey)) if key is not None}
    if len(keys) != 1:
        raise UnauthenticatedError(fault=CredentialFault.SEVERAL if keys else CredentialFault.NONE)
    return keys.pop(), batch, list_mentions(request, body)


def settings_answer(request: Request, key: ApiKey) -> Response:
    """Return the settings that a mobile SDK requests before it sends: host and write key."""
    host = request.headers.get("host", "")
    integration = {"apiKey": key.text, "apiHost": f"{host}{STAGE_PREFIX}"}
    return json_answer(200, {"integrations": {"Segment.io": integration}})


def _header_key(request: Request) -> ApiKey | None:
    values = request.header_values.get(AUTHORIZATION, ())
    if not values:
        return None
    credential = parse_authorization(values)
    if not isinstance(credential, ApiKey):
        raise UnauthenticatedError(fault=CredentialFault.OTHER_KIND)
    return credential


def _body_key(text: str | None) -> ApiKey | None:
    if text is None:
        return None
    key = find_key(text)
    if key is None:
        raise UnauthenticatedError(fault=CredentialFault.MALFORMED)
    return key
