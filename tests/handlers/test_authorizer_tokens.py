"""Tokens of people at the authorizer: their expiry, their signing key, their permissions."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from scripts.stack import postgres
from scripts.tcp_proxy import tcp_proxy
from tenancy.rules.access_tokens.public_keys import KeySetError
from tenancy.rules.access_tokens.sign import TokenHolder
from tenancy.rules.durations import TOKEN_LEEWAY_SECONDS
from tenancy.rules.permissions import PERMISSIONS, ROLES
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE, JWKS, TOKEN_SIGNING_KEYS, Secrets
from tenancy.use_cases.keys.rotate_token_keys import rotate_token_keys, withdraw_token_key
from tenancy.use_cases.keys.sign_tokens import TokenSigner
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, Servers
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import ISSUER, Function, PutSecret, Start, superuser
from tests.handlers.requests import caller_in, is_unauthorized, to_authorizer
from tests.use_cases.token_keys import new_secrets, private_ids, stored

SESSION = UUID("0e000000-0000-4000-8000-00000000000e")

type Sign = Callable[..., str]


@pytest.fixture
def authorizer(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("authorizer")


@pytest.fixture
def sign(servers: Servers) -> Sign:
    """Sign a token of an organization's administrator. Keywords change claims."""
    key = servers.credentials.signing_key

    def token(provisioned: Provisioned, *, kid: str = key["kid"], **changes: object) -> str:
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "sub": str(provisioned.admin_user_id),
            "user_id": str(provisioned.admin_user_id),
            "organization_id": str(provisioned.organization.id),
            "email": provisioned.admin_email,
            "role": "super_admin",
            "permissions": sorted(PERMISSIONS),
            "iss": ISSUER,
            "aud": ISSUER,
            "iat": now,
            "exp": now + 900,
            "jti": str(uuid4()),
            "token_use": "access",
            "epoch": "0.0",
        }
        return jwt.encode({**claims, **changes}, jwt.PyJWK(key).key, key["alg"], headers={"kid": kid})

    return token


def test_token_identifies_its_person_until_it_expires(authorizer: Function, acme: Provisioned, sign: Sign) -> None:
    expiry = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)

    caller = caller_in(authorizer(to_authorizer(f"Bearer {sign(acme, exp=int(expiry.timestamp()))}")))

    assert isinstance(caller, Tenant)
    assert (caller.organization_id, caller.credential_id) == (acme.organization.id, acme.admin_user_id)
    assert caller.scopes == ROLES["super_admin"]
    # The leeway is included, so that the functions behind the authorizer refuse the token when it does.
    assert caller.expires_at == expiry + timedelta(seconds=TOKEN_LEEWAY_SECONDS)


def test_expired_token_is_accepted_within_the_leeway(
    authorizer: Function, acme: Provisioned, sign: Sign, clock: StoppedClock
) -> None:
    clock.stop(authorizer)
    now = int(clock.moment.timestamp())
    expired, long_expired = (
        to_authorizer(f"Bearer {sign(acme, iat=now - 900, exp=now - seconds)}")
        for seconds in (TOKEN_LEEWAY_SECONDS - 1, TOKEN_LEEWAY_SECONDS)
    )

    answer = authorizer(expired)

    assert int(answer["context"]["expires_at"]) == now + 1
    assert is_unauthorized(authorizer, long_expired)


def test_token_grants_only_permissions_that_the_role_still_has(
    authorizer: Function, databases: Databases, acme: Provisioned, sign: Sign
) -> None:
    narrow = caller_in(authorizer(to_authorizer(f"Bearer {sign(acme, permissions=['stats:read', 'platform:*'])}")))

    assert isinstance(narrow, Tenant)
    assert narrow.scopes == {"stats:read"}

    with superuser(databases) as conn:
        conn.execute("UPDATE users SET role = 'viewer'")

    degraded = caller_in(authorizer(to_authorizer(f"Bearer {sign(acme)}")))

    assert isinstance(degraded, Tenant)
    assert degraded.scopes == ROLES["viewer"]


