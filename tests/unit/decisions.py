"""Two organizations and an operator, their resolutions, and the hosts of acme."""

from dataclasses import replace
from uuid import UUID

from tenancy.errors import Refusal
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.resolution import Mention, MentionSource, MentionVerdict, Resolution, resolve
from tenancy.rules.tenant import Caller, CallerKind, Operator, Tenant

BASE_DOMAIN = "attribution.example"
ACME = Tenant(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    subdomain="acme",
    scopes=PERMISSIONS,
    credential_id=UUID("0a000000-0000-4000-8000-0000000000c1"),
    kind=CallerKind.KEY,
)
GLOBEX = replace(ACME, organization_id=UUID("0b000000-0000-4000-8000-00000000000b"), subdomain="globex")
OPERATOR = Operator(credential_id=UUID("0c000000-0000-4000-8000-0000000000c2"))
DOMAINS = {"track.acme.example": ACME.organization_id, "track.globex.example": GLOBEX.organization_id}
OWN, OTHER = str(ACME.organization_id), str(GLOBEX.organization_id)
AGREES, NAMES_NO_ORGANIZATION, DISAGREES = (
    MentionVerdict.AGREES,
    MentionVerdict.NAMES_NO_ORGANIZATION,
    MentionVerdict.DISAGREES,
)
IDS = (MentionSource.HEADER, MentionSource.PATH, MentionSource.QUERY, MentionSource.BODY)
HOSTS = (MentionSource.HOST, MentionSource.FORWARDED_HOST)


def decide(caller: Caller, *mentions: tuple[MentionSource, str]) -> Resolution:
    named = [Mention(source=source, text=text) for source, text in mentions]
    return resolve(caller, named, base_domain=BASE_DOMAIN, domain_owners=DOMAINS)


def verdict(caller: Caller, source: MentionSource, text: str) -> MentionVerdict:
    [step] = decide(caller, (source, text)).trace
    return step.verdict


def refusal(decision: Resolution) -> Refusal | None:
    try:
        decision.require_accepted()
    except Refusal as refused:
        return refused
    return None


HOST_TABLE = {
    "acme.attribution.example": AGREES,
    "ACME.Attribution.EXAMPLE": AGREES,
    "acme.attribution.example.": AGREES,
    "acme.attribution.example:443": AGREES,
    "acme.attribution.example.:8443": AGREES,
    "acme.attribution.example:": AGREES,
    "track.acme.example": AGREES,
    "TRACK.acme.example.:443": AGREES,
    "": NAMES_NO_ORGANIZATION,
    "attribution.example": NAMES_NO_ORGANIZATION,
    "attribution.example.:443": NAMES_NO_ORGANIZATION,
    "api.attribution.example": NAMES_NO_ORGANIZATION,
    "API.attribution.example:443": NAMES_NO_ORGANIZATION,
    "www.attribution.example.": NAMES_NO_ORGANIZATION,
    "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com": NAMES_NO_ORGANIZATION,
    "localhost:3000": NAMES_NO_ORGANIZATION,
    "127.0.0.1": NAMES_NO_ORGANIZATION,
    "127.0.0.1:3000": NAMES_NO_ORGANIZATION,
    "[::1]": NAMES_NO_ORGANIZATION,
    "[2001:db8::1]:8443": NAMES_NO_ORGANIZATION,
    "globex.elsewhere.example": NAMES_NO_ORGANIZATION,
    "acmeattribution.example": NAMES_NO_ORGANIZATION,
    "acme.attribution.example.evil.example": NAMES_NO_ORGANIZATION,
    "elsewhere.track.globex.example": NAMES_NO_ORGANIZATION,
    "\u00fcber.example": NAMES_NO_ORGANIZATION,
    "globex.attribution.example": DISAGREES,
    "GLOBEX.attribution.example.:443": DISAGREES,
    "nobody.attribution.example": DISAGREES,
    "a.acme.attribution.example": DISAGREES,
    "acme.api.attribution.example": DISAGREES,
    "api.acme.attribution.example": DISAGREES,
    "xn--acme-9x.attribution.example": DISAGREES,
    "\uff41cme.attribution.example": DISAGREES,
    "acme.\uff41ttribution.example": DISAGREES,
    "acme\uff0eattribution.example": DISAGREES,
    "acme\u3002attribution.example": DISAGREES,
    "acme.attribution.examp\u2113e": DISAGREES,
    "\u212aiwi.attribution.example": DISAGREES,
    ".attribution.example": DISAGREES,
    "..attribution.example": DISAGREES,
    "acme..attribution.example": DISAGREES,
    "api..attribution.example": DISAGREES,
    "acme.attribution.example..": DISAGREES,
    "api.attribution.example..": DISAGREES,
    "attribution.example..": DISAGREES,
    "-acme.attribution.example": DISAGREES,
    "acme .attribution.example": DISAGREES,
    "acme.attribution.example\n": DISAGREES,
    "acme.attribution.example\0": NAMES_NO_ORGANIZATION,
    "acme.attribution.example:https": DISAGREES,
    "acme.attribution.example:443:443": DISAGREES,
    "acme.attribution.example:123456": DISAGREES,
    "acme.attribution.example:\u0664\u0664": DISAGREES,
    "globex@acme.attribution.example": DISAGREES,
    "*.attribution.example": DISAGREES,
    "track.globex.example": DISAGREES,
    "Track.Globex.Example.:443": DISAGREES,
    "track.globex.example..": DISAGREES,
    "track.acme.example..": DISAGREES,
    "track.globex.exampl\uff45": DISAGREES,
}
