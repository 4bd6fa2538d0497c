"""The Segment SDKs' requests: where they put the write key, and what they expect for an answer."""

from tenancy.errors import UnauthenticatedError
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


def parse_segment_request(request: Request) -> tuple[ApiKey, SegmentBatch, tuple[Mention, ...]]:
    """Return the key of a request to a Segment path, its calls, and what it mentions beside them.

    Mobile SDKs put the key in the body only.

    Raises:
        UnauthenticatedError: no key, or two that differ.
        MalformedRequestError, InvalidError, TooLargeError: the body is no batch.
    """
    body = replace_lone_surrogates(decode_body(request.body))  # what is mentioned is read from what is stored
    batch = parse_segment_batch(body) if request.path in BATCH_PATHS else parse_segment_call(body)
    keys = {key for key in (_header_key(request), _body_key(batch.writeKey)) if key is not None}
    if len(keys) != 1:
        raise UnauthenticatedError("Exactly one write key is needed.")
    return keys.pop(), batch, list_mentions(request, body)


def settings_answer(request: Request, key: ApiKey) -> Response:
    """Return what a mobile SDK asks for before it sends: where to, with which key."""
    host = request.headers.get("host", "")
    integration = {"apiKey": key.text, "apiHost": f"{host}{STAGE_PREFIX}"}
    return json_answer(200, {"integrations": {"Segment.io": integration}})


def _header_key(request: Request) -> ApiKey | None:
    values = request.header_values.get(AUTHORIZATION, ())
    if not values:
        return None
    credential = parse_authorization(values)
    if not isinstance(credential, ApiKey):
        raise UnauthenticatedError
    return credential


def _body_key(text: str | None) -> ApiKey | None:
    if text is None:
        return None
    key = find_key(text)
    if key is None:
        raise UnauthenticatedError
    return key
