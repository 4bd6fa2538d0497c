"""The requests of Segment SDKs and the answers that they expect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tenancy.errors import CredentialFault, UnauthenticatedError
from tenancy.gateway.headers import AUTHORIZATION
from tenancy.gateway.http import Request, Response, json_answer
from tenancy.rules.credentials import parse_authorization
from tenancy.rules.durations import SDK_SETTINGS_MAX_AGE_SECONDS
from tenancy.rules.events.batch import SegmentBatch, decode_body, find_body_key, parse_segment_text
from tenancy.rules.events.segment import BATCH_PATHS
from tenancy.rules.keys.api_keys import ApiKey, find_key
from tenancy.rules.resolution import Mention, find_body_mention

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


def find_write_key(request: Request) -> tuple[ApiKey, bytes | None]:
    """Return the write key of a request to a Segment path, and the body if it was decoded.

    The body is decoded only if no header has the key. Mobile SDKs send the key only in the body. Then the body is
    decompressed up to its limit and searched once. Nothing else of it is used before the caller is authorized.

    Raises:
        UnauthenticatedError: the request has no key.
        MalformedRequestError, InvalidError, TooLargeError: the body has to be searched, and cannot be.
    """
    key = _header_key(request)
    if key is not None:
        return key, None
    body = decode_body(request.body)
    key = _body_key(find_body_key(body))
    if key is None:
        raise UnauthenticatedError(fault=CredentialFault.NONE)
    return key, body


def parse_segment_body(request: Request, body: bytes, key: ApiKey) -> tuple[SegmentBatch, tuple[Mention, ...]]:
    """Return the calls in the decoded *body* of an authorized request, and its mention.

    Raises:
        UnauthenticatedError: *key* is not the one key of header and body. It may be the `writeKey` of a call.
        MalformedRequestError, InvalidError: the body is not a batch.
    """
    batch = parse_segment_text(body, is_batch=request.path in BATCH_PATHS)
    found = {each for each in (_header_key(request), _body_key(batch.writeKey)) if each is not None}
    if found != {key}:
        raise UnauthenticatedError(fault=CredentialFault.SEVERAL if found else CredentialFault.NONE)
    return batch, find_body_mention(batch.organization_id)


def settings_answer(request: Request, key: ApiKey, *, api_host: str) -> Response:
    """Return the settings that a mobile SDK requests before it sends: host and write key.

    *api_host* is the configured host. The request's own host may be forged, and an SDK keeps what it gets here.
    `sampleRate` 0 keeps browsers from sending their metrics to Segment. The answer is private, because the key is in
    its path.
    """
    integration = {"apiKey": key.text, "apiHost": request.find_api(api_host)}
    document = {"integrations": {"Segment.io": integration}, "metrics": {"sampleRate": 0}}
    response = json_answer(200, document)
    response["headers"]["Cache-Control"] = f"private, max-age={SDK_SETTINGS_MAX_AGE_SECONDS}"
    return response


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
