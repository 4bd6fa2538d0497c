"""Everything in a request that may name an organization, beside its credential."""

from typing import Final

from tenancy.gateway.http import Request
from tenancy.rules.resolution import ORGANIZATION_MEMBER, Mention, MentionSource, find_mentions

# Forwarded names are never trusted to select anybody: they are held against the credential like the others.
HEADERS: Final = (
    ("x-organization-id", MentionSource.HEADER),
    ("host", MentionSource.HOST),
    ("x-forwarded-host", MentionSource.FORWARDED_HOST),
)
PATH_PARAMETER: Final = f"{{{ORGANIZATION_MEMBER}}}"


def list_mentions(request: Request, body: bytes = b"") -> tuple[Mention, ...]:
    """Return what *request* and its *body*, where that is JSON, mention: in the order of headers, path, query and body.

    Each value of a repeated header is a mention of its own, and so is each part of one that is joined by commas.
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
    """Return the path's organization as the gateway has parsed it, and as the router is going to."""
    parsed = [request.path_parameters[name] for name in request.path_parameters if name == ORGANIZATION_MEMBER]
    spelled = [
        text
        for name, text in zip(request.route.split("/"), request.path.split("/"), strict=False)
        if name == PATH_PARAMETER
    ]
    return tuple(dict.fromkeys([*parsed, *spelled]))
