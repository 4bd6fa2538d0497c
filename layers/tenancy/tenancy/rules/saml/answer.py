"""Verifies the answer of a SAML provider.

An answer has one assertion, which the provider has signed. The person is read from the signed bytes alone.
Sources: SAML 2.0 Core, 2 and 3.2.2; Profiles, 4.1.4.2 and 4.1.4.3 (web browser single sign-on).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from lxml import etree

from tenancy.rules.durations import SAML_LEEWAY
from tenancy.rules.people.addresses import EMAIL_MAX_CHARACTERS
from tenancy.rules.saml.connection import SamlProvider
from tenancy.rules.saml.instant import parse_instant
from tenancy.rules.saml.signature import SignatureError, verified_copy
from tenancy.rules.saml.xml import (
    ASSERTION,
    ID_ATTRIBUTE,
    PROTOCOL,
    SIGNATURE,
    XmlError,
    find_child,
    get_child,
    parse_xml,
    text_of,
)
from tenancy.rules.sso.id_token import SUBJECT_MAX_CHARACTERS, ProvenIdentity
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError

MAX_SAML_ANSWER_BYTES: Final = 128 * 1024
MAX_ASSERTION_ID_CHARACTERS: Final = 255
VERSION: Final = "2.0"
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EMAIL_FORMAT: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
# The names under which Entra ID, Okta, Google, Keycloak, Shibboleth and ADFS send an e-mail address.
EMAIL_ATTRIBUTES: Final = frozenset(
    {
        "email",
        "mail",
        "emailaddress",
        "urn:oid:0.9.2342.19200300.100.1.3",
        "urn:oid:1.2.840.113549.1.9.1",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAnswer:
    """The values that the answer of one log-in must have."""

    provider: SamlProvider
    audience: str
    recipient: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenAssertion:
    """A verified assertion. Its id is taken once, until `SAML_LEEWAY` after *expires_at*."""

    assertion_id: str
    expires_at: datetime
    identity: ProvenIdentity


def verify_answer(document: bytes, expected: ExpectedAnswer, *, now: datetime) -> ProvenAssertion:
    """Return the assertion of the answer *document*.

    Raises:
        SsoRefusedError: the answer is not the one that is *expected*, or not valid at *now*.
    """
    if len(document) > MAX_SAML_ANSWER_BYTES:
        raise SsoRefusedError(SsoFault.ANSWER_TOO_LARGE)
    try:
        response = parse_xml(document)
        assertion = _assertion_of(response)
        _require_response(response, expected)
        signed = _signed(response, assertion, expected)
        return _proven(signed, expected, now=now)
    except XmlError as error:
        raise SsoRefusedError(SsoFault.ANSWER_MALFORMED) from error


def _assertion_of(response: etree._Element) -> etree._Element:
    """Return the one assertion, which must be a child of the answer. None may hide elsewhere, in any namespace."""
    if response.tag != f"{PROTOCOL}Response" or response.get("Version") != VERSION:
        raise SsoRefusedError(SsoFault.ANSWER_MALFORMED)
    named = [each for each in response.iter() if etree.QName(each).localname in {"Assertion", "EncryptedAssertion"}]
    if len(named) != 1 or named[0].tag != f"{ASSERTION}Assertion" or named[0].getparent() is not response:
        raise SsoRefusedError(SsoFault.ASSERTION_COUNT)
    if any(etree.QName(each).localname == "Response" for each in response.iterdescendants()):
        raise SsoRefusedError(SsoFault.ANSWER_MALFORMED)
    return named[0]


def _require_response(response: etree._Element, expected: ExpectedAnswer) -> None:
    """Check the frame of the answer. It may be unsigned, so nothing is read from it."""
    status = get_child(get_child(response, f"{PROTOCOL}Status"), f"{PROTOCOL}StatusCode")
    if status.get("Value") != SUCCESS:
        raise SsoRefusedError(SsoFault.NO_SUCCESS)
    if response.get("Destination", expected.recipient) != expected.recipient:
        raise SsoRefusedError(SsoFault.DESTINATION)
    if response.get("InResponseTo") != expected.request_id:
        raise SsoRefusedError(SsoFault.OTHER_REQUEST)
    issuer = find_child(response, f"{ASSERTION}Issuer")
    if issuer is not None and text_of(issuer) != expected.provider.entity_id:
        raise SsoRefusedError(SsoFault.ISSUER)


def _signed(response: etree._Element, assertion: etree._Element, expected: ExpectedAnswer) -> etree._Element:
    """Return the signed copy of the assertion. A signature of the answer must hold as well, if there is one."""
    certificates = [x509.load_der_x509_certificate(each) for each in expected.provider.certificates]
    for each in response.iter(f"{SIGNATURE}Signature"):
        if each.getparent() is not response and each.getparent() is not assertion:
            raise SsoRefusedError(SsoFault.SIGNATURE_PLACE)
    if not assertion.findall(f"{SIGNATURE}Signature"):
        raise SsoRefusedError(SsoFault.UNSIGNED)
    signed = _verified(assertion, certificates)
    if response.findall(f"{SIGNATURE}Signature"):
        _verified(response, certificates)
    return signed


def _verified(element: etree._Element, certificates: Sequence[x509.Certificate]) -> etree._Element:
    try:
        return verified_copy(element, certificates)
    except SignatureError as error:
        raise SsoRefusedError(SsoFault.SIGNATURE) from error


def _proven(assertion: etree._Element, expected: ExpectedAnswer, *, now: datetime) -> ProvenAssertion:
    assertion_id = assertion.get(ID_ATTRIBUTE, "")
    if assertion.get("Version") != VERSION or not 0 < len(assertion_id) <= MAX_ASSERTION_ID_CHARACTERS:
        raise SsoRefusedError(SsoFault.ANSWER_MALFORMED)
    if text_of(get_child(assertion, f"{ASSERTION}Issuer")) != expected.provider.entity_id:
        raise SsoRefusedError(SsoFault.ISSUER)
    _require_conditions(get_child(assertion, f"{ASSERTION}Conditions"), expected, now=now)
    subject = get_child(assertion, f"{ASSERTION}Subject")
    expires_at = _confirmed_until(subject, expected, now=now)
    _require_authentication(assertion, now=now)
    identity = _identity(get_child(subject, f"{ASSERTION}NameID"), assertion, expected.provider.entity_id)
    return ProvenAssertion(assertion_id=assertion_id, expires_at=expires_at, identity=identity)


def _require_conditions(conditions: etree._Element, expected: ExpectedAnswer, *, now: datetime) -> None:
    _require_times(conditions, now=now)
    restrictions = conditions.findall(f"{ASSERTION}AudienceRestriction")
    if not restrictions:
        raise SsoRefusedError(SsoFault.AUDIENCE)
    for restriction in restrictions:  # each of them must be met
        if expected.audience not in {text_of(each) for each in restriction.findall(f"{ASSERTION}Audience")}:
            raise SsoRefusedError(SsoFault.AUDIENCE)


def _confirmed_until(subject: etree._Element, expected: ExpectedAnswer, *, now: datetime) -> datetime:
    """Return until when the bearer of the assertion is its subject."""
    confirmation = get_child(subject, f"{ASSERTION}SubjectConfirmation")
    data = get_child(confirmation, f"{ASSERTION}SubjectConfirmationData")
    if confirmation.get("Method") != BEARER:
        raise SsoRefusedError(SsoFault.CONFIRMATION)
    if data.get("Recipient") != expected.recipient:
        raise SsoRefusedError(SsoFault.RECIPIENT)
    if data.get("InResponseTo") != expected.request_id:
        raise SsoRefusedError(SsoFault.OTHER_REQUEST)
    if data.get("NotOnOrAfter") is None or data.get("NotBefore") is not None:
        raise SsoRefusedError(SsoFault.CONFIRMATION)
    _require_times(data, now=now)
    return parse_instant(data.get("NotOnOrAfter", ""))


def _require_authentication(assertion: etree._Element, *, now: datetime) -> None:
    statements = assertion.findall(f"{ASSERTION}AuthnStatement")
    if not statements:
        raise SsoRefusedError(SsoFault.CONFIRMATION)
    for statement in statements:
        until = statement.get("SessionNotOnOrAfter")
        if until is not None and parse_instant(until) <= now - SAML_LEEWAY:
            raise SsoRefusedError(SsoFault.EXPIRED)


def _require_times(element: etree._Element, *, now: datetime) -> None:
    begin, end = element.get("NotBefore"), element.get("NotOnOrAfter")
    if end is not None and parse_instant(end) <= now - SAML_LEEWAY:
        raise SsoRefusedError(SsoFault.EXPIRED)
    if begin is not None and parse_instant(begin) > now + SAML_LEEWAY:
        raise SsoRefusedError(SsoFault.NOT_YET_VALID)


def _identity(name_id: etree._Element, assertion: etree._Element, issuer: str) -> ProvenIdentity:
    subject = text_of(name_id)
    # A transient name is another one at each log-in, so it names no member.
    is_transient = name_id.get("Format") == TRANSIENT
    if is_transient or not 0 < len(subject) <= SUBJECT_MAX_CHARACTERS or not subject.isprintable():
        raise SsoRefusedError(SsoFault.SUBJECT)
    emails = _emails(assertion) or ([subject] if name_id.get("Format") == EMAIL_FORMAT else [])
    if len(emails) != 1 or len(emails[0]) > EMAIL_MAX_CHARACTERS:
        return ProvenIdentity(issuer=issuer, subject=subject, email=None, email_fault=SsoFault.EMAIL_MISSING)
    return ProvenIdentity(issuer=issuer, subject=subject, email=emails[0])


def _emails(assertion: etree._Element) -> list[str]:
    """Return the different e-mail addresses in the attributes."""
    values = [
        text_of(value)
        for attribute in assertion.iterfind(f"{ASSERTION}AttributeStatement/{ASSERTION}Attribute")
        if attribute.get("Name", "").lower() in EMAIL_ATTRIBUTES
        for value in attribute.iterfind(f"{ASSERTION}AttributeValue")
    ]
    return list(dict.fromkeys(value for value in values if value))
