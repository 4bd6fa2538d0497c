"""The public documents about access tokens, read by PyJWT and by npm's jose."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import jwt
import pytest

from tenancy.gateway.http import parse_request
from tenancy.rules.access_tokens.sign import TokenHolder
from tenancy.rules.access_tokens.token_keys import TokenKeys, generate_token_key
from tenancy.stores.aws.secrets import JWKS, TOKEN_SIGNING_KEYS, Secrets
from tenancy.use_cases.keys.rotate_token_keys import rotate_token_keys
from tenancy.use_cases.keys.sign_tokens import TokenSigner
from tests.given import AwsAccount
from tests.handlers.client_programs import run_client
from tests.handlers.function_server import serving
from tests.handlers.functions import ISSUER, PREFIX, Function, PutSecret, Start, running
from tests.handlers.requests import answer_of, problem_of, sample, with_headers, with_query
from tests.unit.signed_tokens import NEW_JWK, OLD_JWK
from tests.use_cases.token_keys import new_secrets, public_ids

KEY_SET, DISCOVERY = sample("identity", "jwks"), sample("identity", "discovery")
PUBLIC_MEMBERS = {"kid", "alg", "use", "kty", "crv", "x", "y", "n", "e"}
HOLDER = TokenHolder(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    user_id=UUID("0d000000-0000-4000-8000-00000000000d"),
    email="admin@acme.example",
    role="analyst",
    epoch="0.0",
    session_id=UUID("0e000000-0000-4000-8000-00000000000e"),
)

type Sign = Callable[[], str]


@pytest.fixture
def secrets(aws: AwsAccount) -> Secrets:
    return new_secrets(aws.endpoint_url)


@pytest.fixture
def keys(secrets: Secrets) -> TokenKeys:
    return rotate_token_keys(secrets, now=datetime.now(UTC))


@pytest.fixture
def identity(start: Start, put_secret: PutSecret, keys: TokenKeys) -> Function:  # noqa: ARG001
    put_secret(JWKS, json.dumps({"keys": [OLD_JWK, NEW_JWK]}))
    return start("identity")


@pytest.fixture
def sign(secrets: Secrets, keys: TokenKeys) -> Sign:  # noqa: ARG001
    signer = TokenSigner(lambda: secrets.get_secret(TOKEN_SIGNING_KEYS), issuer=ISSUER)
    return lambda: signer.sign(HOLDER, now=datetime.now(UTC))


def forged(text: str) -> str:
    """Sign the claims of *text* with a key that is not published."""
    stranger = generate_token_key()
    claims = jwt.decode(text, options={"verify_signature": False})
    private = jwt.PyJWK({"kty": "EC", "crv": "P-256", "x": stranger.x, "y": stranger.y, "d": stranger.d})
    return jwt.encode(claims, private.key, "ES256", headers={"kid": stranger.kid, "typ": "at+jwt"})


def test_key_set_has_the_keys_of_platform_and_operator(identity: Function, keys: TokenKeys) -> None:
    answer = answer_of(identity(KEY_SET))

    published = answer.document["keys"]
    assert answer.status == 200
    assert [key["kid"] for key in published] == [*public_ids(keys), "2026-10", "2026-11"]
    assert {member for key in published for member in key} == PUBLIC_MEMBERS


def test_key_set_has_no_private_key(identity: Function, keys: TokenKeys) -> None:
    body = answer_of(identity(KEY_SET)).body

    assert keys.signing is not None
    assert keys.signing.current.d not in body
    assert keys.signing.next.d not in body


def test_faulty_set_of_the_operator_is_left_out(identity: Function, put_secret: PutSecret, keys: TokenKeys) -> None:
    put_secret(JWKS, json.dumps({"keys": [OLD_JWK, {**NEW_JWK, "d": "private"}]}))

    published = answer_of(identity(KEY_SET)).document["keys"]

    assert [key["kid"] for key in published] == public_ids(keys)


def test_key_set_without_jwks_has_the_own_keys(start: Start, keys: TokenKeys) -> None:
    published = answer_of(start("identity")(KEY_SET)).document["keys"]

    assert [key["kid"] for key in published] == public_ids(keys)


def test_discovery_names_issuer_and_key_set(identity: Function) -> None:
    assert answer_of(identity(DISCOVERY)).document == {
        "issuer": ISSUER,
        "jwks_uri": "http://sdk.attribution.example/v1/.well-known/jwks.json",
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    }


def test_discovery_of_aws_names_https_and_the_id_of_the_api() -> None:
    values = {"AWS_ENDPOINT_URL": "", "API_HOST": "{api_id}.execute-api.example", "TOKEN_ISSUER": ISSUER}
    with running("identity", {**values, "SECRETS_PREFIX": PREFIX, "STACK_NAME": "tenancy"}) as identity:
        url = identity.app.api_url(parse_request(DISCOVERY))

    assert url == "https://a1b2c3d4e5.execute-api.example/v1"


@pytest.mark.parametrize("request_of", [KEY_SET, DISCOVERY], ids=["key set", "discovery"])
def test_documents_are_kept_by_caches_for_a_minute(identity: Function, request_of: dict[str, object]) -> None:
    answer = answer_of(identity(request_of))

    known = answer_of(identity(with_headers(request_of, if_none_match=answer.headers["etag"])))

    assert answer.headers["cache-control"] == "public, max-age=60"
    assert (known.status, known.body) == (304, "")


@pytest.mark.parametrize("request_of", [KEY_SET, DISCOVERY], ids=["key set", "discovery"])
def test_documents_take_no_query(identity: Function, request_of: dict[str, object]) -> None:
    asked = with_query(request_of, version="1")

    problem_of(identity(asked), asked, 422, "invalid")


def test_another_path_is_404(identity: Function) -> None:
    asked = {**KEY_SET, "path": "/.well-known/other", "resource": "/.well-known/other"}

    problem_of(identity(asked), asked, 404, "not_found")


def test_unreachable_secrets_are_503(start: Start, nowhere: str) -> None:
    identity = start("identity", AWS_ENDPOINT_URL=f"http://{nowhere}")

    problem_of(identity(KEY_SET), KEY_SET, 503, "unavailable")


def test_pyjwk_client_verifies_a_token(identity: Function, sign: Sign) -> None:
    text = sign()
    with serving(identity) as url:
        client = jwt.PyJWKClient(f"{url}/v1/.well-known/jwks.json")
        key = client.get_signing_key_from_jwt(text)

        claims = jwt.decode(text, key, algorithms=["ES256"], audience=ISSUER, issuer=ISSUER)

        with pytest.raises(jwt.PyJWKClientError):
            client.get_signing_key_from_jwt(forged(text))
    assert claims["sid"] == str(HOLDER.session_id)


def test_jose_verifies_a_token(start: Start, identity: Function, sign: Sign, node: tuple[str, Path]) -> None:
    program, folder = node
    text = sign()
    with serving(identity) as url:
        host = url.removeprefix("http://")
        with serving(start("identity", API_HOST=host)) as discovery:
            command = [program, "verify.mjs", f"{discovery}/v1", ISSUER, text, forged(text), f"{text[:-8]}AAAAAAAA"]

            printed = json.loads(run_client(command, folder))

    assert printed == [
        [str(HOLDER.user_id), str(HOLDER.session_id)],
        "ERR_JWKS_NO_MATCHING_KEY",
        "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    ]
