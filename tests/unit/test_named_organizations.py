"""The texts that name an organization: its canonical id and its own hosts."""

from contextlib import nullcontext
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenancy.errors import TenantMismatchError
from tenancy.rules.events.event import parse_event
from tenancy.rules.organization import RESERVED_SUBDOMAINS
from tenancy.rules.resolution import (
    MAX_MENTIONS,
    Mention,
    MentionSource,
    ResolutionOutcome,
    find_id,
    find_listed_mentions,
    find_mentions,
    resolve,
)
from tenancy.rules.tenant import Caller
from tests.members import for_each
from tests.unit.decisions import (
    ACME,
    AGREES,
    BASE_DOMAIN,
    DISAGREES,
    HOST_TABLE,
    HOSTS,
    IDS,
    NAMES_NO_ORGANIZATION,
    OPERATOR,
    OTHER,
    OWN,
    verdict,
)
from tests.unit.single_events import RECEPTION, raw

SPELLINGS = {
    "canonical": (OWN, AGREES),
    "upper case": (OWN.upper(), AGREES),
    "mixed case": (OWN[:9].upper() + OWN[9:], AGREES),
    "another id": (OTHER, DISAGREES),
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


@for_each("source", IDS)
@for_each("spelling", SPELLINGS)
def test_only_the_canonical_own_id_agrees(source: MentionSource, spelling: str) -> None:
    text, expected = SPELLINGS[spelling]
    assert verdict(ACME, source, text) is expected


@given(st.text() | st.uuids().map(str) | st.sampled_from([OWN, OWN.upper(), OTHER]))
def test_id_is_canonical_text_or_none(text: str) -> None:
    found = find_id(text)
    assert found is None or str(found) == text.lower()


@given(
    st.sampled_from([text for text, _ in SPELLINGS.values()])
    | st.uuids().map(str)
    | st.text(alphabet=st.characters(codec="utf-8"))
)
def test_events_follow_the_rule_of_other_bodies(text: str) -> None:
    expected = (
        pytest.raises(TenantMismatchError) if verdict(ACME, MentionSource.BODY, text) is DISAGREES else nullcontext()
    )

    with expected as refused:
        parse_event(raw(organization_id=text), RECEPTION)

    assert refused is None or refused.value.sources == ("body",)


# ---------------------------------------------------------------------------------------------------------------- hosts


@for_each("source", HOSTS)
@for_each("host", HOST_TABLE, ids=ascii)
def test_below_the_base_domain_only_the_own_subdomain_agrees(source: MentionSource, host: str) -> None:
    assert verdict(ACME, source, host) is HOST_TABLE[host]


@for_each("label", sorted(RESERVED_SUBDOMAINS))
def test_platform_hosts_name_no_organization(label: str) -> None:
    for caller in (ACME, OPERATOR):
        assert verdict(caller, MentionSource.HOST, f"{label}.{BASE_DOMAIN}") is NAMES_NO_ORGANIZATION


@pytest.mark.parametrize("label", ["mta-sts", "ns5", "www2"])
def test_organization_keeps_a_label_that_became_reserved(label: str) -> None:
    owner = replace(ACME, subdomain=label)

    assert verdict(owner, MentionSource.HOST, f"{label}.{BASE_DOMAIN}") is AGREES
    assert verdict(ACME, MentionSource.HOST, f"{label}.{BASE_DOMAIN}") is DISAGREES


@pytest.mark.parametrize("host", ["a." * 131 + "example", "\u0315\u0300" * 4000, "acme." * 60 + BASE_DOMAIN])
def test_longer_text_than_any_host_disagrees(host: str) -> None:
    assert verdict(ACME, MentionSource.FORWARDED_HOST, host) is DISAGREES


@pytest.mark.parametrize("caller", [ACME, OPERATOR])
def test_host_has_at_most_260_characters(caller: Caller) -> None:
    longest = f"{'a.' * 121}largest.example:44"

    assert verdict(caller, MentionSource.HOST, longest) is NAMES_NO_ORGANIZATION
    assert verdict(caller, MentionSource.HOST, f"a{longest}") is DISAGREES


@pytest.mark.parametrize("source", MentionSource)
def test_no_more_than_100_mentions_are_judged(source: MentionSource) -> None:
    own = Mention(source=source, text=f"acme.{BASE_DOMAIN}" if source in HOSTS else OWN)

    judged = resolve(ACME, [own] * 102, base_domain=BASE_DOMAIN).trace

    assert [step.verdict for step in judged] == [AGREES] * 100 + [DISAGREES] * 2


def test_mentions_after_the_hundredth_disagree() -> None:
    named = [Mention(source=MentionSource.FORWARDED_HOST, text=f"{number}.example") for number in range(101)]

    assert resolve(ACME, named[:100], base_domain=BASE_DOMAIN).disagreeing == ()
    assert resolve(ACME, named, base_domain=BASE_DOMAIN).disagreeing == (MentionSource.FORWARDED_HOST,)


@example(":.attribution.example", MentionSource.HOST)
@example("acme:.attribution.example", MentionSource.HOST)
@given(st.text() | st.text().map(lambda label: f"{label}.{BASE_DOMAIN}"), st.sampled_from(HOSTS))
def test_only_own_hosts_agree(host: str, source: MentionSource) -> None:
    own = {"acme.attribution.example", "track.acme.example"}
    spelled = host.lower().partition(":")[0].removesuffix(".")

    assert (verdict(ACME, source, host) is AGREES) <= (spelled in own)
    if host.isascii() and host.lower().endswith(f".{BASE_DOMAIN}"):
        platforms = {BASE_DOMAIN} | {f"{label}.{BASE_DOMAIN}" for label in RESERVED_SUBDOMAINS}
        assert (verdict(ACME, source, host) is DISAGREES) == (host.lower() not in own | platforms)


@given(st.text())
def test_without_a_base_domain_no_host_disagrees(host: str) -> None:
    named = [Mention(source=MentionSource.HOST, text=host)]
    assert resolve(ACME, named, base_domain="").outcome is ResolutionOutcome.ACCEPTED


def test_lookalike_letter_in_a_host_disagrees() -> None:
    kiwi = replace(ACME, subdomain="kiwi")

    for first, expected in (("k", AGREES), ("K", AGREES), ("\u212a", DISAGREES)):
        assert verdict(kiwi, MentionSource.HOST, f"{first}iwi.{BASE_DOMAIN}") is expected


def test_unverified_custom_domain_names_no_organization() -> None:
    named = [Mention(source=MentionSource.HOST, text="track.globex.example")]

    [step] = resolve(ACME, named, base_domain=BASE_DOMAIN).trace

    assert step.verdict is NAMES_NO_ORGANIZATION


# --------------------------------------------------------------------------------------------------------------- bodies


@for_each(
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
def test_top_level_member_of_a_body_is_a_mention(document: bytes, texts: list[str]) -> None:
    assert [(mention.source, mention.text) for mention in find_mentions(document)] == [
        (MentionSource.BODY, text) for text in texts
    ]


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        (b'{"ids":[{"organization_id":"acme"},{"organization_id":"acme"},{"organization_id":5}]}', ["acme", "5"]),
        (b'{"ids":[{"organization\\u005fid":"acme"}]}', ["acme"]),
        (b'{"ids":[5,null,[],"organization_id",{"organization_id":null}]}', []),
        (b'{"ids":{"organization_id":"acme"}}', []),
        (b'{"ids":[[{"organization_id":"acme"}]]}', []),
        (b'[{"organization_id":"acme"}]', []),
        (b'{"ids":[{"organization_id":', []),
        (b'{"organization_id":"\xff"}', []),
    ],
    ids=ascii,
)
def test_member_of_a_listed_object_is_a_mention(document: bytes, texts: list[str]) -> None:
    assert [mention.text for mention in find_listed_mentions(document)] == texts


def test_mentions_of_listed_objects_are_bounded() -> None:
    listed = b",".join(b'{"organization_id":"%d"}' % number for number in range(2 * MAX_MENTIONS))

    assert len(find_listed_mentions(b'{"ids":[%b]}' % listed)) == MAX_MENTIONS + 1
