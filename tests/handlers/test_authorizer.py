"""The authorizer returns the caller, or the error that API Gateway turns into its 401."""

import base64

import pytest

from scripts.stack import postgres
from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.rules.permissions import SECRET_KEY_PERMISSIONS
from tenancy.rules.tenant import Operator, RateBucket, Tenant
from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import OPERATORS_GATEWAY_KEY, Function, PutSecret, Start, superuser
from tests.handlers.requests import (
    Event,
    caller_in,
    is_unauthorized,
    sample,
    to_authorizer,
    with_basic_auth,
    with_header_values,
    with_headers,
)


@pytest.fixture
def authorizer(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("authorizer")


def test_secret_key_has_the_permissions_of_a_first_key(authorizer: Function, acme: Provisioned) -> None:
    answer = authorizer(to_authorizer(f"Bearer {acme.secret_key.text}"))
    caller = caller_in(answer)

    assert isinstance(caller, Tenant)
    assert (caller.organization_id, caller.subdomain) == (acme.organization.id, "acme")
    assert caller.scopes == SECRET_KEY_PERMISSIONS
    assert caller.app_id is None
    assert answer["principalId"] == str(caller.credential_id)
    assert answer["usageIdentifierKey"] == f"organization-{acme.organization.id}-1"
    [statement] = answer["policyDocument"]["Statement"]
    assert statement == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        "Resource": "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1/*",
    }


def test_write_key_may_only_write_events(authorizer: Function, acme: Provisioned, globex: Provisioned) -> None:
    for provisioned in (acme, globex):
        by_basic = authorizer(with_basic_auth(sample("authorizer", "write_key"), provisioned.write_key))

        assert by_basic == {**authorizer(to_authorizer(f"Bearer {provisioned.write_key.text}"))} | {
            "policyDocument": by_basic["policyDocument"]
        }
        caller = caller_in(by_basic)
        assert isinstance(caller, Tenant)
        assert (caller.organization_id, caller.scopes) == (provisioned.organization.id, frozenset({"events:write"}))
        assert caller.app_id == provisioned.app_id


def test_platform_key_is_the_operator_with_the_stacks_gateway_key(authorizer: Function, operator_key: ApiKey) -> None:
    answer = authorizer(with_headers(sample("authorizer", "platform_key"), authorization=f"Bearer {operator_key.text}"))

    assert isinstance(caller_in(answer), Operator)
    assert answer["usageIdentifierKey"] == OPERATORS_GATEWAY_KEY
    assert "organization_id" not in answer["context"]


def test_malformed_authorization_is_unauthorized(
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

    for case, header in headers.items():
        with subtests.test(case):
            assert is_unauthorized(authorizer, to_authorizer(header))

    for nothing in (None, dict[str, str]()):
        assert is_unauthorized(authorizer, {**to_authorizer(None), "headers": nothing})


def test_keys_of_the_sample_events_are_unknown(authorizer: Function) -> None:
    for case in ("write_key", "secret_key", "platform_key"):
        assert is_unauthorized(authorizer, sample("authorizer", case))


def test_header_name_is_read_in_any_case(authorizer: Function, acme: Provisioned) -> None:
    for name in ("authorization", "AUTHORIZATION", "Authorization"):
        event = with_header_values(sample("authorizer", "secret_key"), name, f"Bearer {acme.secret_key.text}")
        for seen in (event, {**event, "multiValueHeaders": None}, {**event, "headers": None}):
            assert authorizer(seen)["context"]["organization_id"] == str(acme.organization.id)


def test_two_credentials_are_unauthorized(
    authorizer: Function, acme: Provisioned, globex: Provisioned, operator_key: ApiKey
) -> None:
    own = f"Bearer {acme.secret_key.text}"
    others = [own, f"Bearer {globex.secret_key.text}", f"Bearer {operator_key.text}", "Bearer a.b.c", "", "x"]

    for other in others:
        for values in ((own, other), (other, own), (f"{own}, {other}",), (f"{other},{own}",)):
            assert is_unauthorized(authorizer, with_header_values(to_authorizer(None), "Authorization", *values))

        event = to_authorizer(own)
        event["multiValueHeaders"] = {"Authorization": [own], "authorization": [other]}

        assert is_unauthorized(authorizer, event)


def test_answer_depends_only_on_the_cache_key(authorizer: Function, acme: Provisioned, globex: Provisioned) -> None:
    assert authorizer.app.IDENTITY_SOURCES == ("authorization",)

    event = to_authorizer(f"Bearer {acme.secret_key.text}")

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


def test_revoked_or_expired_key_is_unauthorized(
    authorizer: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    events = [to_authorizer(f"Bearer {provisioned.secret_key.text}") for provisioned in (acme, globex)]
    assert all(authorizer(event) for event in events)

    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE organization_id = %s", (acme.organization.id,))
        conn.execute("UPDATE api_keys SET expires_at = now() WHERE organization_id = %s", (globex.organization.id,))

    assert [is_unauthorized(authorizer, event) for event in events] == [True, True]


def test_key_of_erased_organization_is_unauthorized(
    authorizer: Function, databases: Databases, acme: Provisioned
) -> None:
    event = to_authorizer(f"Bearer {acme.secret_key.text}")
    assert caller_in(authorizer(event)).credential_id == acme.secret_key_id

    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET status = 'erased'")

    assert is_unauthorized(authorizer, event)


def test_key_type_decides_the_rate_bucket(authorizer: Function, acme: Provisioned) -> None:
    for key, bucket in ((acme.write_key, RateBucket.INGEST), (acme.secret_key, RateBucket.MANAGEMENT)):
        caller = caller_in(authorizer(to_authorizer(f"Bearer {key.text}")))
        assert isinstance(caller, Tenant)
        assert caller.bucket is bucket


def test_authorizer_needs_only_the_role_for_look_ups(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned
) -> None:
    put_secret(AUTHORIZER_DATABASE, databases.servers.postgres_url(postgres.AUTHORIZER, databases.name))

    answer = start("authorizer")(to_authorizer(f"Bearer {acme.secret_key.text}"))

    assert answer["context"]["organization_id"] == str(acme.organization.id)


def test_unreachable_database_is_no_401(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(AUTHORIZER_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    assert not is_unauthorized(start("authorizer"), to_authorizer(f"Bearer {generate_key(KeyType.SECRET).text}"))


def test_unreachable_secrets_manager_is_no_401(start: Start, nowhere: str) -> None:
    authorizer = start("authorizer", AWS_ENDPOINT_URL=f"http://{nowhere}")
    assert not is_unauthorized(authorizer, to_authorizer(f"Bearer {generate_key(KeyType.SECRET).text}"))


def test_missing_key_set_is_no_401(start: Start) -> None:
    assert not is_unauthorized(start("authorizer"), to_authorizer("Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.b.c"))


def test_closed_database_connection_is_reopened(authorizer: Function, databases: Databases, acme: Provisioned) -> None:
    event = to_authorizer(f"Bearer {acme.secret_key.text}")
    assert authorizer(event)

    with superuser(databases) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (databases.name,),
        )

    assert authorizer(event)


def test_malformed_credential_is_refused_without_a_look_up(start: Start, nowhere: str) -> None:
    authorizer = start("authorizer", AWS_ENDPOINT_URL=f"http://{nowhere}")
    assert is_unauthorized(authorizer, to_authorizer("Bearer sk_" + "a" * 49))
