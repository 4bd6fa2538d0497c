"""A log-in by single sign-on: its state, its nonce and verifier, and its URLs.

Sources: RFC 6749, 4.1 (the code), RFC 7636 (PKCE), OpenID Connect Core 1.0, 3.1.2.1 and 15.5.2 (the nonce).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from tenancy.rules.sso.json_objects import encode_base64url

SCOPES: Final = "openid email profile"
SECRET_BYTES: Final = 32
SECRET_CHARACTERS: Final = 43
CODE_CHALLENGE_CHARACTERS: Final = 43
CODE_VERIFIER_CHARACTERS: Final = 128
PROVIDER_CODE_MAX_CHARACTERS: Final = 4_096
LOG_IN_HINT: Final = "login_hint"
# The error in the redirect to the client if the provider has refused the person (RFC 6749, 4.1.2.1).
ACCESS_DENIED: Final = "access_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSecret:
    """The secret in the cookie of the browser that began a log-in. Only its digest is stored.

    The nonce and the verifier of PKCE are derived from it. So only this browser can complete the log-in.
    """

    text: str = field(repr=False)

    @classmethod
    def generate(cls) -> "BrowserSecret":
        """Return a new secret."""
        return cls(text=secrets.token_urlsafe(SECRET_BYTES))

    @property
    def digest(self) -> bytes:
        """The SHA-256 under which the secret is stored."""
        return hashlib.sha256(self.text.encode()).digest()

    def nonce_of(self, state_digest: bytes) -> str:
        """Return the nonce of the log-in with that state."""
        return self._derive(b"nonce", state_digest)

    def verifier_of(self, state_digest: bytes) -> str:
        """Return the PKCE verifier of the log-in with that state."""
        return self._derive(b"verifier", state_digest)

    def _derive(self, use: bytes, state_digest: bytes) -> str:
        message = b"tenancy: single sign-on, 1: " + use + b": " + state_digest
        return encode_base64url(hmac.digest(self.text.encode(), message, "sha256"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLogIn:
    """A log-in as it is stored, before its state is used. *code_challenge* is that of the client, None without one."""

    state_digest: bytes
    browser_digest: bytes
    connection_id: UUID
    redirect_uri: str
    code_challenge: str | None
    started_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOverLogIn:
    """A log-in whose person the provider has proven, found by the finish token.

    *encrypted_identity* is None after the browser came.
    """

    state_digest: bytes
    browser_digest: bytes
    connection_id: UUID
    redirect_uri: str
    expires_at: datetime
    encrypted_identity: bytes | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenLogIn:
    """A log-in whose member is known, found by the code of the client."""

    state_digest: bytes
    connection_id: UUID
    user_id: UUID
    code_challenge: str | None
    expires_at: datetime
    code_used_at: datetime | None

    def takes(self, code_verifier: str | None) -> bool:
        """Tell whether *code_verifier* is that of the client that began the log-in."""
        if self.code_challenge is None:
            return code_verifier is None
        return hmac.compare_digest(self.code_challenge, challenge_of(code_verifier or ""))


def challenge_of(verifier: str) -> str:
    """Return the challenge of a PKCE verifier (S256)."""
    return encode_base64url(hashlib.sha256(verifier.encode()).digest())


def with_query(url: str, members: Mapping[str, str]) -> str:
    """Return *url*, which may have a query and has no fragment, with *members* added to its query."""
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}{urlencode(members)}"
