"""Find the organizations of the custom domains that a request with a credential names as its host.

The credential has decided already: the owners only tell whether a host confirms it. So a request is served without
them while the database is unreachable.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.durations import DOMAIN_LOOK_UP_PAUSE, DOMAIN_OWNER_CACHE_TIME, DOMAIN_OWNER_STALE_TIME
from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.host_names import PlatformHosts
from tenancy.rules.resolution import NO_DOMAINS, Mention, list_custom_names

if TYPE_CHECKING:
    from tenancy.stores.postgres.homes import Homes

KEPT_DOMAINS: Final = 1_000

type _Kept[Answer] = dict[str, tuple[datetime, Answer]]


class DomainOwners:
    """The organizations of active custom domains, each kept for one minute.

    Only requests at a host that is none of the platform's cost a statement. Names without an owner are kept apart, so
    that invented ones displace no domain.
    """

    def __init__(self, db: "Callable[[], Homes]", hosts: PlatformHosts) -> None:
        """Open nothing yet.

        *db* is called only for a host that is none of *hosts*, because it imports PostgreSQL's driver.
        """
        self._db = db
        self._hosts = hosts
        self._owners: _Kept[UUID] = {}
        self._without_owner: _Kept[None] = {}
        self._paused_until = datetime.min.replace(tzinfo=UTC)

    def find(self, mentions: Iterable[Mention], *, now: datetime) -> Mapping[str, UUID]:
        """Return the owners of the custom domains among the hosts in *mentions*, by name.

        While the database is unreachable, answers that have expired by less than `DOMAIN_OWNER_STALE_TIME` are
        returned, and other names have no owner.
        """
        names = list_custom_names(mentions, self._hosts)
        if not names:
            return NO_DOMAINS
        unknown = [name for name in names if not self._is_kept(name, now)]
        if unknown and self._paused_until <= now:
            self._look_up(unknown, now)
        kept = {name: self._owners[name] for name in names if name in self._owners}
        return {name: owner for name, (expires_at, owner) in kept.items() if now < expires_at + DOMAIN_OWNER_STALE_TIME}

    def _is_kept(self, name: str, now: datetime) -> bool:
        found = self._owners.get(name) or self._without_owner.get(name)
        return found is not None and found[0] > now

    def _look_up(self, names: list[str], now: datetime) -> None:
        from tenancy.stores.postgres.platform.lookups import (  # noqa: PLC0415 - with the database's driver
            find_domain_owners,
        )

        try:
            pages = self._db().look_up_in_homes(
                lambda conn: find_domain_owners(conn, names),
                values=[Entry(EntryKind.CUSTOM_DOMAIN, name) for name in names],
            )
        except UnavailableError:
            self._paused_until = now + DOMAIN_LOOK_UP_PAUSE
            return
        found = {name: owner for page in pages for name, owner in page.items()}
        expires_at = now + DOMAIN_OWNER_CACHE_TIME
        for name in names:
            self._owners.pop(name, None)
            self._without_owner.pop(name, None)
            if name in found:
                _keep(self._owners, name, (expires_at, found[name]))
            else:
                _keep(self._without_owner, name, (expires_at, None))


def _keep[Answer](kept: _Kept[Answer], name: str, answer: tuple[datetime, Answer]) -> None:
    if len(kept) >= KEPT_DOMAINS:
        kept.clear()
    kept[name] = answer
