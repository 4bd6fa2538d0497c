"""The principal says whom a request is for; what else names an organization confirms it, or refuses the request."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import ForbiddenError, ForeignPathError, NotFoundError, Refusal, TenantMismatchError
from tenancy.events.event import parse_event
from tenancy.organization import RESERVED_SUBDOMAINS, Status
from tenancy.permissions import PERMISSIONS
from tenancy.resolution import (
    Decision,
    Mention,
    Outcome,
    Source,
    Verdict,
    find_organization_id,
    mentions_in,
    resolve,
)
from tenancy.tenant import Caller, CallerKind, Operator, Tenant
from tenancy.tiers import Tier
from tests.unit.single_events import RECEPTION, raw

BASE_DOMAIN = "attribution.example"
ACME = Tenant(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    subdomain="acme",
    tier=Tier.STARTER,
    status=Status.ACTIVE,
    scopes=PERMISSIONS,
    credential_id=UUID("0a000000-0000-4000-8000-0000000000c1"),
    kind=CallerKind.KEY,
)
GLOBEX = replace(ACME, organization_id=UUID("0b000000-0000-4000-8000-00000000000b"), subdomain="globex")
OPERATOR = Operator(credential_id=UUID("0c000000-0000-4000-8000-0000000000c2"))
DOMAINS = {"track.acme.example": ACME.organization_id, "track.globex.example": GLOBEX.organization_id}
OWN, OTHER = str(ACME.organization_id), str(GLOBEX.organization_id)
AGREES, NAMES_NOBODY, DISAGREES = Verdict.AGREES, Verdict.NAMES_NOBODY, Verdict.DISAGREES
IDS = (Source.HEADER, Source.PATH, Source.QUERY, Source.BODY)
HOSTS = (Source.HOST, Source.FORWARDED_HOST)


def decide(caller: Caller, *mentions: tuple[Source, str]) -> Decision:
    named = [Mention(source=source, text=text) for source, text in mentions]
    return resolve(caller, named, base_domain=BASE_DOMAIN, domain_owners=DOMAINS)


def verdict(caller: Caller, source: Source, text: str) -> Verdict:
    [step] = decide(caller, (source, text)).trace
    return step.verdict


def refusal(decision: Decision) -> Refusal | None:
    try:
        decision.require_accepted()
    except Refusal as refused:
        return refused
    return None


# ----------------------------------------------------------------------------------------------------------------- ids

SPELLINGS = {
    "canonical": (OWN, AGREES),
    "upper case": (OWN.upper(), AGREES),
    "mixed case": (OWN[:9].upper() + OWN[9:], AGREES),
    "another's": (OTHER, DISAGREES),
    "the platform's log": (str(UUID(int=0)), DISAGREES),
    "nothing": ("", DISAGREES),
    "a name": ("acme", DISAGREES),
    "no hyphens": (OWN.replace("-", ""), DISAGREES),
    "hyphens elsewhere": (OWN.replace("-", "")[:4] + "-" + OWN.replace("-", "")[4:], DISAGREES),
    "braces": (f"{{{OWN}}}", DISAGREES),
    "a URN": (f"urn:uuid:{OWN}", DISAGREES),
    "quotes": (f'"{OWN}"', DISAGREES),
    "a space": (f" {OWN}", DISAGREES),
    "a line break": (f"{OWN}\n", DISAGREES),
    "a NUL": (f"{OWN}\0", DISAGREES),
    "two": (f"{OWN},{OWN}", DISAGREES),
    "a wildcard": ("*", DISAGREES),
    "full-width digits": ("\uff10" + OWN[1:], DISAGREES),
    "an Arabic digit": ("\u0660" + OWN[1:], DISAGREES),
    "shortened": (OWN[:-1], DISAGREES),
    "null as a text": ("null", DISAGREES),
}


@pytest.mark.parametrize("source", IDS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_only_the_canonical_spelling_of_the_own_id_agrees_in_any_case(source: Source, spelling: str) -> None:
    text, expected = SPELLINGS[spelling]
    assert verdict(ACME, source, text) is expected


@given(st.text() | st.uuids().map(str) | st.sampled_from([OWN, OWN.upper(), OTHER]))
def test_an_id_is_its_canonical_text_or_none(text: str) -> None:
    found = find_organization_id(text)
    assert found is None or str(found) == text.lower()


@given(
    st.sampled_from([text for text, _ in SPELLINGS.values()])
    | st.uuids().map(str)
    | st.text(alphabet=st.characters(exclude_categories=("Cs",)))
)
def test_an_event_is_judged_by_the_same_rule_as_every_other_body(text: str) -> None:
    try:
        parse_event(raw(organization_id=text), RECEPTION)
    except TenantMismatchError as error:
        assert error.sources == ("body",)
        assert verdict(ACME, Source.BODY, text) is DISAGREES
    else:
        assert verdict(ACME, Source.BODY, text) is AGREES


# --------------------------------------------------------------------------------------------------------------- hosts

HOST_TABLE = {
    "acme.attribution.example": AGREES,
    "ACME.Attribution.EXAMPLE": AGREES,
    "acme.attribution.example.": AGREES,
    "acme.attribution.example:443": AGREES,
    "acme.attribution.example.:8443": AGREES,
    "acme.attribution.example:": AGREES,
    "track.acme.example": AGREES,
    "TRACK.acme.example.:443": AGREES,
    "": NAMES_NOBODY,
    "attribution.example": NAMES_NOBODY,
    "attribution.example.:443": NAMES_NOBODY,
    "api.attribution.example": NAMES_NOBODY,
    "API.attribution.example:443": NAMES_NOBODY,
    "www.attribution.example.": NAMES_NOBODY,
    "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com": NAMES_NOBODY,
    "localhost:3000": NAMES_NOBODY,
    "127.0.0.1": NAMES_NOBODY,
    "127.0.0.1:3000": NAMES_NOBODY,
    "[::1]": NAMES_NOBODY,
    "[2001:db8::1]:8443": NAMES_NOBODY,
    "globex.elsewhere.example": NAMES_NOBODY,
    "acmeattribution.example": NAMES_NOBODY,
    "acme.attribution.example.evil.example": NAMES_NOBODY,
    "elsewhere.track.globex.example": NAMES_NOBODY,
    "\u00fcber.example": NAMES_NOBODY,
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
    "acme.attribution.example\0": NAMES_NOBODY,
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


@pytest.mark.parametrize("source", HOSTS)
@pytest.mark.parametrize("host", HOST_TABLE, ids=ascii)
def test_below_the_base_domain_only_the_own_subdomain_agrees(source: Source, host: str) -> None:
    assert verdict(ACME, source, host) is HOST_TABLE[host]


@pytest.mark.parametrize("label", sorted(RESERVED_SUBDOMAINS))
def test_the_platforms_own_hosts_name_nobody(label: str) -> None:
    for caller in (ACME, OPERATOR):
        assert verdict(caller, Source.HOST, f"{label}.{BASE_DOMAIN}") is NAMES_NOBODY


@given(st.text() | st.text().map(lambda label: f"{label}.{BASE_DOMAIN}"), st.sampled_from(HOSTS))
def test_no_host_agrees_but_the_own_ones(host: str, source: Source) -> None:
    own = {"acme.attribution.example", "track.acme.example"}
    spelled = host.lower().partition(":")[0].removesuffix(".")
    assert (verdict(ACME, source, host) is AGREES) <= (spelled in own)
    if host.isascii() and host.lower().endswith(f".{BASE_DOMAIN}"):
        platforms = {BASE_DOMAIN} | {f"{label}.{BASE_DOMAIN}" for label in RESERVED_SUBDOMAINS}
        assert (verdict(ACME, source, host) is DISAGREES) == (host.lower() not in own | platforms)


@given(st.text())
def test_without_a_base_domain_no_host_is_ours(host: str) -> None:
    named = [Mention(source=Source.HOST, text=host)]
    assert resolve(ACME, named, base_domain="").outcome is Outcome.ACCEPTED


def test_a_custom_domain_that_nobody_has_verified_names_nobody() -> None:
    named = [Mention(source=Source.HOST, text="track.globex.example")]
    [step] = resolve(ACME, named, base_domain=BASE_DOMAIN).trace
    assert step.verdict is NAMES_NOBODY


# ------------------------------------------------------------------------------------------------------- the operator


@pytest.mark.parametrize("text", [OWN, "", "acme", OTHER])
def test_a_platform_key_together_with_the_header_is_forbidden(text: str) -> None:
    for decision in (
        decide(OPERATOR, (Source.HEADER, text)),
        decide(OPERATOR, (Source.PATH, OWN), (Source.HEADER, text)),
    ):
        assert decision.outcome is Outcome.FORBIDDEN
        refused = refusal(decision)
        assert isinstance(refused, ForbiddenError)
        assert (refused.status, refused.code, refused.sources) == (403, "forbidden", ())


@pytest.mark.parametrize("host", [host for host, judged in HOST_TABLE.items() if judged is not NAMES_NOBODY], ids=ascii)
def test_a_platform_key_on_a_tenants_host_is_forbidden(host: str) -> None:
    for source in HOSTS:
        assert decide(OPERATOR, (Source.PATH, OWN), (source, host)).outcome is Outcome.FORBIDDEN


@pytest.mark.parametrize("host", [host for host, judged in HOST_TABLE.items() if judged is NAMES_NOBODY], ids=ascii)
def test_a_platform_key_may_come_to_any_other_host(host: str) -> None:
    assert decide(OPERATOR, (Source.HOST, host)).outcome is Outcome.ACCEPTED


def test_the_path_selects_for_the_operator() -> None:
    for text in (OTHER, OTHER.upper()):
        decision = decide(OPERATOR, (Source.PATH, text))
        assert (decision.outcome, decision.organization_id) == (Outcome.ACCEPTED, GLOBEX.organization_id)
    assert decide(OPERATOR).organization_id is None


@pytest.mark.parametrize("text", ["x", "", OWN.replace("-", ""), f"urn:uuid:{OWN}"])
def test_a_path_of_the_operators_that_is_no_id_selects_nobody_and_is_the_routes_to_refuse(text: str) -> None:
    decision = decide(OPERATOR, (Source.PATH, text))
    assert (decision.outcome, decision.organization_id) == (Outcome.ACCEPTED, None)


@pytest.mark.parametrize("source", [Source.QUERY, Source.BODY])
def test_what_the_operator_names_beside_the_path_is_the_paths(source: Source) -> None:
    assert decide(OPERATOR, (Source.PATH, OWN), (source, OWN)).outcome is Outcome.ACCEPTED
    for mentions in ([(Source.PATH, OWN), (source, OTHER)], [(Source.PATH, "x"), (source, OWN)], [(source, OWN)]):
        refused = refusal(decide(OPERATOR, *mentions))
        assert isinstance(refused, TenantMismatchError)
        assert refused.sources == (source,)


def test_two_paths_select_nobody() -> None:
    decision = decide(OPERATOR, (Source.PATH, OWN), (Source.PATH, OTHER))
    assert (decision.outcome, decision.organization_id) == (Outcome.MISMATCH, None)


# ------------------------------------------------------------------------------------------------------------ decisions


@pytest.mark.parametrize("source", [source for source in Source if source is not Source.PATH])
def test_whatever_names_another_organization_is_a_mismatch_that_says_where(source: Source) -> None:
    text = f"globex.{BASE_DOMAIN}" if source in HOSTS else OTHER
    decision = decide(ACME, (Source.HEADER, OWN), (source, text), (source, text))
    assert (decision.outcome, decision.organization_id) == (Outcome.MISMATCH, ACME.organization_id)
    refused = refusal(decision)
    assert isinstance(refused, TenantMismatchError)
    assert (refused.status, refused.code, refused.sources) == (403, "tenant_mismatch", (source,))


@pytest.mark.parametrize("text", [OTHER, "0f000000-0000-4000-8000-00000000000f", "x"])
def test_a_tenant_on_anothers_path_learns_nothing_but_the_trail_does(text: str) -> None:
    refused = refusal(decide(ACME, (Source.HEADER, OTHER), (Source.PATH, text)))
    assert isinstance(refused, ForeignPathError)
    absent = NotFoundError("There is no such organization.")
    assert (refused.status, refused.code, refused.title, refused.detail) == (
        absent.status,
        absent.code,
        absent.title,
        absent.detail,
    )
    assert (refused.sources, absent.sources) == (("header", "path"), ())


def test_a_tenant_on_its_own_path_is_the_routes_to_judge() -> None:
    assert decide(ACME, (Source.PATH, OWN)).outcome is Outcome.ACCEPTED


def test_who_names_nobody_is_the_principal() -> None:
    decision = decide(ACME)
    assert (decision.outcome, decision.organization_id, decision.trace) == (Outcome.ACCEPTED, ACME.organization_id, ())
    assert refusal(decision) is None


MENTIONS = st.lists(
    st.tuples(
        st.sampled_from(Source),
        st.sampled_from([OWN, OTHER, OWN.upper(), "", "x", *HOST_TABLE]) | st.text(max_size=20),
    ),
    max_size=8,
)


@given(st.sampled_from([ACME, GLOBEX, OPERATOR]), MENTIONS)
def test_a_request_passes_exactly_when_no_mention_disagrees(caller: Caller, mentions: list[tuple[Source, str]]) -> None:
    decision = decide(caller, *mentions)
    assert [(step.mention.source, step.mention.text) for step in decision.trace] == mentions
    disagrees = any(step.verdict is DISAGREES for step in decision.trace)
    assert (decision.outcome is not Outcome.ACCEPTED) == disagrees == (refusal(decision) is not None)
    assert set(decision.disagreeing) == {step.mention.source for step in decision.trace if step.verdict is DISAGREES}
    if isinstance(caller, Tenant):
        assert decision.organization_id == caller.organization_id
        assert [step.verdict for step in decision.trace] == [verdict(caller, *mention) for mention in mentions]


@given(MENTIONS, MENTIONS)
def test_no_mention_makes_up_for_another(some: list[tuple[Source, str]], more: list[tuple[Source, str]]) -> None:
    if decide(ACME, *some).outcome is not Outcome.ACCEPTED:
        assert decide(ACME, *some, *more).outcome is not Outcome.ACCEPTED


# -------------------------------------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        (b'{"organization_id":"acme"}', ["acme"]),
        (b' {"a":[{"organization_id":"b"}],"organization_id":"acme"} ', ["acme"]),
        (b'{"\\u006frganization_id":"acme"}', ["acme"]),
        (b'{"organization_id":"\\u0061cme"}', ["acme"]),
        (b'{"organization_id":""}', [""]),
        (b'{"organization_id":5}', ["5"]),
        (b'{"organization_id":["acme"]}', ['["acme"]']),
        (b'{"organization_id":true}', ["true"]),
        (b'{"organization_id":"null"}', ["null"]),
        (b'{"organization_id":null}', []),
        (b'{"name":"acme"}', []),
        (b'{"nested":{"organization_id":"acme"}}', []),
        (b'{"Organization_ID":"acme"}', []),
        (b'[{"organization_id":"acme"}]', []),
        (b'"organization_id"', []),
        (b"5", []),
        (b"", []),
        (b'{"organization_id":', []),
        (b'{"organization_id":"\xff"}', []),
        (b'{"organization_id":"\\ud800"}', []),
        (b'{"organization_id":' + b"[" * 100_000, []),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_body_mentions_what_its_top_level_names(document: bytes, texts: list[str]) -> None:
    assert [(mention.source, mention.text) for mention in mentions_in(document)] == [
        (Source.BODY, text) for text in texts
    ]