def test_invalid_token_is_unauthorized(
    authorizer: Function, acme: Provisioned, globex: Provisioned, sign: Sign, subtests: pytest.Subtests
) -> None:
    wrong: list[dict[str, object]] = [
        {"epoch": "1.0"},
        {"epoch": "0.1"},
        {"epoch": ""},
        {"sub": str(globex.admin_user_id), "user_id": str(globex.admin_user_id)},
        {"organization_id": str(globex.organization.id)},
        {"organization_id": "0f000000-0000-4000-8000-00000000000f"},
        {"token_use": "refresh"},
        {"iss": "https://api.elsewhere.example"},
        {"exp": 1},
        {"exp": 10**15},
        {"exp": int(datetime.now(UTC).timestamp()) + 10 * 365 * 86_400},
        {"aud": ["https://api.elsewhere.example"]},
    ]

    for changes in wrong:
        with subtests.test(str(changes)):
            assert is_unauthorized(authorizer, to_authorizer(f"Bearer {sign(acme, **changes)}"))


def test_invalid_token_needs_no_call_once_the_key_set_is_known(
    start: Start, put_secret: PutSecret, aws: AwsAccount, nowhere: str, acme: Provisioned, sign: Sign, servers: Servers
) -> None:
    put_secret(AUTHORIZER_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    put_secret(JWKS, servers.credentials.public_key_set())
    good, unknown_key = sign(acme), sign(acme, kid="unknown")
    head, body, signature = good.split(".")
    invalid = ("a.b.c", f"{head}.{body}.{'A' * 86}", f"{head}.{signature}.{body}", unknown_key, good + "A", "x")

    with tcp_proxy(urlsplit(aws.endpoint_url).port or 0) as proxy:
        authorizer = start("authorizer", AWS_ENDPOINT_URL=f"http://{proxy.address}")
        assert not is_unauthorized(authorizer, to_authorizer(f"Bearer {good}"))  # now it has its secrets
        proxy.cut()

        for text in invalid:
            assert is_unauthorized(authorizer, to_authorizer(f"Bearer {text}"))


@pytest.mark.usefixtures("secrets")
def test_removed_key_no_longer_verifies_a_known_token(
    start: Start, put_secret: PutSecret, acme: Provisioned, sign: Sign, servers: Servers
) -> None:
    authorizer, event = start("authorizer"), to_authorizer(f"Bearer {sign(acme)}")
    published = json.loads(servers.credentials.public_key_set())
    [key] = published["keys"]
    new = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)
    next_key = {**new, "kid": "next", "alg": "ES256", "use": "sig"}

    for keys, is_refused in (([key], False), ([next_key, key], False), ([next_key], True), ([key], False)):
        put_secret(JWKS, json.dumps({"keys": keys}))
        authorizer.app.wiring.secrets._cache.clear()  # as after SECRET_CACHE_SECONDS
        for _ in range(2):
            if is_refused:
                assert is_unauthorized(authorizer, event)
            else:
                assert authorizer(event)
        assert authorizer.app.wiring.token_verifier._parse_operators.cache_info().currsize == 1


