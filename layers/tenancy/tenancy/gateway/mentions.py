"""All places in a request, beside its credential, that may name an organization."""

from itertools import chain, islice
from typing import Final

from tenancy.gateway.http import Request
from tenancy.rules.resolution import MAX_MENTIONS, ORGANIZATION_MEMBER, Mention, MentionSource

# A forwarded host selects no organization. It is only compared with the credential, like the others.
HEADERS: Final = (
    ("x-organization-id", MentionSource.HEADER),
    ("host", MentionSource.HOST),
    ("x-forwarded-host", MentionSource.FORWARDED_HOST),
)
PATH_PARAMETER: Final = f"{{{ORGANIZATION_MEMBER}}}"


def list_mentions(request: Request) -> tuple[Mention, ...]:
    """Return the mentions in headers, path and query of *request*, in this order.

    At most `MAX_MENTIONS` and one more are returned. The last one shows that there are too many.
    Each value of a repeated header is a mention, and so is each part of a value with commas. `find_mentions` searches
    the body later, once the caller is authorized.
    """
    values = request.header_values
    headers = (
        Mention(source=source, text=part.strip(" \t"))
        for name, source in HEADERS
        if name in values
        for value in values[name]
        for part in value.split(",")
    )
    path = (Mention(source=MentionSource.PATH, text=text) for text in _path_texts(request))
    query = (
        Mention(source=MentionSource.QUERY, text=text) for text in request.query_values.get(ORGANIZATION_MEMBER, ())
    )
    return tuple(islice(chain(headers, path, query), MAX_MENTIONS + 1))


def _path_texts(request: Request) -> tuple[str, ...]:
    """Return the organization in the path as parsed by API Gateway and by the router."""
    if not request.path_parameters and PATH_PARAMETER not in request.route:
        return ()
    parsed = [request.path_parameters[name] for name in request.path_parameters if name == ORGANIZATION_MEMBER]
    spelled = [
        text
        for name, text in zip(request.route.split("/"), request.path.split("/"), strict=False)
        if name == PATH_PARAMETER
    ]
    return tuple(dict.fromkeys([*parsed, *spelled]))
