"""The organization that a public request names.

A public request has no caller, so header, host, query and body select the organization. All of them must agree. On
every other route they only confirm the organization of the credential (resolution.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tenancy.rules.organization import RESERVED_SUBDOMAINS, is_subdomain
from tenancy.rules.resolution import (
    BASE,
    HOSTS,
    MAX_HOST_CHARACTERS,
    MAX_MENTIONS,
    Mention,
    MentionSource,
    find_id,
    find_label,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOrganization:
    """The names of organizations in a public request.

    *confirming* subdomains come from a forwarded host, which selects no organization. *is_unreadable* tells that a name
    is neither an id nor a subdomain.
    """

    ids: frozenset[UUID] = frozenset()
    subdomains: frozenset[str] = frozenset()
    confirming: frozenset[str] = frozenset()
    is_unreadable: bool = False

    @property
    def is_missing(self) -> bool:
        """Whether the request names no organization."""
        return not (self.ids or self.subdomains or self.is_unreadable)

    def agrees(self, organization_id: UUID, subdomain: str) -> bool:
        """Tell whether each name is one of the organization's."""
        names = self.subdomains | self.confirming
        return not self.is_unreadable and self.ids <= {organization_id} and names <= {subdomain}


def read_names(mentions: Iterable[Mention], *, organization: str | None, base_domain: str) -> NamedOrganization:
    """Return the names in *mentions* and in *organization*.

    *organization* is an id or a subdomain from the body, or None. *base_domain* is in lower case.
    """
    mentions = tuple(mentions)
    labels = [(each.source, _label_of(each, base_domain)) for each in mentions if each.source in HOSTS]
    named = [label for source, label in labels if source is MentionSource.HOST and label is not None]
    confirming = [label for source, label in labels if source is MentionSource.FORWARDED_HOST and label is not None]
    ids = [find_id(each.text) for each in mentions if each.source not in HOSTS]
    own_id = find_id(organization) if organization is not None else None
    named += [organization.lower()] if organization is not None and own_id is None else []
    return NamedOrganization(
        ids=frozenset(each for each in (*ids, own_id) if each is not None),
        subdomains=frozenset(filter(is_subdomain, named)),
        confirming=frozenset(confirming),
        is_unreadable=None in ids or not all(map(is_subdomain, named)) or len(mentions) > MAX_MENTIONS,
    )


def _label_of(mention: Mention, base_domain: str) -> str | None:
    """Return the label of an organization's host, or None for any other host."""
    label = "" if len(mention.text) > MAX_HOST_CHARACTERS else find_label(mention.text, base_domain)
    return None if label in {BASE, *RESERVED_SUBDOMAINS} else label
