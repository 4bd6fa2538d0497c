"""Requests and answers of a log-in by single sign-on, which a browser makes between our pages and the provider."""

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from aws_lambda_powertools.event_handler import Response as EmptyAnswer

from tenancy.gateway.cookies import find_cookie, set_cookie
from tenancy.gateway.forms import Form
from tenancy.gateway.http import NO_STORE, Request
from tenancy.rules.durations import SSO_LOG_IN_TIME
from tenancy.rules.named_organization import NamedOrganization
from tenancy.rules.resolution import ORGANIZATION_MEMBER
from tenancy.rules.saml.connection import ServiceProvider
from tenancy.rules.sso.log_in import PROVIDER_CODE_MAX_CHARACTERS, SECRET_CHARACTERS, BrowserSecret
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.use_cases.sso.finish_log_in import ProviderAnswer, parse_state
from tenancy.use_cases.sso.finish_saml_log_in import ReturnedBrowser, parse_finish_token
from tenancy.use_cases.sso.take_saml_answer import SamlAnswer, parse_relay_state

COOKIE_PREFIX: Final = "sso_"
TAG_CHARACTERS: Final = 16  # of the state's digest: several log-ins of one browser do not disturb each other
SECRET_TEXT: Final = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_CHARACTERS}}}")
REDIRECT_HEADERS: Final = {"Location": True, "Cache-Control": True, "Referrer-Policy": True, "Set-Cookie": False}
ERROR_CODE: Final = re.compile(r"[a-z_]{1,50}")
OTHER_ERROR: Final = "other"
SAML_RESPONSE: Final = "SAMLResponse"
RELAY_STATE: Final = "RelayState"
# The largest answer in base64, in which a form writes some characters as three.
SAML_FORM: Final = Form(members=(SAML_RESPONSE, RELAY_STATE), max_bytes=256 * 1024)


def read_answer(request: Request, *, callback_url: str) -> ProviderAnswer:
    """Return the provider's answer in the query of *request*, with the secret of the browser's cookie.

    A provider may send further members.

    Raises:
        SsoRefusedError: a member is repeated, or the state is missing or malformed.
    """
    state = parse_state(_member(request, "state"))
    code = _member(request, "code")
    if code is not None and (len(code) > PROVIDER_CODE_MAX_CHARACTERS or not code.isascii()):
        raise SsoRefusedError(SsoFault.CODE_MISSING)
    return ProviderAnswer(
        state=state,
        code=code,
        error=_member(request, "error"),
        issuer=_member(request, "iss"),
        secret=find_secret(request, state.digest),
        callback_url=callback_url,
        request_id=request.request_id,
        source_address=request.source_address,
    )


def read_saml_answer(request: Request, *, service_of: Callable[[UUID], ServiceProvider]) -> SamlAnswer:
    """Return the SAML provider's answer in the form of *request*.

    *service_of* returns the platform as the provider of an organization knows it.

    Raises:
        SsoRefusedError: a member is repeated, or the state is missing or malformed.
        TooLargeError, MalformedRequestError: as for `Form.read`.
    """
    members = SAML_FORM.read(request)
    if any(len(values) > 1 for values in members.values()):
        raise SsoRefusedError(SsoFault.REPEATED_PARAMETER)
    state = parse_relay_state("".join(members[RELAY_STATE]))
    return SamlAnswer(state=state, text="".join(members[SAML_RESPONSE]), service=service_of(state.organization_id))


def read_returned_browser(request: Request) -> ReturnedBrowser:
    """Return the browser that comes after the SAML provider's answer.

    Raises:
        SsoRefusedError: its finish token is repeated, missing or malformed.
    """
    return ReturnedBrowser(
        token=parse_finish_token(_member(request, "token")),
        find_secret=partial(find_secret, request),
        request_id=request.request_id,
        source_address=request.source_address,
    )


def find_secret(request: Request, state_digest: bytes) -> BrowserSecret | None:
    """Return the secret in the browser's cookie for the log-in of *state_digest*, or None."""
    text = find_cookie(request, _cookie_name(state_digest))
    return BrowserSecret(text=text) if text is not None and SECRET_TEXT.fullmatch(text) else None


def keep_secret(request: Request, state_digest: bytes, secret: BrowserSecret) -> None:
    """Add the cookie to the answer that starts the log-in of *state_digest*.

    It is Lax: the provider redirects the browser to us with a GET from another site.
    """
    seconds = int(SSO_LOG_IN_TIME.total_seconds())
    set_cookie(request, _cookie_name(state_digest), secret.text, seconds=seconds, same_site="Lax")


def forget_secret(request: Request, state_digest: bytes) -> None:
    """Remove the cookie of a finished log-in."""
    set_cookie(request, _cookie_name(state_digest), "", seconds=0, same_site="Lax")


def redirect(request: Request, url: str, status: HTTPStatus = HTTPStatus.FOUND) -> EmptyAnswer[str]:
    """Redirect the browser to *url*. Its query may have a secret, so no cache and no other page learns it."""
    request.answer_headers["Location"] = url
    request.answer_headers["Cache-Control"] = NO_STORE
    request.answer_headers["Referrer-Policy"] = "no-referrer"
    return EmptyAnswer(status, body="")


def finish_url(api_url: str, token: str) -> str:
    """Return the URL of the route that finishes a log-in by SAML."""
    return f"{api_url}/auth/sso/finish?{urlencode({'token': token})}"


def sent_names(named: NamedOrganization) -> dict[str, str | None]:
    """Return the names of a request at an organization's host, as the start at the API's host takes them.

    Nothing is looked up, so the answer does not tell whether the organization exists.

    Raises:
        SsoRefusedError: the names cannot be those of one organization.
    """
    subdomains = named.subdomains | named.confirming
    if named.is_unreadable or len(subdomains) != 1 or len(named.ids) > 1:
        raise SsoRefusedError(SsoFault.NO_CONNECTION)
    return {"organization": next(iter(subdomains)), ORGANIZATION_MEMBER: next(map(str, named.ids), None)}


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


def _cookie_name(state_digest: bytes) -> str:
    return f"{COOKIE_PREFIX}{state_digest.hex()[:TAG_CHARACTERS]}"
