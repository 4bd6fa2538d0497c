"""Which credential a request carries; header and host confirm it, and never name a tenant by themselves."""

import base64
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.api_keys import ApiKey, KeyType, generate_key
from tenancy.errors import ForbiddenError, TenantMismatchError, UnauthenticatedError
from tenancy.identification import (
    MAX_CREDENTIAL_CHARACTERS,
    Jwt,
    confirm_tenant,
    find_basic_key,
    find_subdomain,
    parse_authorization,
)
from tenancy.organization import Status
from tenancy.permissions import PERMISSIONS
from tenancy.tenant import Operator, Tenant
from tenancy.tiers import Tier

BASE_DOMAIN = "attribution.example"
WRITE, SECRET, PLATFORM = (generate_key(key_type) for key_type in (KeyType.WRITE, KeyType.SECRET, KeyType.PLATFORM))
ACME = Tenant(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    subdomain="acme",
    tier=Tier.STARTER,
    status=Status.ACTIVE,
    scopes=PERMISSIONS,
    credential_id=UUID("0a000000-0000-4000-8000-0000000000c1"),
)
GLOBEX = replace(ACME, organization_id=UUID("0b000000-0000-4000-8000-00000000000b"), subdomain="globex")
OPERATOR = Operator(credential_id=UUID("0c000000-0000-4000-8000-0000000000c2"))


def basic(user_name: str) -> str:
    return base64.b64encode(user_name.encode()).decode()


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        (f"Bearer {WRITE.text}", WRITE),
        (f"Bearer {SECRET.text}", SECRET),
        (f"Bearer {PLATFORM.text}", PLATFORM),
        (f"bearer {SECRET.text}", SECRET),
        (f"BEARER   {SECRET.text}  ", SECRET),
        (f"Basic {basic(WRITE.text + ':')}", WRITE),
        (f"Basic {basic(WRITE.text)}", WRITE),
        (f"Basic {basic(WRITE.text + ':anything')}", WRITE),
        (f"basic {basic(WRITE.text + ':')}", WRITE),
        ("Bearer a.b.c", Jwt("a.b.c")),
        ("Bearer", Jwt("")),
    ],
)
def test_a_credential_is_found_by_its_scheme(header: str, credential: ApiKey | Jwt) -> None:
    assert parse_authorization(header) == credential


MALFORMED = [
    "",
    " ",
    WRITE.text,
    f"Token {WRITE.text}",
    f" Bearer {WRITE.text}",
    f"Bearer\t{WRITE.text}",
    f"Bearer {WRITE.text[:-1]}",
    f"Bearer {WRITE.text[:-1]}é",
    f"Bearer wk_{SECRET.text[3:]}",
    f"Bearer {WRITE.text} {WRITE.text}",
    "Bearer pk_",
    "Bearer sk_' OR 1=1 --",
    "Basic",
    "Basic ====",
    "Basic not base64",
    "Basic é",
    f"Basic {WRITE.text}",
    f"Basic {basic('')}",
    f"Basic {basic(':' + WRITE.text)}",
    f"Basic {basic(WRITE.text + chr(10) + ':')}",
    f"Basic {basic(SECRET.text + ':')}",
    f"Basic {basic(PLATFORM.text + ':')}",
    f"Basic {base64.b64encode(bytes([0xFF, 0xFE])).decode()}",
    f"Digest username={WRITE.text}",
    "Bearer " + "A" * (MAX_CREDENTIAL_CHARACTERS + 1),
    f"Basic {basic(WRITE.text + ':' + 'x' * MAX_CREDENTIAL_CHARACTERS)}",
]


@pytest.mark.parametrize("header", MALFORMED, ids=lambda header: repr(header[:24]))
def test_a_malformed_authorization_is_unauthenticated(header: str) -> None:
    with pytest.raises(UnauthenticatedError):
        parse_authorization(header)


@given(st.text())
def test_every_authorization_is_a_credential_or_unauthenticated(text: str) -> None:
    for header in (text, f"Basic {text}", f"Bearer {text}", f"Bearer wk_{text}"):
        try:
            credential = parse_authorization(header)
        except UnauthenticatedError:
            continue
        assert isinstance(credential, Jwt)


