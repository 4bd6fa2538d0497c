"""The metadata of a SAML provider, the request to it, and the metadata of the platform."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from tenancy.rules.saml.connection import SamlProvider, ServiceProvider
from tenancy.rules.saml.provider import MAX_SAML_METADATA_BYTES, parse_provider
from tenancy.rules.saml.request import redirect_url, service_metadata
from tenancy.rules.saml.xml import ASSERTION, METADATA
from tenancy.rules.sso.discovery import MetadataError
from tests.members import for_each
from tests.saml_provider import SIGN_IN_URL, SamlAnswer, SigningKey, metadata_of

KEY: Final = SigningKey.generate()
NOW: Final = datetime(2026, 11, 29, 3, 30, tzinfo=UTC)
ANSWER: Final = SamlAnswer(now=NOW)
USUAL: Final = metadata_of(ANSWER, KEY)
SERVICE: Final = ServiceProvider(entity_id=ANSWER.audience, answer_url=ANSWER.recipient)

type Change = Callable[[str], str]


def _parse(text: str) -> SamlProvider:
    return parse_provider(text.encode(), now=NOW)


def _replace(old: str, new: str) -> Change:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def _many(*entities: str) -> str:
    return f'<md:EntitiesDescriptor xmlns:md="{METADATA[1:-1]}">{"".join(entities)}</md:EntitiesDescriptor>'


def _with_key(bits: int) -> str:
    return _with_key_of(rsa.generate_private_key(public_exponent=65_537, key_size=bits))


def _with_key_of(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return metadata_of(ANSWER, SigningKey(private=private, certificate=_certificate_of(private)))


def _certificate_of(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak")])
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name).public_key(private.public_key())
    dated = builder.not_valid_before(NOW).not_valid_after(NOW.replace(year=2030))
    return dated.serial_number(1).sign(private, hashes.SHA256())


REFUSED: Final[dict[str, tuple[str, Change]]] = {
    "no XML": ("no well-formed XML", lambda _: "{}"),
    "document type": ("a document type", lambda text: f"<!DOCTYPE x>{text}"),
    "CDATA": ("a CDATA section", _replace("<md:IDP", "<![CDATA[ ]]><md:IDP")),
    "too large": ("more than 256 KiB", lambda text: text + " " * MAX_SAML_METADATA_BYTES),
    "another document": ("no SAML metadata", lambda _: "<html/>"),
    "service provider": ("has no IDPSSODescriptor", _replace("IDPSSODescriptor", "SPSSODescriptor")),
    "two providers": ("describes 2 identity providers", lambda text: _many(text, text)),
    "no provider": ("describes 0 identity providers", lambda _: _many()),
    "no name": ("no entityID", _replace(f'entityID="{ANSWER.issuer}"', "")),
    "long name": ("no entityID", _replace(f'entityID="{ANSWER.issuer}"', f'entityID="{"x" * 501}"')),
    "SAML 1.1": ("does not support SAML 2.0", _replace("SAML:2.0:protocol", "SAML:1.1:protocol")),
    "name outside ASCII": ("no entityID", _replace(f'entityID="{ANSWER.issuer}"', 'entityID="https://idp.äcme"')),
    "no redirect": ("no SingleSignOnService", _replace("HTTP-Redirect", "HTTP-POST")),
    "http": ("no https URL", _replace("https://idp.acme.example/sso", "http://idp.acme.example/sso")),
    "script": ("no https URL", _replace("https://idp.acme.example/sso", "javascript:alert(1)")),
    "no certificate": ("has 0 signing certificates", _replace('use="signing"', 'use="encryption"')),
    "broken certificate": ("no X.509 certificate", _replace("<ds:X509Certificate>", "<ds:X509Certificate>AAAA")),
    "weak key": ("Expected RSA with 2,048 to", lambda _: _with_key(1_024)),
    "weak curve": ("ECDSA with at least 256 bits", lambda _: _with_key_of(ec.generate_private_key(ec.SECP224R1()))),
    "over": (
        "expired at 2026-01-01T00:00:00Z",
        _replace("<md:EntityDescriptor ", '<md:EntityDescriptor validUntil="2026-01-01T00:00:00Z" '),
    ),
}


@for_each("name", REFUSED)
def test_unusable_metadata_is_refused_with_its_reason(name: str) -> None:
    reason, change = REFUSED[name]
    _parse(USUAL)  # the unchanged metadata is accepted

    with pytest.raises(MetadataError, match=reason):
        _parse(change(USUAL))


def test_metadata_gives_name_address_and_keys() -> None:
    found = _parse(metadata_of(ANSWER, KEY))

    assert found == SamlProvider(entity_id=ANSWER.issuer, sign_in_url=SIGN_IN_URL, certificates=(KEY.der,))


def test_comments_of_metadata_are_removed() -> None:
    assert _parse(USUAL.replace("<md:IDP", "<!-- of acme --><md:IDP")) == _parse(USUAL)


def test_provider_in_a_list_of_entities_is_found() -> None:
    other = f'<md:EntityDescriptor entityID="x" xmlns:md="{METADATA[1:-1]}"><md:SPSSODescriptor/></md:EntityDescriptor>'

    assert _parse(_many(other, USUAL)).entity_id == ANSWER.issuer


def test_key_without_a_use_signs() -> None:
    assert _parse(USUAL.replace(' use="signing"', "")).certificates == (KEY.der,)


def test_folded_certificate_is_read() -> None:
    text = b64encode(KEY.der).decode()

    folded = USUAL.replace(text, "\n".join(text[start : start + 64] for start in range(0, len(text), 64)))

    assert _parse(folded).certificates == (KEY.der,)


def test_redirect_carries_the_request() -> None:
    provider = ANSWER.provider(KEY)

    url = redirect_url(provider, SERVICE, request_id="_request", relay_state="state & more", now=NOW)

    members = parse_qs(urlsplit(url).query)
    request = etree.fromstring(zlib.decompress(b64decode(members["SAMLRequest"][0]), wbits=-15))
    assert url.startswith(f"{SIGN_IN_URL}?")
    assert members["RelayState"] == ["state & more"]
    assert (request.get("ID"), request.get("Destination")) == ("_request", SIGN_IN_URL)
    assert request.get("AssertionConsumerServiceURL") == SERVICE.answer_url
    assert request.findtext(f"{ASSERTION}Issuer") == SERVICE.entity_id


def test_redirect_keeps_the_query_of_the_provider() -> None:
    provider = SamlProvider(entity_id="x", sign_in_url=f"{SIGN_IN_URL}?idp=1", certificates=(KEY.der,))

    url = redirect_url(provider, SERVICE, request_id="_request", relay_state="s", now=NOW)

    assert parse_qs(urlsplit(url).query)["idp"] == ["1"]


def test_service_metadata_names_the_address_for_answers() -> None:
    root = etree.fromstring(service_metadata(SERVICE))

    consumer = root.find(f"{METADATA}SPSSODescriptor/{METADATA}AssertionConsumerService")
    assert root.get("entityID") == SERVICE.entity_id
    assert consumer is not None
    assert consumer.get("Location") == SERVICE.answer_url
