"""The authorizer answers with who calls, or with exactly what API Gateway turns into its 401."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from tenancy.api_keys import ApiKey, KeyType, generate_key
from tenancy.gateway.context import parse_context
from tenancy.permissions import PERMISSIONS, ROLES
from tenancy.stores.secrets import DATABASE, JWKS
from tenancy.tenant import Operator, Tenant
from tenancy.tiers import Tier
from tenancy.use_cases.provision import Provisioned
from tests.given import AwsAccount, Databases, Servers
from tests.handlers.doors import door
from tests.handlers.functions import ISSUER, OPERATORS_GATEWAY_KEY, Function, PutSecret, Start, superuser
from tests.handlers.requests import Event, sample, with_basic, with_header_values, with_headers

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
    # The clocks' minute is part of it, so that the functions behind refuse it when this one does.
    assert timedelta(seconds=860) < caller.expires_at - datetime.now(UTC) <= timedelta(seconds=960)


def test_a_token_within_the_clocks_minute_is_accepted_here_and_behind(
    authorizer: Function, acme: Provisioned, sign: Sign
) -> None:
    now = int(datetime.now(UTC).timestamp())
    caller = caller_in(authorizer(request(f"Bearer {sign(acme, exp=now - 30)}")))
    assert caller.expires_at == datetime.fromtimestamp(now + 30, UTC)
    assert is_unauthorized(authorizer, request(f"Bearer {sign(acme, exp=now - 60)}"))


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
        event = with_header_values(sample("authorizer", "secret_key"), name, f"Bearer {acme.secret_key.text}")
        for seen in (event, {**event, "multiValueHeaders": None}, {**event, "headers": None}):
            assert authorizer(seen)["context"]["organization_id"] == str(acme.organization.id)


def test_two_credentials_are_none(
    authorizer: Function, acme: Provisioned, globex: Provisioned, operator_key: ApiKey, sign: Sign
) -> None:
    own = f"Bearer {acme.secret_key.text}"
    others = [own, f"Bearer {globex.secret_key.text}", f"Bearer {operator_key.text}", f"Bearer {sign(acme)}", "", "x"]
    for other in others:
        for values in ((own, other), (other, own), (f"{own}, {other}",), (f"{other},{own}",)):
            assert is_unauthorized(authorizer, with_header_values(request(None), "Authorization", *values))
        event = request(own)
        event["multiValueHeaders"] = {"Authorization": [own], "authorization": [other]}
        assert is_unauthorized(authorizer, event)


def test_an_answer_depends_on_its_identity_sources_alone_because_it_is_cached_for_them(
    authorizer: Function, acme: Provisioned, globex: Provisioned
) -> None:
    assert authorizer.app.IDENTITY_SOURCES == ("authorization",)
    event = request(f"Bearer {acme.secret_key.text}")
    answer = authorizer(event)
    named = str(globex.organization.id)
    query = {"organization_id": named, "authorization": f"Bearer {globex.secret_key.text}"}
    others: list[Event] = [
        with_headers(event, x_organization_id=named),
        with_headers(event, host="globex.attribution.example", x_forwarded_host="globex.attribution.example"),
        with_headers(event, x_api_key=globex.secret_key.text, cookie="a=b", x_amz_security_token="x"),
        {**event, "queryStringParameters": query, "multiValueQueryStringParameters": {"organization_id": [named]}},
        {**event, "path": f"/organizations/{named}", "resource": "/organizations/{organization_id}"},
        {**event, "pathParameters": {"organization_id": named}, "stageVariables": {"organization_id": named}},
        {**event, "httpMethod": "DELETE", "methodArn": event["methodArn"].rpartition("/")[0] + "/organizations"},
        {**event, "requestContext": {"requestId": "r-2", "identity": {"sourceIp": "192.0.2.1", "apiKey": named}}},
        {name: event[name] for name in ("methodArn", "headers")} | {"requestContext": {"requestId": "r-3"}},
    ]
    for other in others:
        assert authorizer(other) == answer


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
        assert not is_unauthorized(authorizer, request(f"Bearer {good}"))  # now it knows its secrets
        way.shut()
        head, body, signature = good.split(".")
        stranger = sign(acme, kid="a-kid-that-nobody-has")
        for text in ("a.b.c", f"{head}.{body}.{'A' * 86}", f"{head}.{signature}.{body}", stranger, good + "A", "x"):
            assert is_unauthorized(authorizer, request(f"Bearer {text}"))


@pytest.mark.usefixtures("secrets")
def test_a_key_that_was_taken_out_verifies_nothing_any_more_although_its_token_was_seen(
    start: Start, put_secret: PutSecret, acme: Provisioned, sign: Sign, servers: Servers
) -> None:
    authorizer, event = start("authorizer"), request(f"Bearer {sign(acme)}")
    published = json.loads(servers.credentials.public_key_set())
    [key] = published["keys"]
    new = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)
    next_key = {**new, "kid": "next", "alg": "ES256", "use": "sig"}
    for keys, is_refused in (([key], False), ([next_key, key], False), ([next_key], True), ([key], False)):
        put_secret(JWKS, json.dumps({"keys": keys}))
        authorizer.app.secrets._known.clear()  # five minutes pass
        for _ in range(2):
            if is_refused:
                assert is_unauthorized(authorizer, event)
            else:
                assert authorizer(event)
        assert authorizer.app.parse_key_set.cache_info().currsize == 1


@pytest.mark.usefixtures("secrets")
def test_a_key_that_left_the_set_verifies_nothing(
    start: Start, put_secret: PutSecret, acme: Provisioned, sign: Sign
) -> None:
    put_secret(JWKS, '{"keys":[]}')
    assert is_unauthorized(start("authorizer"), request(f"Bearer {sign(acme)}"))
