"""The request with which a browser comes to a SAML provider, and the metadata of the platform.

Sources: SAML 2.0 Core, 3.4.1 (the request); Bindings, 3.4 (HTTP redirect); Metadata, 2.4.4.
"""

import base64
import zlib
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from lxml import etree

from tenancy.rules.saml.connection import SamlProvider, ServiceProvider
from tenancy.rules.saml.instant import format_instant
from tenancy.rules.saml.provider import SAML_2
from tenancy.rules.saml.xml import ASSERTION, METADATA, PROTOCOL

METADATA_TYPE: Final = "application/samlmetadata+xml"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
PREFIXES: Final = {"samlp": PROTOCOL[1:-1], "saml": ASSERTION[1:-1]}
METADATA_PREFIXES: Final = {"md": METADATA[1:-1]}
RAW_DEFLATE: Final = -15  # zlib's window bits for deflate without a header


def redirect_url(
    provider: SamlProvider, service: ServiceProvider, *, request_id: str, relay_state: str, now: datetime
) -> str:
    """Return the URL that asks *provider* to authenticate a person, and to answer with *relay_state*."""
    request = etree.Element(
        f"{PROTOCOL}AuthnRequest",
        {
            "ID": request_id,
            "Version": "2.0",
            "IssueInstant": format_instant(now),
            "Destination": provider.sign_in_url,
            "AssertionConsumerServiceURL": service.answer_url,
            "ProtocolBinding": POST,
        },
        PREFIXES,
    )
    etree.SubElement(request, f"{ASSERTION}Issuer").text = service.entity_id
    packer = zlib.compressobj(wbits=RAW_DEFLATE)
    packed = packer.compress(etree.tostring(request)) + packer.flush()
    members = {"SAMLRequest": base64.b64encode(packed).decode(), "RelayState": relay_state}
    joint = "&" if "?" in provider.sign_in_url else "?"
    return f"{provider.sign_in_url}{joint}{urlencode(members)}"


def service_metadata(service: ServiceProvider) -> bytes:
    """Return the metadata of *service*, for the administrator of a provider."""
    entity = etree.Element(f"{METADATA}EntityDescriptor", {"entityID": service.entity_id}, METADATA_PREFIXES)
    role = {"protocolSupportEnumeration": SAML_2, "AuthnRequestsSigned": "false", "WantAssertionsSigned": "true"}
    descriptor = etree.SubElement(entity, f"{METADATA}SPSSODescriptor", role)
    consumer = {"Binding": POST, "Location": service.answer_url, "index": "0", "isDefault": "true"}
    etree.SubElement(descriptor, f"{METADATA}NameIDFormat").text = PERSISTENT
    etree.SubElement(descriptor, f"{METADATA}AssertionConsumerService", consumer)
    return etree.tostring(entity, xml_declaration=True, encoding="UTF-8", pretty_print=True)
