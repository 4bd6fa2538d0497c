"""Documents of the connection for single sign-on."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict
from urllib.parse import urlencode
from uuid import UUID

from cryptography import x509
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from tenancy.errors import BODY, FieldError, InvalidError
from tenancy.gateway.answer_types import Time
from tenancy.gateway.times import format_time
from tenancy.rules.json_members import MISSING_TEXT
from tenancy.rules.people.member import Role
from tenancy.rules.saml.connection import SamlConnection, ServiceProvider
from tenancy.rules.saml.provider import MAX_SAML_METADATA_BYTES
from tenancy.rules.sso.connection import (
    CLIENT_ID_MAX_CHARACTERS,
    CLIENT_SECRET_MAX_CHARACTERS,
    ISSUER_MAX_CHARACTERS,
    MAX_REDIRECT_URIS,
    METADATA_URL_MAX_CHARACTERS,
    REDIRECT_URI_MAX_CHARACTERS,
    ConnectionSettings,
    OidcConnection,
    SsoClient,
    SsoConnection,
    parse_issuer,
    parse_metadata_url,
    parse_printable,
    parse_redirect_uri,
)
from tenancy.use_cases.sso.connect import WantedConnection
from tenancy.use_cases.sso.connect_saml import WantedSamlConnection

CALLBACK_PATH: Final = "/auth/sso/callback"
ANSWER_PATH: Final = "/auth/sso/acs"
SERVICE_PATH: Final = "/auth/sso/metadata"
OIDC_MEMBERS: Final = ("issuer", "client_id")
METADATA_MEMBERS: Final = ("metadata_url", "metadata_xml")
ONE_METADATA_TEXT: Final = "Send exactly one of `metadata_url` and `metadata_xml`."
OTHER_TYPE_TEXT: Final = "`{name}` belongs to `type` `{type}`. Omit it, or send `type` `{type}`."

Issuer = Annotated[str, Field(max_length=ISSUER_MAX_CHARACTERS), AfterValidator(parse_issuer)]
ClientId = Annotated[str, Field(min_length=1, max_length=CLIENT_ID_MAX_CHARACTERS), AfterValidator(parse_printable)]
RedirectUri = Annotated[str, Field(max_length=REDIRECT_URI_MAX_CHARACTERS), AfterValidator(parse_redirect_uri)]


def _printable_secret(secret: SecretStr) -> SecretStr:
    parse_printable(secret.get_secret_value())
    return secret


ClientSecret = Annotated[
    SecretStr, Field(min_length=1, max_length=CLIENT_SECRET_MAX_CHARACTERS), AfterValidator(_printable_secret)
]


MetadataUrl = Annotated[str, Field(max_length=METADATA_URL_MAX_CHARACTERS), AfterValidator(parse_metadata_url)]
MetadataXml = Annotated[str, Field(min_length=1, max_length=MAX_SAML_METADATA_BYTES)]


class SsoSettings(BaseModel):
    """The body of PUT /v1/sso. Each type has members of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["oidc", "saml"]
    issuer: Issuer | None = None
    client_id: ClientId | None = None
    client_secret: ClientSecret | None = None
    metadata_url: MetadataUrl | None = None
    metadata_xml: MetadataXml | None = None
    default_role: Role
    required: Annotated[bool, Field(strict=True)] = False
    redirect_uris: Annotated[list[RedirectUri], Field(min_length=1, max_length=MAX_REDIRECT_URIS)]

    def wanted(self) -> WantedConnection | WantedSamlConnection:
        """Return the connection that the body describes.

        Raises:
            InvalidError: a member of its type is missing, or one of another type is there.
        """
        settings = ConnectionSettings(
            default_role=self.default_role,
            required=self.required,
            redirect_uris=tuple(dict.fromkeys(self.redirect_uris)),
        )
        if self.type == "saml":
            self._require_members(of_other_type=(*OIDC_MEMBERS, "client_secret"), other_type="oidc")
            if (self.metadata_url is None) is (self.metadata_xml is None):
                raise _invalid([FieldError(location=BODY, code="invalid", message=ONE_METADATA_TEXT)])
            return WantedSamlConnection(
                metadata_url=self.metadata_url, metadata_xml=self.metadata_xml, settings=settings
            )
        self._require_members(of_other_type=METADATA_MEMBERS, other_type="saml", required=OIDC_MEMBERS)
        secret = self.client_secret.get_secret_value() if self.client_secret is not None else None
        client = SsoClient(issuer=self.issuer or "", client_id=self.client_id or "", secret=secret)
        return WantedConnection(client=client, settings=settings)

    def _require_members(self, *, of_other_type: Sequence[str], other_type: str, required: Sequence[str] = ()) -> None:
        errors = [
            FieldError(location=f"{BODY}/{name}", code="missing", message=MISSING_TEXT)
            for name in required
            if getattr(self, name) is None
        ]
        errors += [
            FieldError(
                location=f"{BODY}/{name}",
                code="unknown_member",
                message=OTHER_TYPE_TEXT.format(name=name, type=other_type),
            )
            for name in of_other_type
            if getattr(self, name) is not None
        ]
        if errors:
            raise _invalid(errors)


