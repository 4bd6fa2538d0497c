"""Forged answers of single sign-on: each is one mutation of an answer that the same test sees accepted."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, fields
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenancy.rules.people.opaque_tokens import TokenType, generate_token
from tenancy.rules.sso.log_in import challenge_of
from tenancy.rules.sso.refusals import SsoFault
from tests.given import Databases
from tests.handlers.functions import LogLines, superuser
from tests.handlers.requests import Answer
from tests.handlers.single_sign_on.browser import SsoBrowser, query_of
from tests.handlers.single_sign_on.provider import ACCESS_TOKEN, CLIENT_ID, Claims, Provider, SigningKey, half_hash

UNAUTHENTICATED = (401, "unauthenticated")
FORBIDDEN = (403, "forbidden")
LEEWAY = 60
HALF_A_PAIR = "\ud800"  # a surrogate alone, which no encoding has


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A mutation of a provider's answer, and the fault that the log must name."""

    name: str
    mutate: Callable[[Provider], None]
    fault: SsoFault
    refusal: tuple[int, str] = UNAUTHENTICATED


def claims(**changes: object) -> Callable[[Provider], None]:
    """Change claims before they are signed. None removes a claim."""

    def change(found: Claims) -> Claims:
        changed = {name: value(found) if callable(value) else value for name, value in changes.items()}
        return {name: value for name, value in {**found, **changed}.items() if value is not None}

    def mutate(provider: Provider) -> None:
        provider.change_claims = change

    return mutate


def token(make: Callable[[Provider, Claims], str]) -> Callable[[Provider], None]:
    """Make the token in another way."""

    def mutate(provider: Provider) -> None:
        provider.make_token = lambda found: make(provider, found)

    return mutate


def tokens(change: Callable[[dict[str, Any]], object]) -> Callable[[Provider], None]:
    def mutate(provider: Provider) -> None:
        provider.change_tokens = change

    return mutate


def keys(change: Callable[[Provider], list[dict[str, Any]]]) -> Callable[[Provider], None]:
    """Publish other keys. The kid is new, so that no cached key is used."""

    def mutate(provider: Provider) -> None:
        provider.key = SigningKey(kid="key-of-the-forgery", private=provider.key.private, algorithm="RS256")
        provider.keys = change(provider)

    return mutate


def encoded(document: object) -> str:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(provider: Provider, found: Claims) -> str:
    return f"{encoded({'alg': 'none', 'kid': provider.key.kid})}.{encoded(found)}."


def hs256(provider: Provider, found: Claims) -> str:
    """Sign with the public key as the secret of an HMAC."""
    pem = provider.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing_input = f"{encoded({'alg': 'HS256', 'kid': provider.key.kid, 'typ': 'JWT'})}.{encoded(found)}"
    signature = jwt.get_algorithm_by_name("HS256").sign(signing_input.encode(), pem)
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def signed_by_another_key(provider: Provider, found: Claims) -> str:
    return SigningKey.rsa(provider.key.kid).sign(found)


def with_other_claims(provider: Provider, found: Claims) -> str:
    """Keep the signature and replace the claims."""
    header, _, signature = provider.key.sign(found).split(".")
    return f"{header}.{encoded({**found, 'sub': 'another-subject'})}.{signature}"


def without_signature(provider: Provider, found: Claims) -> str:
    return f"{provider.key.sign(found).rpartition('.')[0]}."


def repeating(provider: Provider, found: Claims) -> str:
    """Sign claims that have one member twice."""
    text = json.dumps(found)[:-1] + f', "aud": {json.dumps(CLIENT_ID)}}}'
    signing_input = f"{encoded({'alg': 'RS256', 'kid': provider.key.kid})}.{encoded(text.encode())}"
    signature = jwt.get_algorithm_by_name("RS256").sign(signing_input.encode(), provider.key.private)
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def header(**members: object) -> Callable[[Provider], None]:
    return token(lambda provider, found: provider.key.sign(found, **members))


def private_jwk(provider: Provider) -> dict[str, Any]:
    numbers = jwt.get_algorithm_by_name("RS256").to_jwk(provider.key.private, as_dict=True)
    return {**provider.key.jwk(), "d": numbers["d"]}


def weak_jwk(provider: Provider) -> dict[str, Any]:
    return {**provider.key.jwk(), "e": "AQ"}


def elliptic(provider: Provider, found: Claims) -> str:
    return SigningKey.ec(provider.key.kid).sign(found)


