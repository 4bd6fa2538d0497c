"""The signature of an assertion.

Sources: SAML 2.0 Core, 5.4 (what a signature may look like); XML Signature 1.1; Metadata Interoperability Profile 1.0,
2.6.1 (a certificate in metadata stands for its key, and its dates mean nothing).
"""

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from tenancy.rules.saml.xml import ID_ATTRIBUTE, SIGNATURE

# No SHA-1, no HMAC, and no DSA.
METHODS: Final = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
TRANSFORMS: Final = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    }
)


class SignatureError(ValueError):
    """No signature of the provider over the whole element."""


def verified_copy(element: etree._Element, certificates: Sequence[x509.Certificate]) -> etree._Element:
    """Return *element* again, parsed from the bytes that the key of one of the *certificates* has signed.

    Read nothing but the copy.

    Raises:
        SignatureError: the element has no such signature, or one of another element, or with a weak method.
    """
    _require_profile(element)
    alone = _without_key_info(element)
    for certificate in certificates:
        copy = _find_verified(alone, certificate)
        if copy is None:
            continue
        if (copy.tag, copy.get(ID_ATTRIBUTE)) != (element.tag, element.get(ID_ATTRIBUTE)):
            raise SignatureError
        return copy
    raise SignatureError


def _without_key_info(element: etree._Element) -> bytes:
    """Return *element* as a document of its own, whose signature names no key.

    That name is not signed. signxml compares it with the certificate, and fails with other errors if it is malformed.
    """
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    for key_info in copy.findall(f"{SIGNATURE}Signature/{SIGNATURE}KeyInfo"):
        parent = key_info.getparent()
        if parent is not None:
            parent.remove(key_info)
    return etree.tostring(copy)


def _find_verified(document: bytes, certificate: x509.Certificate) -> etree._Element | None:
    configuration = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=METHODS,
        digest_algorithms=DIGESTS,
        verification_time=certificate.not_valid_before_utc,
    )
    try:
        result = XMLVerifier().verify(
            document, x509_cert=certificate, expect_config=configuration, id_attribute=ID_ATTRIBUTE
        )
    except (SignXMLException, etree.LxmlError, ValueError, TypeError):
        return None
    return None if isinstance(result, list) else result.signed_xml


def _require_profile(element: etree._Element) -> None:
    """Require one signature over the whole element, with the transforms that SAML allows."""
    signatures = element.findall(f"{SIGNATURE}Signature")
    if len(signatures) != 1 or not element.get(ID_ATTRIBUTE):
        raise SignatureError
    info = signatures[0].findall(f"{SIGNATURE}SignedInfo")
    references = [] if len(info) != 1 else info[0].findall(f"{SIGNATURE}Reference")
    if len(references) != 1 or references[0].get("URI") != f"#{element.get(ID_ATTRIBUTE)}":
        raise SignatureError
    transforms = {each.get("Algorithm") for each in references[0].iter(f"{SIGNATURE}Transform")}
    if not transforms <= TRANSFORMS:
        raise SignatureError