def _invalid(errors: Sequence[FieldError]) -> InvalidError:
    return InvalidError("The connection is not valid. `errors` lists the fields.", errors=errors)


class SigningCertificateAnswer(TypedDict):
    """A certificate of a SAML provider. *sha256* is its fingerprint.

    After *expires_at* the provider may still sign with its key.
    """

    sha256: str
    expires_at: Time


class SsoConnectionAnswer(TypedDict):
    """A connection, without its client secret.

    A provider of OpenID Connect has *issuer*, *client_id* and *callback_url*, which is the redirect URI for it. One of
    SAML has the members from *entity_id* on: *service_entity_id* and *acs_url* are the platform's for it.
    """

    type: Literal["oidc", "saml"]
    issuer: NotRequired[str]
    client_id: NotRequired[str]
    callback_url: NotRequired[str]
    entity_id: NotRequired[str]
    sign_in_url: NotRequired[str]
    certificates: NotRequired[list[SigningCertificateAnswer]]
    metadata_url: NotRequired[str | None]
    service_entity_id: NotRequired[str]
    acs_url: NotRequired[str]
    default_role: Role
    required: bool
    redirect_uris: list[str]
    created_at: Time
    updated_at: Time


def callback_url(api_url: str, organization_id: UUID) -> str:
    """Return the redirect URI for the OpenID Connect provider of the organization.

    Each organization has one of its own, so that an answer shows whose provider has sent it (RFC 9700, 4.4.2).
    """
    return f"{api_url}{CALLBACK_PATH}/{organization_id}"


def service_provider(api_url: str, organization_id: UUID) -> ServiceProvider:
    """Return the platform as the provider of the organization knows it.

    Each organization has a name of its own. So no answer for one is an answer for another, also from one provider.
    """
    entity_id = f"{api_url}{SERVICE_PATH}?{urlencode({'organization': organization_id})}"
    return ServiceProvider(entity_id=entity_id, answer_url=f"{api_url}{ANSWER_PATH}")


def sso_document(connection: SsoConnection, *, callback_url: str, service: ServiceProvider) -> dict[str, Any]:
    """Return a connection, without its client secret."""
    settings = connection.settings
    return {
        "type": connection.type.value,
        **_own_members(connection, callback_url=callback_url, service=service),
        "default_role": settings.default_role.value,
        "required": settings.required,
        "redirect_uris": list(settings.redirect_uris),
        "created_at": format_time(connection.created_at),
        "updated_at": format_time(connection.updated_at),
    }


def _own_members(connection: SsoConnection, *, callback_url: str, service: ServiceProvider) -> dict[str, Any]:
    match connection:
        case OidcConnection(issuer=issuer, client_id=client_id):
            return {"issuer": issuer, "client_id": client_id, "callback_url": callback_url}
        case SamlConnection():
            return {
                "entity_id": connection.issuer,
                "sign_in_url": connection.sign_in_url,
                "certificates": [_certificate_document(each) for each in connection.certificates],
                "metadata_url": connection.metadata_url,
                "service_entity_id": service.entity_id,
                "acs_url": service.answer_url,
            }
        case _:
            raise TypeError(connection.type)


def _certificate_document(der: bytes) -> dict[str, str]:
    expires_at = x509.load_der_x509_certificate(der).not_valid_after_utc
    return {"sha256": hashlib.sha256(der).hexdigest(), "expires_at": format_time(expires_at)}