FORGERIES = [
    Forgery(name="wrong audience", mutate=claims(aud="another-client"), fault=SsoFault.AUDIENCE),
    Forgery(name="no audience", mutate=claims(aud=None), fault=SsoFault.AUDIENCE),
    Forgery(name="empty audiences", mutate=claims(aud=lambda _: []), fault=SsoFault.AUDIENCE),
    Forgery(
        name="several audiences, no azp",
        mutate=claims(aud=lambda _: [CLIENT_ID, "another-client"]),
        fault=SsoFault.AUTHORIZED_PARTY,
    ),
    Forgery(name="azp of another client", mutate=claims(azp="another-client"), fault=SsoFault.AUTHORIZED_PARTY),
    Forgery(name="issuer of another", mutate=claims(iss="https://other.example"), fault=SsoFault.ISSUER),
    Forgery(name="issuer with a slash", mutate=claims(iss=lambda found: found["iss"] + "/"), fault=SsoFault.ISSUER),
    Forgery(name="no issuer", mutate=claims(iss=None), fault=SsoFault.ISSUER),
    Forgery(name="expired", mutate=claims(exp=lambda found: found["iat"] - LEEWAY - 1), fault=SsoFault.EXPIRED),
    Forgery(name="no end", mutate=claims(exp=None), fault=SsoFault.TOKEN_MALFORMED),
    Forgery(name="end as text", mutate=claims(exp=lambda found: str(found["exp"])), fault=SsoFault.TOKEN_MALFORMED),
    Forgery(
        name="not valid yet",
        mutate=claims(nbf=lambda found: found["iat"] + LEEWAY + 60),
        fault=SsoFault.NOT_YET_VALID,
    ),
    Forgery(
        name="issued in the future",
        mutate=claims(iat=lambda found: found["iat"] + LEEWAY + 60),
        fault=SsoFault.NOT_YET_VALID,
    ),
    Forgery(
        name="issued before the log-in",
        mutate=claims(iat=lambda found: found["iat"] - LEEWAY - 60),
        fault=SsoFault.ISSUED_BEFORE,
    ),
    Forgery(name="nonce missing", mutate=claims(nonce=None), fault=SsoFault.NONCE),
    Forgery(name="nonce swapped", mutate=claims(nonce=lambda found: found["nonce"][::-1]), fault=SsoFault.NONCE),
    Forgery(
        name="hash of another access token",
        mutate=claims(at_hash=lambda _: half_hash("another-access-token")),
        fault=SsoFault.ACCESS_TOKEN_HASH,
    ),
    Forgery(
        name="access token swapped",
        mutate=tokens(lambda found: {**found, "access_token": f"{ACCESS_TOKEN}2"}),
        fault=SsoFault.ACCESS_TOKEN_HASH,
    ),
    Forgery(name="half a pair as nonce", mutate=claims(nonce=HALF_A_PAIR), fault=SsoFault.TOKEN_MALFORMED),
    Forgery(name="half a pair as at_hash", mutate=claims(at_hash=HALF_A_PAIR), fault=SsoFault.TOKEN_MALFORMED),
    Forgery(name="half a pair as subject", mutate=claims(sub=HALF_A_PAIR), fault=SsoFault.TOKEN_MALFORMED),
    Forgery(
        name="half a pair as access token",
        mutate=tokens(lambda found: {**found, "access_token": HALF_A_PAIR}),
        fault=SsoFault.ANSWER_MALFORMED,
    ),
    Forgery(name="no subject", mutate=claims(sub=None), fault=SsoFault.SUBJECT),
    Forgery(name="subject too long", mutate=claims(sub="s" * 256), fault=SsoFault.SUBJECT),
    Forgery(name="alg none", mutate=token(unsigned), fault=SsoFault.ALGORITHM),
    Forgery(name="HS256 with the public key", mutate=token(hs256), fault=SsoFault.ALGORITHM),
    Forgery(name="key of another provider", mutate=token(signed_by_another_key), fault=SsoFault.SIGNATURE),
    Forgery(name="claims replaced", mutate=token(with_other_claims), fault=SsoFault.SIGNATURE),
    Forgery(name="signature removed", mutate=token(without_signature), fault=SsoFault.SIGNATURE),
    Forgery(name="repeated claim", mutate=token(repeating), fault=SsoFault.TOKEN_MALFORMED),
    Forgery(name="algorithm of another key", mutate=token(elliptic), fault=SsoFault.KEY_UNKNOWN),
    Forgery(name="unknown kid", mutate=header(kid="unknown"), fault=SsoFault.KEY_UNKNOWN),
    Forgery(name="key in the header", mutate=header(jwk={"kty": "RSA"}), fault=SsoFault.KEY_IN_HEADER),
    Forgery(name="URL of a key", mutate=header(jku="https://other.example/jwks"), fault=SsoFault.KEY_IN_HEADER),
    Forgery(name="critical header", mutate=header(crit=["b64"]), fault=SsoFault.CRITICAL_HEADER),
    Forgery(name="access token as ID token", mutate=header(typ="at+jwt"), fault=SsoFault.TOKEN_TYPE),
    Forgery(name="too large", mutate=claims(groups="g" * 16_384), fault=SsoFault.TOKEN_TOO_LARGE),
    Forgery(name="two parts", mutate=token(lambda _, __: "e30.e30"), fault=SsoFault.TOKEN_MALFORMED),
    Forgery(
        name="no ID token",
        mutate=tokens(lambda found: {"access_token": found["access_token"]}),
        fault=SsoFault.TOKEN_MISSING,
    ),
    Forgery(name="tokens are no object", mutate=tokens(lambda found: [found]), fault=SsoFault.ANSWER_MALFORMED),
    Forgery(
        name="tokens repeat a member",
        mutate=tokens(lambda _: b'{"id_token":"a","id_token":"b"}'),
        fault=SsoFault.ANSWER_MALFORMED,
    ),
    Forgery(
        name="key set with a private key",
        mutate=keys(lambda provider: [private_jwk(provider)]),
        fault=SsoFault.KEYS_INVALID,
    ),
    Forgery(
        name="two keys with one kid",
        mutate=keys(lambda provider: [provider.key.jwk(), provider.key.jwk()]),
        fault=SsoFault.KEYS_INVALID,
    ),
    Forgery(name="weak key", mutate=keys(lambda provider: [weak_jwk(provider)]), fault=SsoFault.KEYS_INVALID),
    Forgery(
        name="key for encryption",
        mutate=keys(lambda provider: [provider.key.jwk(use="enc")]),
        fault=SsoFault.KEY_UNKNOWN,
    ),
    Forgery(
        name="key of another algorithm",
        mutate=keys(lambda provider: [provider.key.jwk(alg="PS256")]),
        fault=SsoFault.KEY_UNKNOWN,
    ),
    Forgery(
        name="too many keys",
        mutate=keys(lambda provider: [provider.key.jwk(kid=str(n)) for n in range(101)]),
        fault=SsoFault.KEYS_INVALID,
    ),
]
OF_THE_PERSON = [
    Forgery(name="no address", mutate=claims(email=None), fault=SsoFault.EMAIL_MISSING, refusal=FORBIDDEN),
    Forgery(name="no such address", mutate=claims(email="ada"), fault=SsoFault.EMAIL_MISSING, refusal=FORBIDDEN),
    Forgery(
        name="address not verified", mutate=claims(email_verified=False), fault=SsoFault.EMAIL_UNVERIFIED,
        refusal=FORBIDDEN,
    ),
    Forgery(
        name="verified as text", mutate=claims(email_verified="true"), fault=SsoFault.EMAIL_UNVERIFIED,
        refusal=FORBIDDEN,
    ),
    Forgery(
        name="domain of another organization", mutate=claims(email="ada@globex.example"),
        fault=SsoFault.DOMAIN_UNPROVEN, refusal=FORBIDDEN,
    ),
    Forgery(
        name="domain below the proven one", mutate=claims(email="ada@evil.acme.example"),
        fault=SsoFault.DOMAIN_UNPROVEN, refusal=FORBIDDEN,
    ),
    Forgery(
        name="unproven domain", mutate=claims(email="ada@unproven.example"), fault=SsoFault.DOMAIN_UNPROVEN,
        refusal=FORBIDDEN,
    ),
]  # fmt: skip


