"""Sign access tokens with the platform's current key."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

import msgspec

from tenancy.rules.access_tokens.sign import TokenHolder, sign_access_token
from tenancy.rules.access_tokens.token_keys import SigningKeys


class TokenSigner:
    """Signs access tokens. *read* returns the text of the secret with the private keys."""

    def __init__(self, read: Callable[[], str], *, issuer: str) -> None:
        """Read no secret yet. *issuer* is also the audience."""
        self._read = read
        self._issuer = issuer
        self._parse = lru_cache(maxsize=1)(_parse)

    def sign(self, holder: TokenHolder, *, now: datetime) -> str:
        """Return an access token of *holder*.

        Raises:
            UnavailableError: the secret could not be read.
        """
        key = self._parse(self._read()).key_at(now)
        return sign_access_token(key, holder, issuer=self._issuer, now=now)


def _parse(text: str) -> SigningKeys:
    return msgspec.json.decode(text, type=SigningKeys)
