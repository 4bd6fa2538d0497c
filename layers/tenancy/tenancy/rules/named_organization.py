"""The organization that a public request names.

A public request has no caller, so header, host, query and body select the organization. All of them must agree. On
every other route they only confirm the organization of the credential (resolution.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tenancy.rules.host_names import (
    BASE,
    MAX_HOST_CHARACTERS,
    PlatformHosts,
    find_label,
    read_host,
    spelled_name,
)
from tenancy.rules.organization import RESERVED_SUBDOMAINS, is_subdomain
from tenancy.rules.resolution import HOSTS, MAX_MENTIONS, Mention, MentionSource, find_id, list_custom_names


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOrganization:
    """The names of organizations in a public request.

    *domains* are hosts that may be custom domains. *confirming* subdomains and *confirming_domains* come from a
    forwarded host, which selects no organization. *is_unreadable* tells that a name is neither an id nor a subdomain.
    """

    ids: frozenset[UUID] = frozenset()
    subdomains: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    confirming: frozenset[str] = frozenset()
    confirming_domains: frozenset[str] = frozenset()
    is_unreadable: bool = False

    @property
    def is_missing(self) -> bool:
        """Whether the request names no organization.

        A host that may be a custom domain is a name, also if no organization has it. So it is answered as the domain of
        an organization that may not log in.
        """
        return not (self.ids or self.subdomains or self.domains or self.is_unreadable)

    @property
    def is_empty(self) -> bool:
        """Whether the request has no name at all, not even one that only confirms."""
        return self.is_missing and not self.confirming and not self.confirming_domains

    @property
    def all_domains(self) -> frozenset[str]:
        """The hosts that may be custom domains."""
        return self.domains | self.confirming_domains

    def selects(self, owned: Iterable[str]) -> bool:
        """Tell whether a name selects the organization with the custom domains *owned*, or another one does."""
        return bool(self.ids or self.subdomains or self.domains.intersection(owned))

    def agrees(self, organization_id: UUID, subdomain: str) -> bool:
        """Tell whether each name is one of the organization's."""
        names = self.subdomains | self.confirming
        return not self.is_unreadable and self.ids <= {organization_id} and names <= {subdomain}


def read_names(mentions: Iterable[Mention], *, organization: str | None, hosts: PlatformHosts) -> NamedOrganization:
    """Return the names in *mentions* and in *organization*.

    *organization* is an id or a subdomain from the body, or None. *hosts* are those of the platform.
    """
    mentions = tuple(mentions)
    labels = [(each.source, _label_of(each, hosts.base_domain)) for each in mentions if each.source in HOSTS]
    domains = frozenset(list_custom_names(filter(_is_selecting, mentions), hosts))
    named = [label for source, label in labels if source is MentionSource.HOST and label is not None]
    confirming = [label for source, label in labels if source is MentionSource.FORWARDED_HOST and label is not None]
    ids = [find_id(each.text) for each in mentions if each.source not in HOSTS]
    own_id = find_id(organization) if organization is not None else None
    named += [organization.lower()] if organization is not None and own_id is None else []
    return NamedOrganization(
        ids=frozenset(each for each in (*ids, own_id) if each is not None),
        subdomains=frozenset(filter(is_subdomain, named)),
        domains=domains,
        confirming=frozenset(confirming),
        confirming_domains=frozenset(list_custom_names(mentions, hosts)) - domains,
        is_unreadable=None in ids or not all(map(is_subdomain, named)) or len(mentions) > MAX_MENTIONS,
    )


def names_organization(host: str, hosts: PlatformHosts) -> bool:
    """Tell whether *host* alone names an organization, which may not exist."""
    mention = Mention(source=MentionSource.HOST, text=host)
    return not read_names((mention,), organization=None, hosts=hosts).is_missing


def _is_selecting(mention: Mention) -> bool:
    """Tell whether *mention* is a host that all software reads alike."""
    return mention.source is MentionSource.HOST and spelled_name(mention.text) == read_host(mention.text, "")[1]


def _label_of(mention: Mention, base_domain: str) -> str | None:
    """Return the label of an organization's host, or None for any other host."""
    label = "" if len(mention.text) > MAX_HOST_CHARACTERS else find_label(mention.text, base_domain)
    return None if label in {BASE, *RESERVED_SUBDOMAINS} else label
