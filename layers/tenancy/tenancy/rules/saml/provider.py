"""A SAML provider, as its metadata describes it.

Sources: SAML 2.0 Metadata, 2.3 and 2.4; SAML 2.0 Bindings, 3.4 (HTTP redirect).
"""

import binascii
from base64 import b64decode
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from tenancy.rules.saml.connection import SamlProvider
from tenancy.rules.saml.instant import parse_instant
from tenancy.rules.saml.xml import METADATA, PROTOCOL, SIGNATURE, XmlError, get_child, parse_xml, text_of
from tenancy.rules.sso.discovery import ENDPOINT_MAX_CHARACTERS, MetadataError, is_https_url

MAX_SAML_METADATA_BYTES: Final = 256 * 1024
ENTITY_ID_MAX_CHARACTERS: Final = 500  # as of an issuer. SAML allows 1,024, which no known provider uses.
MAX_CERTIFICATES: Final = 10
MIN_SIGNING_RSA_BITS: Final = 2_048
MAX_SIGNING_RSA_BITS: Final = 8_192  # so that a signature is verified within milliseconds
MIN_CURVE_BITS: Final = 256
SIGNING: Final = "signing"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SAML_2: Final = PROTOCOL[1:-1]


def parse_provider(document: bytes, *, now: datetime) -> SamlProvider:
    """Return the provider that *document* describes.

    Raises:
        MetadataError: it describes none, or one that cannot be used. The text says why.
    """
    if len(document) > MAX_SAML_METADATA_BYTES:
        raise MetadataError(f"The metadata has more than {MAX_SAML_METADATA_BYTES // 1024} KiB.")
    try:
        root = parse_xml(document, may_have_comments=True)
        entity = _entity_of(root)
        _require_valid(root, entity, now=now)
        return _provider(entity, get_child(entity, f"{METADATA}IDPSSODescriptor"))
    except XmlError as error:
        raise MetadataError(str(error)) from error


def _entity_of(root: etree._Element) -> etree._Element:
    """Return the one entity with a role of a provider, in a list of entities as well."""
    if root.tag == f"{METADATA}EntityDescriptor":
        return root
    if root.tag != f"{METADATA}EntitiesDescriptor":
        raise MetadataError("The document is no SAML metadata.")
    found = [
        each
        for each in root.iter(f"{METADATA}EntityDescriptor")
        if each.find(f"{METADATA}IDPSSODescriptor") is not None
    ]
    if len(found) != 1:
        raise MetadataError(f"The metadata describes {len(found)} identity providers. Expected one.")
    return found[0]


def _require_valid(root: etree._Element, entity: etree._Element, *, now: datetime) -> None:
    for element in (root, entity, get_child(entity, f"{METADATA}IDPSSODescriptor")):
        until = element.get("validUntil")
        if until is not None and parse_instant(until) <= now:
            raise MetadataError(f"The metadata expired at {until} (`validUntil`). Send metadata that is valid now.")


def _provider(entity: etree._Element, descriptor: etree._Element) -> SamlProvider:
    entity_id = entity.get("entityID", "")
    if not 0 < len(entity_id) <= ENTITY_ID_MAX_CHARACTERS or not (entity_id.isascii() and entity_id.isprintable()):
        raise MetadataError(f"The metadata has no entityID of at most {ENTITY_ID_MAX_CHARACTERS} ASCII characters.")
    if SAML_2 not in descriptor.get("protocolSupportEnumeration", "").split():
        raise MetadataError("The identity provider does not support SAML 2.0.")
    return SamlProvider(
        entity_id=entity_id,
        sign_in_url=_sign_in_url(descriptor),
        certificates=_certificates(descriptor),
    )


def _sign_in_url(descriptor: etree._Element) -> str:
    services = descriptor.findall(f"{METADATA}SingleSignOnService")
    urls = [each.get("Location", "") for each in services if each.get("Binding") == REDIRECT]
    if not urls:
        raise MetadataError("The identity provider has no SingleSignOnService with the HTTP-Redirect binding.")
    if not is_https_url(urls[0], max_characters=ENDPOINT_MAX_CHARACTERS):
        raise MetadataError("The SingleSignOnService of the identity provider is no https URL.")
    return urls[0]


def _certificates(descriptor: etree._Element) -> tuple[bytes, ...]:
    found = [
        _certificate(text_of(each))
        for key in descriptor.findall(f"{METADATA}KeyDescriptor")
        if key.get("use", SIGNING) == SIGNING
        for each in key.iter(f"{SIGNATURE}X509Certificate")
    ]
    if not 0 < len(found) <= MAX_CERTIFICATES:
        raise MetadataError(
            f"The identity provider has {len(found)} signing certificates. Expected 1 to {MAX_CERTIFICATES}."
        )
    return tuple(dict.fromkeys(found))


def _certificate(text: str) -> bytes:
    try:
        certificate = x509.load_der_x509_certificate(b64decode("".join(text.split()), validate=True))
        key = certificate.public_key()
    except (ValueError, binascii.Error, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise MetadataError("A signing certificate of the identity provider is no X.509 certificate.") from error
    is_rsa = isinstance(key, rsa.RSAPublicKey) and MIN_SIGNING_RSA_BITS <= key.key_size <= MAX_SIGNING_RSA_BITS
    is_ecdsa = isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= MIN_CURVE_BITS
    if not is_rsa and not is_ecdsa:
        raise MetadataError(
            "A signing key of the identity provider has an unsupported type or size. Expected RSA with"
            f" {MIN_SIGNING_RSA_BITS:,} to {MAX_SIGNING_RSA_BITS:,} bits, or ECDSA with at least {MIN_CURVE_BITS} bits."
        )
    return certificate.public_bytes(Encoding.DER)
