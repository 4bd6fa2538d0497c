"""Documents of requests with a one-time token of a mail, and of the request for one."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tenancy.errors import UnauthenticatedError
from tenancy.gateway.documents.sessions import Password
from tenancy.gateway.http import Request
from tenancy.rules.address_member import Address
from tenancy.rules.body_members import Name, OrganizationText
from tenancy.rules.people.one_time_tokens import REFUSED_TOKEN_TEXT
from tenancy.rules.people.opaque_tokens import OPAQUE_TOKEN_CHARACTERS, OpaqueToken, TokenType, find_token
from tenancy.use_cases.people.mailed_tokens import ChosenPassword

TokenText = Annotated[SecretStr, Field(max_length=OPAQUE_TOKEN_CHARACTERS)]


class ResetConfirmation(BaseModel):
    """The body of POST /v1/auth/password-reset/confirm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: TokenText
    password: Password


class Acceptance(BaseModel):
    """The body of POST /v1/users/accept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: TokenText
    password: Password
    name: Name | None = None


class ResetRequest(BaseModel):
    """The body of POST /v1/auth/password-reset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Address
    organization: OrganizationText | None = None


def parse_token(text: SecretStr) -> OpaqueToken:
    """Return *text* as a one-time token.

    Raises:
        UnauthenticatedError: it has another form. The text is that for an unknown token.
    """
    token = find_token(text.get_secret_value(), TokenType.ONE_TIME)
    if token is None:
        raise UnauthenticatedError(REFUSED_TOKEN_TEXT)
    return token


def chosen_password(
    request: Request, token: OpaqueToken, password: SecretStr, *, name: str | None = None
) -> ChosenPassword:
    """Return the password that the person of *request* chose."""
    return ChosenPassword(
        token=token,
        password=password.get_secret_value(),
        name=name,
        request_id=request.request_id,
        source_address=request.source_address,
    )
