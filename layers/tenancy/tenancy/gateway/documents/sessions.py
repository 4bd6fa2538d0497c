"""Documents of log-in and sessions."""

import hashlib
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field, SecretStr, WithJsonSchema

from tenancy.errors import BODY, FieldError, InvalidError
from tenancy.gateway.http import NO_STORE, Request
from tenancy.gateway.session_cookie import find_refresh_token, is_of_console, put_cookie, require_own_origin
from tenancy.rules.body_members import OrganizationText
from tenancy.rules.durations import ACCESS_TOKEN_LIFE
from tenancy.rules.json_members import MISSING_TEXT
from tenancy.rules.people.addresses import EMAIL_MAX_CHARACTERS, parse_address
from tenancy.rules.people.opaque_tokens import OPAQUE_TOKEN_CHARACTERS, TokenType
from tenancy.rules.people.passwords import PASSWORD_MAX_CHARACTERS
from tenancy.rules.people.sessions import SessionTokens
from tenancy.rules.sso.log_in import CODE_VERIFIER_CHARACTERS

TOKEN_LOCATION: Final = f"{BODY}/refresh_token"
TOKEN_IN_COOKIE: Final = "With X-Console the refresh token is in the cookie. Leave this member out."  # noqa: S105

Password = Annotated[SecretStr, Field(min_length=1, max_length=PASSWORD_MAX_CHARACTERS)]


class LogInBody(BaseModel):
    """The body of POST /v1/auth/token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Annotated[str, Field(min_length=1, max_length=EMAIL_MAX_CHARACTERS)]
    password: Password
    organization: OrganizationText | None = None

    @property
    def address(self) -> str:
        """The address in its stored form.

        A text that is no address belongs to no member. PostgreSQL refuses some of these texts, so a digest takes its
        place: it has no @, and each text is counted by itself.
        """
        try:
            return parse_address(self.email)
        except ValueError:
            return hashlib.sha256(self.email.encode()).hexdigest()


class RefreshTokenBody(BaseModel):
    """The body of POST /v1/auth/refresh and /v1/auth/logout, empty with `X-Console: 1`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    refresh_token: Annotated[SecretStr | None, Field(max_length=OPAQUE_TOKEN_CHARACTERS)] = None


class SsoCodeBody(BaseModel):
    """The body of POST /v1/auth/sso/token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Annotated[SecretStr, Field(max_length=OPAQUE_TOKEN_CHARACTERS)]
    code_verifier: Annotated[SecretStr | None, Field(max_length=CODE_VERIFIER_CHARACTERS)] = None


class TokensAnswer(TypedDict):
    """The tokens of a session. With `X-Console: 1` the refresh token is in the cookie instead."""

    access_token: Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^[\w-]+\.[\w-]+\.[\w-]+$"})]
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: NotRequired[Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{TokenType.REFRESH}_"})]]


def read_refresh_token(request: Request, body: RefreshTokenBody) -> str:
    """Return the text of the refresh token.

    With `X-Console: 1` it is from the cookie, otherwise from the body. Without a cookie it is empty.

    Raises:
        ForbiddenError: the request has `X-Console: 1` and another origin than the API's.
        InvalidError: the body lacks the token, or has one beside `X-Console: 1`.
    """
    sent = body.refresh_token
    if not is_of_console(request):
        if sent is None:
            raise _invalid("missing", MISSING_TEXT)
        return sent.get_secret_value()
    require_own_origin(request)
    if sent is not None:
        raise _invalid("invalid", TOKEN_IN_COOKIE)
    return find_refresh_token(request) or ""


def tokens_document(request: Request, tokens: SessionTokens) -> dict[str, Any]:
    """Return the answer with *tokens*.

    With `X-Console: 1` put the refresh token into the cookie instead.
    """
    request.answer_headers["Cache-Control"] = NO_STORE
    document = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": int(ACCESS_TOKEN_LIFE.total_seconds()),
    }
    if is_of_console(request):
        put_cookie(request, tokens.refresh_token)
        return document
    return {**document, "refresh_token": tokens.refresh_token.text}


def _invalid(code: str, message: str) -> InvalidError:
    return InvalidError(message, errors=[FieldError(location=TOKEN_LOCATION, code=code, message=message)])
