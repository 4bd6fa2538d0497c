"""The authorizer answers with who calls, or with exactly what API Gateway turns into its 401."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest

from tenancy.api_keys import ApiKey, KeyType, generate_key
from tenancy.gateway.context import parse_context
from tenancy.permissions import PERMISSIONS, ROLES
from tenancy.stores.secrets import DATABASE, JWKS
from tenancy.tenant import Operator, Tenant
from tenancy.tiers import Tier
from tenancy.use_cases.provision import Provisioned
from tests.given import Databases, Servers
from tests.handlers.functions import ISSUER, OPERATORS_GATEWAY_KEY, Function, PutSecret, Start, superuser
from tests.handlers.requests import Event, sample, with_basic, with_headers

type Sign = Callable[..., str]


@pytest.fixture
def authorizer(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("authorizer")


@pytest.fixture
def sign(servers: Servers) -> Sign:
    """Sign the token of an organization's administrator; keywords change claims."""
    key = servers.credentials.signing_key

    def token(who: Provisioned, **changes: object) -> str:
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
        return jwt.encode({**claims, **changes}, jwt.PyJWK(key).key, key["alg"], headers={"kid": key["kid"]})

    return token


def request(authorization: str | None) -> Event:
    return with_headers(sample("authorizer", "secret_key"), authorization=authorization)


def caller_in(answer: dict[str, Any]) -> Tenant | Operator:
    assert all(isinstance(value, str | int | bool) for value in answer["context"].values())
    return parse_context({name: str(value) for name, value in answer["context"].items()}, now=datetime.now(UTC))


def is_unauthorized(authorizer: Function, event: Event) -> bool:
    """Say whether API Gateway would answer 401: the message of the error must be exactly this."""
    try:
        authorizer(event)
    except Exception as error:  # noqa: BLE001 - API Gateway goes by the message alone
        return str(error) == "Unauthorized"
    pytest.fail("The credential was accepted.")


