"""Requests and answers of a log-in by single sign-on, which a browser makes between our pages and the provider."""

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response as EmptyAnswer

from tenancy.gateway.cookies import find_cookie, set_cookie
from tenancy.gateway.http import Request
from tenancy.rules.durations import SSO_LOG_IN_TIME
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.sso.log_in import PROVIDER_CODE_MAX_CHARACTERS, SECRET_CHARACTERS, BrowserSecret
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.use_cases.sso.finish_log_in import ProviderAnswer, parse_state

COOKIE_PREFIX: Final = "sso_"
TAG_CHARACTERS: Final = 16  # of the state's digest: several log-ins of one browser do not disturb each other
SECRET_TEXT: Final = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_CHARACTERS}}}")
REDIRECT_HEADERS: Final = {"Location": True, "Cache-Control": True, "Referrer-Policy": True, "Set-Cookie": False}
ERROR_CODE: Final = re.compile(r"[a-z_]{1,50}")
OTHER_ERROR: Final = "other"


def read_answer(request: Request, *, callback_url: str) -> ProviderAnswer:
    """Return the provider's answer in the query of *request*, with the secret of the browser's cookie.

    A provider may send further members.

    Raises:
        SsoRefusedError: a member is repeated, or the state is missing or malformed.
    """
    state = parse_state(_member(request, "state"))
    code, text = _member(request, "code"), find_cookie(request, _cookie_name(state))
    if code is not None and (len(code) > PROVIDER_CODE_MAX_CHARACTERS or not code.isascii()):
        raise SsoRefusedError(SsoFault.CODE_MISSING)
    return ProviderAnswer(
        state=state,
        code=code,
        error=_member(request, "error"),
        issuer=_member(request, "iss"),
        secret=BrowserSecret(text=text) if text is not None and SECRET_TEXT.fullmatch(text) else None,
        callback_url=callback_url,
        request_id=request.request_id,
        source_address=request.source_address,
    )


def keep_secret(request: Request, state: OpaqueToken, secret: BrowserSecret) -> None:
    """Add the cookie to the answer that starts the log-in with *state*.

    It is Lax: the provider leads the browser back to us with a GET from another site.
    """
    seconds = int(SSO_LOG_IN_TIME.total_seconds())
    set_cookie(request, _cookie_name(state), secret.text, seconds=seconds, same_site="Lax")


def forget_secret(request: Request, state: OpaqueToken) -> None:
    """Remove the cookie of a finished log-in."""
    set_cookie(request, _cookie_name(state), "", seconds=0, same_site="Lax")


def redirect(request: Request, url: str) -> EmptyAnswer[str]:
    """Lead the browser to *url*. Its query may have a secret, so no cache and no other page learns it."""
    request.answer_headers["Location"] = url
    request.answer_headers["Cache-Control"] = "no-store"
    request.answer_headers["Referrer-Policy"] = "no-referrer"
    return EmptyAnswer(HTTPStatus.FOUND, body="")


def start_url(api_url: str, **members: str | None) -> str:
    """Return the URL of the route that starts a log-in, with *members* that are not None."""
    return f"{api_url}/auth/sso/start?{urlencode({name: text for name, text in members.items() if text is not None})}"


def describe_error(error: str) -> str:
    """Return the provider's error as the log may have it: a code, no text."""
    return error if ERROR_CODE.fullmatch(error) else OTHER_ERROR


def _member(request: Request, name: str) -> str | None:
    values = request.query_values.get(name, ())
    if len(values) > 1:
        raise SsoRefusedError(SsoFault.REPEATED_PARAMETER)
    return values[0] if values else None


def _cookie_name(state: OpaqueToken) -> str:
    return f"{COOKIE_PREFIX}{state.digest.hex()[:TAG_CHARACTERS]}"
