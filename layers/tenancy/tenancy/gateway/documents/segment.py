"""The requests of Segment SDKs and the answers that they expect."""

from typing import Final

from tenancy.errors import UnauthenticatedError
from tenancy.gateway.headers import AUTHORIZATION
from tenancy.gateway.http import STAGE_PREFIX, Request, Response, json_answer
from tenancy.gateway.mentions import list_mentions
from tenancy.rules.api_keys import ApiKey, find_key
from tenancy.rules.credentials import parse_authorization
from tenancy.rules.durations import SDK_SETTINGS_MAX_AGE_SECONDS
from tenancy.rules.events.batch import SegmentBatch, decode_body, parse_segment_body
from tenancy.rules.events.segment import BATCH_PATHS
from tenancy.rules.resolution import Mention

API_ID: Final = "{api_id}"  # in the setting: API Gateway's id of the API, which only a request tells (template.yaml)


def parse_segment_request(request: Request) -> tuple[ApiKey, SegmentBatch, tuple[Mention, ...]]:
    """Return the write key, the calls and the mentions of a request to a Segment path.

    Mobile SDKs send the key only in the body.

    Raises:
        UnauthenticatedError: the request has no key, or two different keys.
        MalformedRequestError, InvalidError, TooLargeError: the body is not a batch.
    """
    # Mentions are searched in the text that the calls come from.
    batch, body = parse_segment_body(decode_body(request.body), is_batch=request.path in BATCH_PATHS)
    keys = {key for key in (_header_key(request), _body_key(batch.writeKey)) if key is not None}
    if len(keys) != 1:
        raise UnauthenticatedError("Send exactly one write key.")
    return keys.pop(), batch, list_mentions(request, body)


def settings_answer(request: Request, key: ApiKey, *, api_host: str) -> Response:
    """Return the settings that a mobile SDK requests before it sends: host and write key.

    *api_host* is the configured host. The request's own host may be forged, and an SDK keeps what it gets here.
    `sampleRate` 0 keeps browsers from sending their metrics to Segment. The answer is private, because the key is in
    its path.
    """
    host = api_host.replace(API_ID, request.api_id)
    integration = {"apiKey": key.text, "apiHost": f"{host}{STAGE_PREFIX}"}
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
        raise UnauthenticatedError
    return credential


def _body_key(text: str | None) -> ApiKey | None:
    if text is None:
        return None
    key = find_key(text)
    if key is None:
        raise UnauthenticatedError
    return key