def test_only_a_write_key_comes_as_a_user_name() -> None:
    assert find_basic_key(basic(f"{WRITE.text}:")) == WRITE
    assert find_basic_key(basic("acme:secret")) is None


def test_a_token_does_not_show_itself() -> None:
    assert "secret" not in repr(Jwt("secret.secret.secret"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-organization-id": str(ACME.organization_id)},
        {"x-organization-id": f" {str(ACME.organization_id).upper()} "},
        {"host": "acme.attribution.example"},
        {"host": "ACME.Attribution.Example."},
        {"host": "acme.attribution.example:443"},
        {"host": "api.attribution.example"},
        {"host": "attribution.example"},
        {"host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"},
        {"host": "globex.elsewhere.example"},
        {"host": "127.0.0.1:3000"},
        {"host": ""},
        {"host": "acme.attribution.example", "x-organization-id": str(ACME.organization_id)},
    ],
    ids=str,
)
def test_header_and_host_confirm_the_credential(headers: dict[str, str]) -> None:
    confirm_tenant(ACME, headers, BASE_DOMAIN)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-organization-id": str(GLOBEX.organization_id)},
        {"x-organization-id": "acme"},
        {"x-organization-id": ""},
        {"x-organization-id": str(ACME.organization_id).replace("-", "")},
        {"x-organization-id": f"{ACME.organization_id}, {GLOBEX.organization_id}"},
        {"x-organization-id": "\uff10" + str(ACME.organization_id)[1:]},
        {"host": "globex.attribution.example"},
        {"host": "unknown.attribution.example"},
        {"host": "globex.attribution.example", "x-organization-id": str(ACME.organization_id)},
        {"host": "acme.attribution.example", "x-organization-id": str(GLOBEX.organization_id)},
    ],
    ids=str,
)
def test_whatever_names_another_organization_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(TenantMismatchError) as refusal:
        confirm_tenant(ACME, headers, BASE_DOMAIN)
    assert (refusal.value.status, refusal.value.code) == (403, "tenant_mismatch")


@pytest.mark.parametrize("named", [str(ACME.organization_id), ""])
def test_a_platform_key_together_with_the_header_is_forbidden(named: str) -> None:
    with pytest.raises(ForbiddenError) as refusal:
        confirm_tenant(OPERATOR, {"x-organization-id": named}, BASE_DOMAIN)
    assert (refusal.value.status, refusal.value.code) == (403, "forbidden")


def test_a_platform_key_may_come_to_any_host() -> None:
    confirm_tenant(OPERATOR, {"host": "acme.attribution.example"}, BASE_DOMAIN)


@pytest.mark.parametrize(
    ("host", "subdomain"),
    [
        ("acme.attribution.example", "acme"),
        ("acme.attribution.example:8443", "acme"),
        ("acme.attribution.example.", "acme"),
        ("ACME.ATTRIBUTION.EXAMPLE", "acme"),
        ("a-1.attribution.example", "a-1"),
        ("api.attribution.example", None),
        ("www.attribution.example", None),
        ("console.attribution.example", None),
        ("attribution.example", None),
        (".attribution.example", None),
        ("-acme.attribution.example", None),
        ("a.b.attribution.example", None),
        ("acme.attribution.example.evil.example", None),
        ("acmeattribution.example", None),
        ("acme.elsewhere.example", None),
        ("xn--acme-9x.attribution.example", None),
        ("\uff41cme.attribution.example", None),
        ("acme .attribution.example", None),
        ("", None),
    ],
)
def test_only_one_label_below_the_base_domain_is_a_subdomain(host: str, subdomain: str | None) -> None:
    assert find_subdomain(host, BASE_DOMAIN) == subdomain


@given(st.text())
def test_no_host_breaks_the_search(host: str) -> None:
    find_subdomain(host, BASE_DOMAIN)
    assert find_subdomain(host, "") is None
