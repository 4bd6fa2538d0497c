"""The metadata that an OpenID Connect provider publishes, and the parts that a log-in needs.

Sources: OpenID Connect Discovery 1.0, 3 and 4; RFC 9207, 3 (the issuer in the answer).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tenancy.rules.sso.json_objects import parse_object

METADATA_PATH: Final = "/.well-known/openid-configuration"
MAX_METADATA_BYTES: Final = 64 * 1024
ENDPOINT_MAX_CHARACTERS: Final = 2_000
ID_TOKEN_ALGORITHMS: Final = frozenset({"RS256", "ES256"})
SECRET_IN_HEADER: Final = "client_secret_basic"  # noqa: S105 - the name of a method
SECRET_IN_FORM: Final = "client_secret_post"  # noqa: S105 - the name of a method


class MetadataError(ValueError):
    """The metadata of a provider cannot be used. The text is for the administrator who named the issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """The endpoints of a provider.

    *userinfo_endpoint* is None without one. *is_secret_in_form* tells that the token endpoint takes the client secret
    in the form only. *names_issuer* tells that the provider names its issuer in each answer to the browser.
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    is_secret_in_form: bool
    names_issuer: bool


def metadata_url(issuer: str) -> str:
    """Return the URL of the metadata of *issuer*."""
    return issuer.removesuffix("/") + METADATA_PATH


def parse_metadata(document: bytes, issuer: str) -> ProviderMetadata:
    """Return the metadata in *document*, which is that of *issuer*.

    Raises:
        MetadataError: it belongs to another issuer, or its provider lacks what a log-in needs.
    """
    try:
        members = parse_object(document)
    except ValueError as error:
        raise MetadataError("The metadata of the issuer is no JSON object.") from error
    if members.get("issuer") != issuer:
        raise MetadataError(
            "`issuer` in the metadata differs from the `issuer` that you sent. "
            "Send it exactly as the metadata spells it, including a final slash."
        )
    methods = _find_texts(members, "token_endpoint_auth_methods_supported", {SECRET_IN_HEADER})
    if not methods & {SECRET_IN_HEADER, SECRET_IN_FORM}:
        raise MetadataError(
            "The token endpoint of the issuer takes no client secret, neither as Basic nor in the form."
        )
    if not _find_texts(members, "id_token_signing_alg_values_supported", {"RS256"}) & ID_TOKEN_ALGORITHMS:
        raise MetadataError("The issuer signs ID tokens neither with RS256 nor with ES256.")
    if "code" not in _find_texts(members, "response_types_supported", {"code"}):
        raise MetadataError("The issuer does not support the response type code.")
    return ProviderMetadata(
        authorization_endpoint=_endpoint(members, "authorization_endpoint"),
        token_endpoint=_endpoint(members, "token_endpoint"),
        jwks_uri=_endpoint(members, "jwks_uri"),
        userinfo_endpoint=_endpoint(members, "userinfo_endpoint") if members.get("userinfo_endpoint") else None,
        is_secret_in_form=SECRET_IN_HEADER not in methods,
        names_issuer=members.get("authorization_response_iss_parameter_supported") is True,
    )


def is_https_url(text: str, *, max_characters: int) -> bool:
    """Tell whether *text* is an absolute URL with https and a host, without user, fragment and spaces."""
    if len(text) > max_characters or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>#'):
        return False
    try:
        url = urlsplit(text)
        has_host = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return url.scheme == "https" and has_host and "@" not in url.netloc


def _endpoint(members: Mapping[str, Any], name: str) -> str:
    url = members.get(name)
    if not isinstance(url, str) or not is_https_url(url, max_characters=ENDPOINT_MAX_CHARACTERS):
        raise MetadataError(f"The metadata of the issuer has no https URL as {name}.")
    return url


def _find_texts(members: Mapping[str, Any], name: str, default: set[str]) -> set[str]:
    values = members.get(name)
    return default if not isinstance(values, list) else {value for value in values if isinstance(value, str)}
