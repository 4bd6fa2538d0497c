"""Whom a request is for: the principal says it, and whatever else names an organization may only confirm it.

Architecture, decision 1. Pure: values in, a decision with its trace out (docs/api.md, "Who a request is for").
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec

from tenancy.errors import ForbiddenError, ForeignPathError, TenantMismatchError
from tenancy.rules.organization import RESERVED_SUBDOMAINS
from tenancy.rules.tenant import Caller, Operator

ORGANIZATION_MEMBER: Final = "organization_id"  # in a query, a body, an event, and as a part of a path
CANONICAL_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HOST: Final = re.compile(r"([^:]*?)\.?(?::[0-9]{0,5})?")  # a name, one trailing dot, a port
IDEOGRAPHIC_FULL_STOP: Final = "\u3002"  # IDNA reads it as a dot (RFC 3490, 3.1)
MEMBER_BYTES: Final = ORGANIZATION_MEMBER.encode()
NULL: Final = b"null"
ESCAPE: Final = b"\\u"  # a member's name may be written in escapes
NO_DOMAINS: Final[Mapping[str, UUID]] = MappingProxyType({})


class MentionSource(StrEnum):
    """Where in a request an organization is named."""

    HEADER = "header"
    HOST = "host"
    FORWARDED_HOST = "forwarded_host"
    PATH = "path"
    QUERY = "query"
    BODY = "body"


HOSTS: Final = frozenset({MentionSource.HOST, MentionSource.FORWARDED_HOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One place that may name an organization, and the *text* that stands there."""

    source: MentionSource
    text: str


class MentionVerdict(StrEnum):
    """What a mention says about the organization that the request is for."""

    AGREES = "agrees"
    NAMES_NOBODY = "names_nobody"
    DISAGREES = "disagrees"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMention:
    """A mention, and how it was judged."""

    mention: Mention
    verdict: MentionVerdict


class ResolutionOutcome(StrEnum):
    """What becomes of the request: it is accepted if and only if no mention disagrees."""

    ACCEPTED = "accepted"
    MISMATCH = "mismatch"
    FOREIGN_PATH = "foreign_path"
    FORBIDDEN = "forbidden"


class _Named(msgspec.Struct, frozen=True):
    organization_id: msgspec.Raw = msgspec.Raw(NULL)


_decoder: Final = msgspec.json.Decoder(_Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Whom a request is for, and why: *trace* has one step for each mention, in their order.

    *organization_id* is the tenant's own; the operator's is the one that the path selects, None without one.
    """

    outcome: ResolutionOutcome
    organization_id: UUID | None
    trace: tuple[JudgedMention, ...]

    @property
    def disagreeing(self) -> tuple[MentionSource, ...]:
        """Where another organization is named, each source once."""
        found = (step.mention.source for step in self.trace if step.verdict is MentionVerdict.DISAGREES)
        return tuple(dict.fromkeys(found))

    def require_accepted(self) -> None:
        """Let the request pass when nothing disagrees.

        Raises:
            TenantMismatchError: something names another organization than the credential's.
            ForeignPathError: the path of a tenant's request is another's, or nobody's.
            ForbiddenError: a platform key with `X-Organization-ID`, or on a tenant's host.
        """
        sources = self.disagreeing
        match self.outcome:
            case ResolutionOutcome.MISMATCH:
                named = ", ".join(source.replace("_", " ") for source in sources)
                raise TenantMismatchError(f"Another organization than the credential's is named by: {named}.", sources)
            case ResolutionOutcome.FOREIGN_PATH:
                raise ForeignPathError(sources)
            case ResolutionOutcome.FORBIDDEN:
                raise ForbiddenError("A platform key names its organization in the path, not by a header or a host.")


def resolve(
    caller: Caller,
    mentions: Iterable[Mention],
    *,
    base_domain: str,
    domain_owners: Mapping[str, UUID] = NO_DOMAINS,
) -> Resolution:
    """Decide whom the request of *caller* is for.

    *base_domain* is in lower case; *domain_owners* are the verified custom domains (ASCII, in lower case).
    """
    mentions = tuple(mentions)
    selected = _select(mentions) if isinstance(caller, Operator) else caller.organization_id

    def judge(mention: Mention) -> MentionVerdict:
        if mention.source in HOSTS:
            return _judge_host(caller, mention.text, base_domain, domain_owners)
        named = find_organization_id(mention.text)
        if isinstance(caller, Operator):
            if mention.source is MentionSource.HEADER:
                return MentionVerdict.DISAGREES
            if mention.source is MentionSource.PATH and named is None:
                return MentionVerdict.NAMES_NOBODY  # the route says what is wrong with it
        return MentionVerdict.AGREES if named is not None and named == selected else MentionVerdict.DISAGREES

    trace = tuple(JudgedMention(mention=mention, verdict=judge(mention)) for mention in mentions)
    disagreeing = {step.mention.source for step in trace if step.verdict is MentionVerdict.DISAGREES}
    return Resolution(outcome=_outcome(caller, disagreeing), organization_id=selected, trace=trace)


def find_organization_id(text: str) -> UUID | None:
    """Return the id that *text* is in its canonical spelling, in any case; None for every other spelling."""
    canonical = text.lower()
    return UUID(canonical) if CANONICAL_ID.fullmatch(canonical) else None


def find_mentions(document: bytes) -> tuple[Mention, ...]:
    """Return whom a JSON *document* names at its top level: nobody, unless it is an object with `organization_id`.

    A value that is no string is a mention, too, null is none. What is no JSON names nobody: its reader refuses it.
    """
    if MEMBER_BYTES not in document and ESCAPE not in document:
        return ()
    try:
        value = bytes(_decoder.decode(document).organization_id)
        if value == NULL:
            return ()
        text = msgspec.json.decode(value) if value.startswith(b'"') else value.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return (Mention(source=MentionSource.BODY, text=text),)


def _select(mentions: tuple[Mention, ...]) -> UUID | None:
    """Return the organization that the path names, None when it names none, or two."""
    named = {find_organization_id(mention.text) for mention in mentions if mention.source is MentionSource.PATH} - {
        None
    }
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
    """Judge a `Host`: below the base domain, whatever is not the caller's own or the platform's disagrees."""
    organization_id, subdomain = (
        (None, None) if isinstance(caller, Operator) else (caller.organization_id, caller.subdomain)
    )
    found = HOST.fullmatch(text) if text.isascii() else None
    name, readings = found[1].lower() if found else "", _read_generously(text)
    if base_domain and any(f".{reading}".endswith(f".{base_domain}") for reading in readings):
        label = name.removesuffix(f".{base_domain}")
        if name == base_domain or label in RESERVED_SUBDOMAINS:
            return MentionVerdict.NAMES_NOBODY
        return MentionVerdict.AGREES if label == subdomain else MentionVerdict.DISAGREES
    owner = domain_owners.get(readings[0])
    if owner is None:
        return MentionVerdict.NAMES_NOBODY
    return MentionVerdict.AGREES if owner == organization_id and name == readings[0] else MentionVerdict.DISAGREES


def _read_generously(text: str) -> tuple[str, str]:
    """Return the names that anyone may read in *text*: in lower case, as IDNA maps it, without final dots.

    First without a port, then as a whole: what stands behind a colon may be none.
    """
    name = unicodedata.normalize("NFKC", text).replace(IDEOGRAPHIC_FULL_STOP, ".").lower()
    return name.partition(":")[0].strip().rstrip("."), name.strip().rstrip(".")
