"""Resolve the organization of a request.

The credential decides. Other parts of the request that name an organization (mentions) may only confirm it
(docs/api.md, "Who a request is for"; docs/decisions/0001-principal-first.md).
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from itertools import chain, islice, repeat
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec

from tenancy.errors import ForbiddenError, ForeignPathError, TenantMismatchError
from tenancy.rules.host_names import (
    BASE,
    MAX_HOST_CHARACTERS,
    PlatformHosts,
    find_custom_name,
    read_host,
    spelled_name,
)
from tenancy.rules.json_members import ESCAPE, JSON_NULL
from tenancy.rules.organization import RESERVED_SUBDOMAINS
from tenancy.rules.tenant import Caller, Operator

ORGANIZATION_MEMBER: Final = "organization_id"  # in a query, body, event and path
CANONICAL_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEPT_IDS: Final = 1_000
MAX_MENTIONS: Final = 100
MEMBER_BYTES: Final = ORGANIZATION_MEMBER.encode()
UNICODE_ESCAPE: Final = b"\\u"  # a JSON member name may have escapes
NO_DOMAINS: Final[Mapping[str, UUID]] = MappingProxyType({})


class MentionSource(StrEnum):
    """The part of a request that names an organization."""

    HEADER = "header"
    HOST = "host"
    FORWARDED_HOST = "forwarded_host"
    PATH = "path"
    QUERY = "query"
    BODY = "body"


HOSTS: Final = frozenset({MentionSource.HOST, MentionSource.FORWARDED_HOST})


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a request that may name an organization, and its *text*."""

    source: MentionSource
    text: str


class MentionVerdict(StrEnum):
    """The result of comparing a mention with the organization of the request."""

    AGREES = "agrees"
    NAMES_NO_ORGANIZATION = "names_no_organization"
    DISAGREES = "disagrees"


class JudgedMention(msgspec.Struct, frozen=True, kw_only=True):
    """A mention and its verdict."""

    mention: Mention
    verdict: MentionVerdict


class ResolutionOutcome(StrEnum):
    """The result for the request.

    It is ACCEPTED if and only if no mention disagrees.
    """

    ACCEPTED = "accepted"
    MISMATCH = "mismatch"
    FOREIGN_PATH = "foreign_path"
    FORBIDDEN = "forbidden"


class _Named(msgspec.Struct, frozen=True):
    organization_id: msgspec.Raw = msgspec.Raw(JSON_NULL)


_decoder: Final = msgspec.json.Decoder(_Named)
_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """The organization of a request.

    *trace* has the verdict of each mention, in order. *organization_id* is that of the tenant's credential. For an
    operator it is the one in the path, or None.
    """

    outcome: ResolutionOutcome
    organization_id: UUID | None
    trace: tuple[JudgedMention, ...]
    is_operators: bool = False

    @property
    def disagreeing(self) -> tuple[MentionSource, ...]:
        """The sources that name another organization, each once."""
        found = (step.mention.source for step in self.trace if step.verdict is MentionVerdict.DISAGREES)
        return tuple(dict.fromkeys(found))

    def require_accepted(self) -> None:
        """Raise the refusal if a mention disagrees.

        Raises:
            TenantMismatchError: a mention names another organization than the credential.
            ForeignPathError: a tenant's request has another organization in its path, or one that does not exist.
            ForbiddenError: a platform key is used with `X-Organization-ID` or on a tenant's host.
        """
        sources = self.disagreeing
        match self.outcome:
            case ResolutionOutcome.MISMATCH:
                named = ", ".join(source.replace("_", " ") for source in sources)
                raise TenantMismatchError(f"{self._describe_mismatch(named)} Remove or correct it.", sources)
            case ResolutionOutcome.FOREIGN_PATH:
                raise ForeignPathError(sources)
            case ResolutionOutcome.FORBIDDEN:
                raise ForbiddenError(
                    "A request with a platform key must name the organization in the path, "
                    "not in X-Organization-ID or Host."
                )

    def _describe_mismatch(self, named: str) -> str:
        if not self.is_operators:
            return f"The request names a different organization than its credential in: {named}."
        if self.organization_id is not None:
            return f"The request names a different organization than its path in: {named}."
        return (
            f"The request names an organization in: {named}. A platform key has no organization of its own, and names "
            "one only in the path."
        )


def resolve(
    caller: Caller,
    mentions: Iterable[Mention],
    *,
    base_domain: str,
    domain_owners: Mapping[str, UUID] = NO_DOMAINS,
) -> Resolution:
    """Resolve the organization of a request of *caller* with these *mentions*.

    *base_domain* is in lower case. *domain_owners* has the verified custom domains (ASCII, lower case). Mentions after
    the first 100 disagree, because no client needs so many and each costs time.
    """
    mentions = tuple(mentions)
    selected = _select(mentions) if isinstance(caller, Operator) else caller.organization_id

    def judge(mention: Mention) -> MentionVerdict:
        if mention.source in HOSTS:
            return _judge_host(caller, mention.text, base_domain, domain_owners)
        named = find_id(mention.text)
        if isinstance(caller, Operator):
            if mention.source is MentionSource.HEADER:
                return MentionVerdict.DISAGREES
            if mention.source is MentionSource.PATH and named is None:
                return MentionVerdict.NAMES_NO_ORGANIZATION  # the route refuses it with a better message
        return MentionVerdict.AGREES if named is not None and named == selected else MentionVerdict.DISAGREES

    verdicts = chain(map(judge, mentions[:MAX_MENTIONS]), repeat(MentionVerdict.DISAGREES))
    trace = tuple(
        JudgedMention(mention=mention, verdict=verdict) for mention, verdict in zip(mentions, verdicts, strict=False)
    )
    disagreeing = {step.mention.source for step in trace if step.verdict is MentionVerdict.DISAGREES}
    return Resolution(
        outcome=_outcome(caller, disagreeing),
        organization_id=selected,
        trace=trace,
        is_operators=isinstance(caller, Operator),
    )