def fault_in(lines: list[dict[str, Any]]) -> str | None:
    return next((line["sso_fault"] for line in reversed(lines) if "sso_fault" in line), None)


def answered(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.document["code"]


@contextmanager
def forging(provider: Provider, forgery: Forgery) -> Iterator[None]:
    kept = {each.name: copy(getattr(provider, each.name)) for each in fields(provider)}
    forgery.mutate(provider)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(provider, name, value)


def test_forged_answer_is_refused(
    browser: SsoBrowser, provider: Provider, logged: LogLines, subtests: pytest.Subtests
) -> None:
    for forgery in FORGERIES:
        browser.cookies = {}
        forget_keys(browser)
        assert browser.log_in(provider).status == 200
        forget_keys(browser)
        before = len(logged())

        with subtests.test(forgery.name), forging(provider, forgery):
            refused = browser.log_in(provider)

            assert answered(refused) == forgery.refusal
            assert fault_in(logged()[before:]) == forgery.fault


@pytest.mark.parametrize("forgery", OF_THE_PERSON, ids=lambda each: each.name)
def test_ineligible_person_is_forbidden(
    forgery: Forgery, browser: SsoBrowser, provider: Provider, logged: LogLines
) -> None:
    provider.person.subject = "subject-2"
    forgery.mutate(provider)

    refused = browser.log_in(provider)

    assert answered(refused) == forgery.refusal
    assert fault_in(logged()) == forgery.fault
    provider.change_claims = lambda found: found
    assert browser.log_in(provider).status == 200


def test_state_is_used_once(browser: SsoBrowser, provider: Provider, logged: LogLines) -> None:
    cookies, members = start(browser, provider)
    assert browser.come_back(members).status == 302
    browser.cookies = cookies

    refused = browser.come_back(members)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_USED


def test_state_of_another_browser_is_refused_and_stays(
    browser: SsoBrowser, provider: Provider, logged: LogLines
) -> None:
    cookies, members = start(browser, provider)
    browser.cookies = {}
    assert answered(browser.come_back(members)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.COOKIE_MISSING
    browser.cookies = dict.fromkeys(cookies, "A" * 43)
    assert answered(browser.come_back(members)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_BROWSER

    browser.cookies = cookies

    assert browser.come_back(members).status == 302


def test_swapped_state_is_refused(browser: SsoBrowser, provider: Provider, logged: LogLines) -> None:
    """The code of one log-in with the state of another one of the same browser: PKCE and the nonce differ."""
    _, first = start(browser, provider)
    _, second = start(browser, provider)

    refused = browser.come_back({**first, "code": second["code"]})

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.CODE_REFUSED


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("", SsoFault.STATE_MISSING),
        ("x" * 43, SsoFault.STATE_MALFORMED),
        ("unknown", SsoFault.STATE_UNKNOWN),
    ],
)
def test_unissued_state_is_refused(
    browser: SsoBrowser, provider: Provider, logged: LogLines, state: str, fault: SsoFault
) -> None:
    _, members = start(browser, provider)
    if state == "unknown":
        state = generate_token(TokenType.SSO_STATE, browser.provisioned.organization.id).text

    refused = browser.come_back({**members, "state": state})

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == fault
    assert browser.come_back(members).status == 302


def test_expired_state_is_refused(
    browser: SsoBrowser, provider: Provider, databases: Databases, logged: LogLines
) -> None:
    _, members = start(browser, provider)
    with superuser(databases) as conn:
        conn.execute("UPDATE sso_log_ins SET expires_at = now()")

    refused = browser.come_back(members)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.STATE_EXPIRED


def test_answer_that_names_another_issuer_is_a_mix_up(
    browser: SsoBrowser, provider: Provider, other_provider: Provider, logged: LogLines
) -> None:
    _, members = start(browser, provider)
    assert browser.come_back({**members, "iss": provider.issuer}).status == 302
    _, members = start(browser, provider)

    refused = browser.come_back({**members, "iss": other_provider.issuer})

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.OTHER_ISSUER


def test_code_of_another_provider_is_refused(
    browser: SsoBrowser, provider: Provider, other_provider: Provider, logged: LogLines
) -> None:
    started = browser.start().headers["location"]
    members = {**provider.authorize(started), "code": "code-of-another"}
    other_provider.codes["code-of-another"] = query_of(started)

    refused = browser.come_back(members)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.CODE_REFUSED


def test_code_is_used_once(browser: SsoBrowser, provider: Provider, logged: LogLines) -> None:
    finished = browser.come_back(provider.authorize(browser.start().headers["location"]))
    code = query_of(finished.headers["location"])["code"]
    assert browser.exchange(code).status == 200

    refused = browser.exchange(code)

    assert answered(refused) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.CODE_INVALID


def test_code_needs_the_verifier_of_its_client(browser: SsoBrowser, provider: Provider, logged: LogLines) -> None:
    challenge = challenge_of("v" * 43)
    finished = browser.come_back(provider.authorize(browser.start(code_challenge=challenge).headers["location"]))
    code = query_of(finished.headers["location"])["code"]

    assert answered(browser.exchange(code)) == UNAUTHENTICATED
    assert answered(browser.exchange(code, code_verifier="w" * 43)) == UNAUTHENTICATED
    assert fault_in(logged()) == SsoFault.CODE_VERIFIER
    assert browser.exchange(code, code_verifier="v" * 43).status == 200


def forget_keys(browser: SsoBrowser) -> None:
    """Let the function read the provider's keys at the next token, as a new process does."""
    browser.sso.app.providers._cached.clear()


def start(browser: SsoBrowser, provider: Provider) -> tuple[dict[str, str], dict[str, str]]:
    """Start a log-in, and return the browser's cookies and the members of the provider's answer."""
    location = browser.start().headers["location"]
    return dict(browser.cookies), provider.authorize(location)