@pytest.mark.usefixtures("secrets")
def test_empty_key_set_is_counted_and_no_401(
    start: Start, put_secret: PutSecret, acme: Provisioned, sign: Sign, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secret(JWKS, '{"keys":[]}')

    with pytest.raises(KeySetError, match="it has 0 keys"):
        start("authorizer")(to_authorizer(f"Bearer {sign(acme)}"))

    assert capsys.readouterr().out.count('"KeySetRefused":[1.0]') == 1


@pytest.mark.usefixtures("secrets")
def test_faulty_key_refuses_tokens_and_no_api_key(
    start: Start,
    put_secret: PutSecret,
    acme: Provisioned,
    sign: Sign,
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    [key] = json.loads(servers.credentials.public_key_set())["keys"]
    put_secret(JWKS, json.dumps({"keys": [key, {**key, "kid": "for-encryption", "use": "enc"}]}))
    authorizer = start("authorizer")

    for _ in range(2):
        with pytest.raises(KeySetError, match="key 'for-encryption' has a use other than"):
            authorizer(to_authorizer(f"Bearer {sign(acme)}"))

    assert authorizer(to_authorizer(f"Bearer {acme.secret_key.text}"))
    metrics = [line for line in capsys.readouterr().out.splitlines() if "KeySetRefused" in line]
    assert len(metrics) == 2
    assert authorizer.app.wiring.token_verifier._parse_operators.cache_info().misses == 1
    assert all("for-encryption" in line and key["x"] not in line for line in metrics)


def test_token_needs_only_one_of_several_audiences(authorizer: Function, acme: Provisioned, sign: Sign) -> None:
    answer = authorizer(to_authorizer(f"Bearer {sign(acme, aud=['https://app.example', ISSUER])}"))

    assert answer["context"]["organization_id"] == str(acme.organization.id)


@pytest.fixture
def own_secrets(aws: AwsAccount) -> Secrets:
    """Make the platform's own keys, as a deploy does."""
    made = new_secrets(aws.endpoint_url)
    rotate_token_keys(made, now=datetime.now(UTC))
    return made


@pytest.fixture
def sign_as_platform(own_secrets: Secrets) -> Sign:
    signer = TokenSigner(lambda: own_secrets.read_secret(TOKEN_SIGNING_KEYS).text or "", issuer=ISSUER)

    def token(provisioned: Provisioned) -> str:
        holder = TokenHolder(
            organization_id=provisioned.organization.id,
            user_id=provisioned.admin_user_id,
            email=provisioned.admin_email,
            role="super_admin",
            epoch="0.0",
            session_id=SESSION,
        )
        return signer.sign(holder, now=datetime.now(UTC))

    return token


def test_token_of_the_platform_has_its_session(
    authorizer: Function, acme: Provisioned, sign: Sign, sign_as_platform: Sign
) -> None:
    own = caller_in(authorizer(to_authorizer(f"Bearer {sign_as_platform(acme)}")))
    operators = caller_in(authorizer(to_authorizer(f"Bearer {sign(acme)}")))

    assert isinstance(own, Tenant)
    assert isinstance(operators, Tenant)
    assert (own.credential_id, own.session_id) == (acme.admin_user_id, SESSION)
    assert (operators.credential_id, operators.session_id) == (acme.admin_user_id, None)


def test_token_of_the_platform_needs_no_jwks(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned, sign_as_platform: Sign
) -> None:
    put_secret(AUTHORIZER_DATABASE, databases.servers.postgres_url(postgres.AUTHORIZER, databases.name))

    assert start("authorizer")(to_authorizer(f"Bearer {sign_as_platform(acme)}"))


def test_withdrawn_key_is_refused_once_the_secret_is_read_again(
    authorizer: Function, acme: Provisioned, own_secrets: Secrets, sign_as_platform: Sign
) -> None:
    event = to_authorizer(f"Bearer {sign_as_platform(acme)}")
    kid = private_ids(stored(own_secrets))[0]
    assert authorizer(event)

    withdraw_token_key(own_secrets, kid, now=datetime.now(UTC))
    authorizer.app.wiring.secrets._cache.clear()  # as after SECRET_CACHE_SECONDS

    assert is_unauthorized(authorizer, event)
    assert authorizer(to_authorizer(f"Bearer {sign_as_platform(acme)}"))


def test_unknown_keys_read_the_secret_once(
    authorizer: Function, acme: Provisioned, sign: Sign, own_secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert private_ids(stored(own_secrets))
    calls: list[str] = []
    call = AwsClient.call

    def counted(self: AwsClient, target: str, document: dict[str, Any], *, json_version: str) -> dict[str, Any]:
        calls.append(target)
        return call(self, target, document, json_version=json_version)

    monkeypatch.setattr(AwsClient, "call", counted)

    for number in range(20):
        assert is_unauthorized(authorizer, to_authorizer(f"Bearer {sign(acme, kid=f'unknown-{number}')}"))

    assert len(calls) == 2  # both secrets, at the first token