def find_id(text: str) -> UUID | None:
    """Return *text* as an id if it is the canonical spelling in any case, else None.

    Ids of organizations, and all other ids in a path, have one spelling. So every part of the code reads the same id.
    """
    canonical = text.lower()
    return _parse_id(canonical) if CANONICAL_ID.fullmatch(canonical) else None


_parse_id: Final = lru_cache(KEPT_IDS)(UUID)


def list_custom_names(mentions: Iterable[Mention], hosts: PlatformHosts) -> list[str]:
    """Return the hosts in *mentions* that may be custom domains, by their name, each once."""
    names: list[str] = []
    for each in mentions:  # no generator and no hash of a source: nearly each request has one host, of the platform
        if each.source is MentionSource.HOST or each.source is MentionSource.FORWARDED_HOST:
            name = find_custom_name(each.text, hosts)
            if name is not None and name not in names:
                names.append(name)
    return names


def find_mentions(document: bytes) -> tuple[Mention, ...]:
    """Return the mention in a JSON *document*: `organization_id` at its top level.

    A value that is no string is a mention too. null is none. Invalid JSON has none, because its parser refuses it.
    """
    if MEMBER_BYTES not in document and (ESCAPE not in document or UNICODE_ESCAPE not in document):
        return ()
    try:
        return find_body_mention(_decoder.decode(document).organization_id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def find_listed_mentions(document: bytes) -> tuple[Mention, ...]:
    """Return the mentions in objects of lists at the top level of a JSON *document*, each text once.

    At most `MAX_MENTIONS` and one more are returned.
    """
    if MEMBER_BYTES not in document and UNICODE_ESCAPE not in document:
        return ()
    try:
        lists = [bytes(value) for value in _members_decoder.decode(document).values() if bytes(value)[:1] == b"["]
        items = (bytes(item) for each in lists for item in _list_decoder.decode(each))
        found = (mention for item in items for mention in find_mentions(item))
        return tuple(islice(dict.fromkeys(found), MAX_MENTIONS + 1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def find_body_mention(value: msgspec.Raw) -> tuple[Mention, ...]:
    """Return the mention in *value*, the member `organization_id` of a body.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: *value* is no JSON.
    """
    text = bytes(value)
    if text == JSON_NULL:
        return ()
    named = msgspec.json.decode(text) if text.startswith(b'"') else text.decode()
    return (Mention(source=MentionSource.BODY, text=named),)


def _select(mentions: tuple[Mention, ...]) -> UUID | None:
    """Return the organization in the path, None for none or several."""
    named = {find_id(mention.text) for mention in mentions if mention.source is MentionSource.PATH} - {None}
    return named.pop() if len(named) == 1 else None


def _outcome(caller: Caller, disagreeing: set[MentionSource]) -> ResolutionOutcome:
    if not disagreeing:
        return ResolutionOutcome.ACCEPTED
    if isinstance(caller, Operator):
        return (
            ResolutionOutcome.FORBIDDEN if disagreeing & {MentionSource.HEADER, *HOSTS} else ResolutionOutcome.MISMATCH
        )
    return ResolutionOutcome.FOREIGN_PATH if MentionSource.PATH in disagreeing else ResolutionOutcome.MISMATCH


def _judge_host(caller: Caller, text: str, base_domain: str, domain_owners: Mapping[str, UUID]) -> MentionVerdict:
    """Judge a host name.

    Below the base domain a host disagrees unless it is the caller's own or one of the platform's. A longer text than
    any host disagrees, because to normalize it can take quadratic time.
    """
    if len(text) > MAX_HOST_CHARACTERS:
        return MentionVerdict.DISAGREES
    organization_id, subdomain = (
        (None, None) if isinstance(caller, Operator) else (caller.organization_id, caller.subdomain)
    )
    label, name = read_host(text, base_domain)
    if label is not None:
        is_platforms = label == BASE or label in RESERVED_SUBDOMAINS
        verdict = MentionVerdict.AGREES if label == subdomain else MentionVerdict.DISAGREES
        return MentionVerdict.NAMES_NO_ORGANIZATION if is_platforms else verdict
    owner = domain_owners.get(name)
    if owner is None:
        return MentionVerdict.NAMES_NO_ORGANIZATION
    is_own = owner == organization_id and spelled_name(text) == name
    return MentionVerdict.AGREES if is_own else MentionVerdict.DISAGREES