def test_a_secret_key_is_its_organization_with_all_its_scopes(authorizer: Function, acme: Provisioned) -> None:
    answer = authorizer(request(f"Bearer {acme.secret_key.text}"))
    caller = caller_in(answer)
    assert isinstance(caller, Tenant)
    assert (caller.organization_id, caller.subdomain, caller.tier) == (acme.organization.id, "acme", Tier.STARTER)
    assert caller.scopes == PERMISSIONS
    assert answer["principalId"] == str(caller.credential_id)
    assert answer["usageIdentifierKey"] == f"organization-{acme.organization.id}-1"
    [statement] = answer["policyDocument"]["Statement"]
    assert statement == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1/*",
    }


def test_a_write_key_may_write_events_only(authorizer: Function, acme: Provisioned, globex: Provisioned) -> None:
    for who in (acme, globex):
        by_basic = authorizer(with_basic(sample("authorizer", "write_key"), who.write_key))
        assert by_basic == {**authorizer(request(f"Bearer {who.write_key.text}"))} | {
            "policyDocument": by_basic["policyDocument"]
        }
        caller = caller_in(by_basic)
        assert isinstance(caller, Tenant)
        assert (caller.organization_id, caller.scopes) == (who.organization.id, frozenset({"events:write"}))


def test_organizations_are_metered_by_different_keys(
    authorizer: Function, acme: Provisioned, globex: Provisioned
) -> None:
    keys = {authorizer(request(f"Bearer {who.secret_key.text}"))["usageIdentifierKey"] for who in (acme, globex)}
    assert len(keys) == 2


def test_a_platform_key_is_the_operator_metered_by_the_stacks_own_key(
    authorizer: Function, operator_key: ApiKey
) -> None:
    answer = authorizer(with_headers(sample("authorizer", "platform_key"), authorization=f"Bearer {operator_key.text}"))
    assert isinstance(caller_in(answer), Operator)
    assert answer["usageIdentifierKey"] == OPERATORS_GATEWAY_KEY
    assert "organization_id" not in answer["context"]


def test_a_token_is_its_person_until_it_ends(authorizer: Function, acme: Provisioned, sign: Sign) -> None:
    answer = authorizer(request(f"Bearer {sign(acme)}"))
    caller = caller_in(answer)
    assert isinstance(caller, Tenant)
    assert (caller.organization_id, caller.credential_id) == (acme.organization.id, acme.admin_user_id)
    assert caller.scopes == ROLES["super_admin"]
    assert caller.expires_at is not None
    assert timedelta(seconds=800) < caller.expires_at - datetime.now(UTC) <= timedelta(seconds=900)


def test_a_token_grants_no_more_than_it_says_and_the_role_still_has(
    authorizer: Function, databases: Databases, acme: Provisioned, sign: Sign
) -> None:
    narrow = caller_in(authorizer(request(f"Bearer {sign(acme, permissions=['stats:read', 'platform:*'])}")))
    assert isinstance(narrow, Tenant)
    assert narrow.scopes == {"stats:read"}
    with superuser(databases) as conn:
        conn.execute("UPDATE users SET role = 'viewer'")
    degraded = caller_in(authorizer(request(f"Bearer {sign(acme)}")))
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
            assert is_unauthorized(authorizer, request(f"Bearer {sign(acme, **changes)}"))


def test_every_malformed_authorization_is_unauthorized(
    authorizer: Function, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    write, secret = acme.write_key.text, acme.secret_key.text
    headers = {
        "none": None,
        "empty": "",
        "scheme alone": "Bearer",
        "no scheme": secret,
        "unknown scheme": f"Token {secret}",
        "shortened": f"Bearer {secret[:-1]}",
        "lengthened": f"Bearer {secret}0",
        "twice": f"Bearer {secret}, Bearer {secret}",
        "another type": f"Bearer pk_{secret[3:]}",
        "another case": f"Bearer {secret.swapcase()}",
        "random": "Bearer sk_" + "a" * 49,
        "secret key as Basic": f"Basic {base64.b64encode(f'{secret}:'.encode()).decode()}",
        "key as password": f"Basic {base64.b64encode(f':{write}'.encode()).decode()}",
        "Basic that is no base64": "Basic ***",
        "Basic that is no UTF-8": f"Basic {base64.b64encode(bytes([0xFF] * 9)).decode()}",
        "Basic that is no ASCII": "Basic é",
        "injection": "Bearer sk_' OR '1'='1",
        "no token": "Bearer x",
        "dots": "Bearer ..",
        "unsigned token": "Bearer eyJhbGciOiJub25lIn0.e30.",
        "very long": "Bearer " + "a" * 10_000,
        "control characters": f"Bearer {secret[:20]}\0{secret[20:]}",
        "unknown write key": f"Bearer {generate_key(KeyType.WRITE).text}",
        "unknown secret key": f"Bearer {generate_key(KeyType.SECRET).text}",
        "unknown platform key": f"Bearer {generate_key(KeyType.PLATFORM).text}",
    }
    for what, header in headers.items():
        with subtests.test(what):
            assert is_unauthorized(authorizer, request(header))
    for nothing in (None, dict[str, str]()):
        assert is_unauthorized(authorizer, {**request(None), "headers": nothing})


def test_the_samples_keys_belong_to_nobody(authorizer: Function) -> None:
    for case in ("write_key", "secret_key", "platform_key"):
        assert is_unauthorized(authorizer, sample("authorizer", case))


def test_header_names_are_read_in_any_case(authorizer: Function, acme: Provisioned) -> None:
    for name in ("authorization", "AUTHORIZATION", "Authorization"):
        event = {**sample("authorizer", "secret_key"), "headers": {name: f"Bearer {acme.secret_key.text}"}}
        assert authorizer(event)["context"]["organization_id"] == str(acme.organization.id)


def test_a_key_that_was_revoked_or_has_expired_is_unauthorized(
    authorizer: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    events = [request(f"Bearer {who.secret_key.text}") for who in (acme, globex)]
    assert all(authorizer(event) for event in events)
    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE organization_id = %s", (acme.organization.id,))
        conn.execute("UPDATE api_keys SET expires_at = now() WHERE organization_id = %s", (globex.organization.id,))
    assert [is_unauthorized(authorizer, event) for event in events] == [True, True]


def test_the_status_of_an_organization_travels_so_that_its_refusal_can_be_explained(
    authorizer: Function, databases: Databases, acme: Provisioned
) -> None:
    event = request(f"Bearer {acme.secret_key.text}")
    for status in ("active", "suspended", "deleted", "erasing"):
        with databases.platform.transaction() as conn:
            conn.execute("UPDATE organizations SET status = %s", (status,))
        assert authorizer(event)["context"]["status"] == status
    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET status = 'erased'")
    assert is_unauthorized(authorizer, event)


def test_a_database_that_is_away_is_no_401(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    assert not is_unauthorized(start("authorizer"), request(f"Bearer {generate_key(KeyType.SECRET).text}"))


def test_a_secrets_store_that_is_away_is_no_401(start: Start, nowhere: str) -> None:
    authorizer = start("authorizer", AWS_ENDPOINT_URL=f"http://{nowhere}")
    assert not is_unauthorized(authorizer, request(f"Bearer {generate_key(KeyType.SECRET).text}"))


def test_a_key_set_that_is_missing_is_no_401(start: Start) -> None:
    assert not is_unauthorized(start("authorizer"), request("Bearer a.b.c"))


def test_a_database_that_came_back_is_asked_again(
    authorizer: Function, databases: Databases, acme: Provisioned
) -> None:
    event = request(f"Bearer {acme.secret_key.text}")
    assert authorizer(event)
    with superuser(databases) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (databases.name,),
        )
    assert authorizer(event)


def test_a_malformed_credential_needs_no_look_up(start: Start, nowhere: str) -> None:
    authorizer = start("authorizer", AWS_ENDPOINT_URL=f"http://{nowhere}")
    assert is_unauthorized(authorizer, request("Bearer sk_" + "a" * 49))


@pytest.mark.usefixtures("secrets")
def test_a_key_that_left_the_set_verifies_nothing(
    start: Start, put_secret: PutSecret, acme: Provisioned, sign: Sign
) -> None:
    put_secret(JWKS, '{"keys":[]}')
    assert is_unauthorized(start("authorizer"), request(f"Bearer {sign(acme)}"))
