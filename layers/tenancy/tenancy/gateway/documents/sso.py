"""Documents of the connection for single sign-on."""

from typing import Annotated, Any, Final, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from tenancy.gateway.answer_types import Time
from tenancy.gateway.times import format_time
from tenancy.rules.people.member import Role
from tenancy.rules.sso.connection import (
    CLIENT_ID_MAX_CHARACTERS,
    CLIENT_SECRET_MAX_CHARACTERS,
    ISSUER_MAX_CHARACTERS,
    MAX_REDIRECT_URIS,
    REDIRECT_URI_MAX_CHARACTERS,
    ConnectionSettings,
    SsoClient,
    SsoConnection,
    parse_issuer,
    parse_printable,
    parse_redirect_uri,
)
from tenancy.use_cases.sso.connect import WantedConnection

CALLBACK_PATH: Final = "/auth/sso/callback"

Issuer = Annotated[str, Field(max_length=ISSUER_MAX_CHARACTERS), AfterValidator(parse_issuer)]
ClientId = Annotated[str, Field(min_length=1, max_length=CLIENT_ID_MAX_CHARACTERS), AfterValidator(parse_printable)]
RedirectUri = Annotated[str, Field(max_length=REDIRECT_URI_MAX_CHARACTERS), AfterValidator(parse_redirect_uri)]


def _printable_secret(secret: SecretStr) -> SecretStr:
    parse_printable(secret.get_secret_value())
    return secret


ClientSecret = Annotated[
    SecretStr, Field(min_length=1, max_length=CLIENT_SECRET_MAX_CHARACTERS), AfterValidator(_printable_secret)
]


class SsoSettings(BaseModel):
    """The body of PUT /v1/sso."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["oidc"]
    issuer: Issuer
    client_id: ClientId
    client_secret: ClientSecret | None = None
    default_role: Role
    required: Annotated[bool, Field(strict=True)] = False
    redirect_uris: Annotated[list[RedirectUri], Field(min_length=1, max_length=MAX_REDIRECT_URIS)]

    def wanted(self) -> WantedConnection:
        """Return the connection that the body describes."""
        secret = self.client_secret.get_secret_value() if self.client_secret is not None else None
        return WantedConnection(
            client=SsoClient(issuer=self.issuer, client_id=self.client_id, secret=secret),
            settings=ConnectionSettings(
                default_role=self.default_role,
                required=self.required,
                redirect_uris=tuple(dict.fromkeys(self.redirect_uris)),
            ),
        )


class SsoConnectionAnswer(TypedDict):
    """A connection, without its client secret. *callback_url* is the redirect URI for the provider."""

    type: Literal["oidc"]
    issuer: str
    client_id: str
    default_role: Role
    required: bool
    redirect_uris: list[str]
    callback_url: str
    created_at: Time
    updated_at: Time


def sso_document(connection: SsoConnection, *, callback_url: str) -> dict[str, Any]:
    """Return a connection, without its client secret."""
    settings = connection.settings
    return {
        "type": connection.type.value,
        "issuer": connection.issuer,
        "client_id": connection.client_id,
        "default_role": settings.default_role.value,
        "required": settings.required,
        "redirect_uris": list(settings.redirect_uris),
        "callback_url": callback_url,
        "created_at": format_time(connection.created_at),
        "updated_at": format_time(connection.updated_at),
    }
