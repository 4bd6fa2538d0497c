"""Make the token of a committed write, and read the tokens of a request."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.homes import CATALOGUE
from tenancy.rules.read_tokens import (
    MAX_READ_TOKENS,
    derive_token_key,
    format_position_token,
    format_time_token,
    parse_token,
)
from tenancy.rules.replica_reads import WriteMark
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.replica import find_position


class ReadTokens:
    """Read tokens with positions. Their key is derived from a secret, so a rotated secret ends older tokens."""

    def __init__(self, secret: Callable[[], str], primary: Homes) -> None:
        """Derive the key from *secret*. Positions are those of the catalogue, which the replica follows."""
        self._secret = secret
        self._primary = primary

    def mark_write(self, organization_id: UUID, *, now: datetime) -> str:
        """Return the token of all that was committed before.

        It has no position if the organization's primary is not that of the replica, or has none, or if a store is
        unreachable.
        """
        try:
            is_first = self._primary.name_home(organization_id) == CATALOGUE
            position = find_position(self._primary.catalogue) if is_first else None
            if position is not None:
                key = derive_token_key(self._secret())
                return format_position_token(now, position, key=key, organization_id=organization_id)
        except (AwsCallError, UnavailableError):
            pass
        return format_time_token(now)

    def find_marks(self, values: Iterable[str], organization_id: UUID) -> list[WriteMark | None]:
        """Return the write of each token in the *values* of a header.

        It is None for a token that cannot be read. A value has one token, or several separated by commas. More than
        `MAX_READ_TOKENS` count as an unreadable one.
        """
        tokens = [token.strip() for value in values for token in value.split(",")]
        if not tokens:
            return []
        if len(tokens) > MAX_READ_TOKENS:
            return [None]
        try:
            key = derive_token_key(self._secret())
        except (AwsCallError, UnavailableError):
            return [None]
        return [parse_token(each, key=key, organization_id=organization_id) for each in tokens]
