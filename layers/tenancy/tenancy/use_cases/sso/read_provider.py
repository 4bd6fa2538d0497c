"""Read the metadata of a SAML provider, always through the function `fetch`."""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from tenancy.rules.saml.connection import SamlProvider
from tenancy.rules.saml.provider import MAX_SAML_METADATA_BYTES, parse_provider
from tenancy.rules.sso.discovery import MetadataError
from tenancy.stores.aws.fetch import Fetcher

XML: Final = "application/samlmetadata+xml, application/xml;q=0.9, */*;q=0.1"


def read_provider(fetcher: Fetcher, url: str, *, now: datetime) -> SamlProvider:
    """Return the provider that the metadata at *url* describes now.

    Raises:
        MetadataError: it cannot be used. The text is for the administrator.
        UnreachableUrlError: it was not fetched.
        UnavailableError: the function `fetch` does not work.
    """
    found = fetcher.fetch_url(url, max_bytes=MAX_SAML_METADATA_BYTES, accept=XML)
    if found.status != HTTPStatus.OK:
        raise MetadataError(f"{url} answered with the status {found.status}. Expected 200. Correct `metadata_url`.")
    return parse_provider(found.body, now=now)
