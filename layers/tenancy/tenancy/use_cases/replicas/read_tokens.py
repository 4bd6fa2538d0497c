"""Make the token of a committed write, and read the tokens of a request."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.homes import CATALOGUE
from tenancy.rules.read_tokens import derive_token_key, format_position_token, format_time_token, parse_token
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
        """Return the token of all that was committed before. It never raises.

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

    def find_marks(self, tokens: Sequence[str], organization_id: UUID) -> list[WriteMark | None]:
        """Return the write of each token, None for one that cannot be read."""
        if not tokens:
            return []
        try:
            key = derive_token_key(self._secret())
        except (AwsCallError, UnavailableError):
            return [None]
        return [parse_token(each, key=key, organization_id=organization_id) for each in tokens]
