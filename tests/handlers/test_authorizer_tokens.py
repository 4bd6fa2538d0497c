"""A person's token at the authorizer: good until it ends, its key leaves the set, or its person may no more."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from tenancy.rules.permissions import PERMISSIONS, ROLES
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.secrets import DATABASE, JWKS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, Servers
from tests.handlers.doors import door
from tests.handlers.functions import ISSUER, Function, PutSecret, Start, superuser
from tests.handlers.requests import caller_in, is_unauthorized, to_authorizer

type Sign = Callable[..., str]


@pytest.fixture
def authorizer(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("authorizer")


@pytest.fixture
def sign(servers: Servers) -> Sign:
    """Sign the token of an organization's administrator; keywords change claims."""
    key = servers.credentials.signing_key

    def token(who: Provisioned, *, kid: str = key["kid"], **changes: object) -> str:
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "sub": str(who.admin_user_id),
            "user_id": str(who.admin_user_id),
            "organization_id": str(who.organization.id),
            "email": who.admin_email,
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


def test_a_token_is_its_person_until_it_ends(authorizer: Function, acme: Provisioned, sign: Sign) -> None:
    answer = authorizer(to_authorizer(f"Bearer {sign(acme)}"))
    caller = caller_in(answer)
    assert isinstance(caller, Tenant)
    assert (caller.organization_id, caller.credential_id) == (acme.organization.id, acme.admin_user_id)
    assert caller.scopes == ROLES["super_admin"]
    assert caller.expires_at is not None
    # The clocks' minute is part of it, so that the functions behind refuse it when this one does.
    assert timedelta(seconds=860) < caller.expires_at - datetime.now(UTC) <= timedelta(seconds=960)


def test_a_token_within_the_clocks_minute_is_accepted_here_and_behind(
    authorizer: Function, acme: Provisioned, sign: Sign
) -> None:
    now = int(datetime.now(UTC).timestamp())
    caller = caller_in(authorizer(to_authorizer(f"Bearer {sign(acme, exp=now - 30)}")))
    assert caller.expires_at == datetime.fromtimestamp(now + 30, UTC)
    assert is_unauthorized(authorizer, to_authorizer(f"Bearer {sign(acme, exp=now - 60)}"))


def test_a_token_grants_no_more_than_it_says_and_the_role_still_has(
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


def test_a_token_that_does_not_hold_is_unauthorized(
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
    ]
    for changes in wrong:
        with subtests.test(str(changes)):
            assert is_unauthorized(authorizer, to_authorizer(f"Bearer {sign(acme, **changes)}"))


def test_garbage_asks_nobody_once_the_key_set_is_known(
    start: Start, put_secret: PutSecret, aws: AwsAccount, nowhere: str, acme: Provisioned, sign: Sign, servers: Servers
) -> None:
    put_secret(DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    put_secret(JWKS, servers.credentials.public_key_set())
    port = urlsplit(aws.endpoint_url).port
    assert port is not None
    with door(port) as way:
        authorizer = start("authorizer", AWS_ENDPOINT_URL=f"http://{way.address}")
        good = sign(acme)
        assert not is_unauthorized(authorizer, to_authorizer(f"Bearer {good}"))  # now it knows its secrets
        way.shut()
        head, body, signature = good.split(".")
        stranger = sign(acme, kid="a-kid-that-nobody-has")
        for text in ("a.b.c", f"{head}.{body}.{'A' * 86}", f"{head}.{signature}.{body}", stranger, good + "A", "x"):
            assert is_unauthorized(authorizer, to_authorizer(f"Bearer {text}"))


@pytest.mark.usefixtures("secrets")
def test_a_key_that_was_taken_out_verifies_nothing_any_more_although_its_token_was_seen(
    start: Start, put_secret: PutSecret, acme: Provisioned, sign: Sign, servers: Servers
) -> None:
    authorizer, event = start("authorizer"), to_authorizer(f"Bearer {sign(acme)}")
    published = json.loads(servers.credentials.public_key_set())
    [key] = published["keys"]
    new = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)
    next_key = {**new, "kid": "next", "alg": "ES256", "use": "sig"}
    for keys, is_refused in (([key], False), ([next_key, key], False), ([next_key], True), ([key], False)):
        put_secret(JWKS, json.dumps({"keys": keys}))
        authorizer.app.wiring.secrets._known.clear()  # five minutes pass
        for _ in range(2):
            if is_refused:
                assert is_unauthorized(authorizer, event)
            else:
                assert authorizer(event)
        assert authorizer.app.wiring._parse_key_set.cache_info().currsize == 1


@pytest.mark.usefixtures("secrets")
def test_a_key_that_left_the_set_verifies_nothing(
    start: Start, put_secret: PutSecret, acme: Provisioned, sign: Sign
) -> None:
    put_secret(JWKS, '{"keys":[]}')
    assert is_unauthorized(start("authorizer"), to_authorizer(f"Bearer {sign(acme)}"))
