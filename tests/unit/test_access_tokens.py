"""Access tokens of the platform: signed here, verified by the key set and by PyJWT."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import msgspec
import pytest

from tenancy.rules.access_tokens.sign import TokenHolder, sign_access_token
from tenancy.rules.access_tokens.token_keys import generate_token_key
from tenancy.rules.access_tokens.verify import KeySet
from tenancy.rules.credentials import MAX_CREDENTIAL_CHARACTERS
from tenancy.rules.durations import TOKEN_LEEWAY_SECONDS
from tenancy.rules.permissions import ROLES
from tests.unit.signed_tokens import ISSUER, NOW, refused

KEY, OTHER_KEY = generate_token_key(), generate_token_key()
HOLDER = TokenHolder(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    user_id=UUID("0d000000-0000-4000-8000-00000000000d"),
    email="admin@acme.example",
    role="analyst",
    epoch="3.7",
    session_id=UUID("0e000000-0000-4000-8000-00000000000e"),
)
KEY_SET = KeySet(keys={KEY.kid: jwt.PyJWK(msgspec.to_builtins(KEY.public))}, issuer=ISSUER, audience=ISSUER)


def sign(holder: TokenHolder = HOLDER) -> str:
    return sign_access_token(KEY, holder, issuer=ISSUER, now=NOW)


def test_token_proves_its_holder_and_session() -> None:
    claims = KEY_SET.verify(sign(), now=NOW)

    assert (claims.organization_id, claims.user_id, claims.sid) == (
        HOLDER.organization_id,
        HOLDER.user_id,
        HOLDER.session_id,
    )
    assert (claims.email, claims.role, claims.epoch, claims.app_id) == (HOLDER.email, "analyst", "3.7", None)


@pytest.mark.parametrize("role", ROLES)
def test_token_has_the_permissions_of_the_role(role: str) -> None:
    holder = TokenHolder(**{**{name: getattr(HOLDER, name) for name in HOLDER.__slots__}, "role": role})

    text = sign(holder)

    assert frozenset(KEY_SET.verify(text, now=NOW).permissions) == ROLES[role]
    assert len(text) < MAX_CREDENTIAL_CHARACTERS / 2


def test_token_lives_for_15_minutes() -> None:
    text, end = sign(), NOW + timedelta(minutes=15, seconds=TOKEN_LEEWAY_SECONDS)

    assert KEY_SET.verify(text, now=NOW).expires_at == end
    assert not refused(text, key_set=KEY_SET, now=end - timedelta(seconds=1))
    assert refused(text, key_set=KEY_SET, now=end)


def test_header_names_the_key_and_the_type() -> None:
    assert jwt.get_unverified_header(sign()) == {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"}


def test_each_token_has_an_id_of_its_own() -> None:
    ids = {KEY_SET.verify(sign(), now=NOW).jti for _ in range(20)}

    assert len(ids) == 20


def test_other_key_with_the_same_id_is_refused() -> None:
    forged = msgspec.structs.replace(OTHER_KEY, kid=KEY.kid)

    assert refused(sign_access_token(forged, HOLDER, issuer=ISSUER, now=NOW), key_set=KEY_SET)


def test_pyjwt_verifies_the_token() -> None:
    text = sign_access_token(KEY, HOLDER, issuer=ISSUER, now=datetime.now(UTC))

    claims = jwt.decode(text, KEY_SET.keys[KEY.kid], algorithms=["ES256"], audience=ISSUER, issuer=ISSUER)

    assert claims["sid"] == str(HOLDER.session_id)
    assert claims["exp"] - claims["iat"] == 900
