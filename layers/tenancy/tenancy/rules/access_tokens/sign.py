"""Sign access tokens (JSON Web Tokens), as `rules/access_tokens/verify.py` verifies them.

Sources: RFC 7515, RFC 7519, RFC 9068 (the type of access tokens).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID, uuid4

import jwt
import msgspec

from tenancy.rules.access_tokens.token_keys import PrivateTokenKey
from tenancy.rules.durations import ACCESS_TOKEN_LIFE
from tenancy.rules.permissions import ROLES

TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - a media type


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHolder:
    """The person that an access token proves: a member, in one session.

    *epoch* has the member's revocation counts as `organization.user`.
    """

    organization_id: UUID
    user_id: UUID
    email: str
    role: str
    epoch: str
    session_id: UUID


def sign_access_token(key: PrivateTokenKey, holder: TokenHolder, *, issuer: str, now: datetime) -> str:
    """Return an access token of *holder* that lives for `ACCESS_TOKEN_LIFE`.

    It has the permissions of the holder's role. The issuer is also the audience.
    """
    issued_at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": str(holder.user_id),
        "iat": issued_at,
        "exp": issued_at + int(ACCESS_TOKEN_LIFE.total_seconds()),
        "jti": str(uuid4()),
        "token_use": "access",
        "user_id": str(holder.user_id),
        "organization_id": str(holder.organization_id),
        "email": holder.email,
        "role": holder.role,
        "permissions": sorted(ROLES[holder.role]),
        "epoch": holder.epoch,
        "sid": str(holder.session_id),
    }
    headers = {"kid": key.kid, "typ": TOKEN_TYPE}
    return jwt.encode(claims, _load(key), algorithm=key.alg, headers=headers)


@lru_cache(maxsize=2)
def _load(key: PrivateTokenKey) -> jwt.PyJWK:
    """Return *key* in PyJWT's form.

    The last two keys are cached, because loading a key takes longer than signing.
    """
    return jwt.PyJWK(msgspec.to_builtins(key))
