"""All places in a request, beside its credential, that may name an organization."""

from typing import Final

from tenancy.gateway.http import Request
from tenancy.rules.resolution import ORGANIZATION_MEMBER, Mention, MentionSource, find_mentions

# A forwarded host selects no organization. It is only compared with the credential, like the others.
HEADERS: Final = (
    ("x-organization-id", MentionSource.HEADER),
    ("host", MentionSource.HOST),
    ("x-forwarded-host", MentionSource.FORWARDED_HOST),
)
PATH_PARAMETER: Final = f"{{{ORGANIZATION_MEMBER}}}"


def list_mentions(request: Request, body: bytes = b"") -> tuple[Mention, ...]:
    """Return the mentions in *request* and *body*: headers, path, query and body, in this order.

    Each value of a repeated header is a mention, and so is each part of a value with commas. A *body* that is not JSON
    has no mentions.
    """
    headers = (
        Mention(source=source, text=part.strip(" \t"))
        for name, source in HEADERS
        for value in request.header_values.get(name, ())
        for part in value.split(",")
    )
    path = (Mention(source=MentionSource.PATH, text=text) for text in _path_texts(request))
    query = (
        Mention(source=MentionSource.QUERY, text=text) for text in request.query_values.get(ORGANIZATION_MEMBER, ())
    )
    return (*headers, *path, *query, *find_mentions(body))


def _path_texts(request: Request) -> tuple[str, ...]:
    """Return the organization in the path as parsed by API Gateway and by the router."""
    parsed = [request.path_parameters[name] for name in request.path_parameters if name == ORGANIZATION_MEMBER]
    spelled = [
        text
        for name, text in zip(request.route.split("/"), request.path.split("/"), strict=False)
        if name == PATH_PARAMETER
    ]
    return tuple(dict.fromkeys([*parsed, *spelled]))
