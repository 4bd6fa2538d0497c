"""Answers of a SAML provider: the usual one is accepted, and each change of it is refused for its reason."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from tenancy.rules.saml.answer import MAX_SAML_ANSWER_BYTES, ExpectedAnswer, ProvenAssertion, verify_answer
from tenancy.rules.saml.instant import format_instant
from tenancy.rules.saml.signature import SignatureError, verified_copy
from tenancy.rules.saml.xml import ASSERTION, PROTOCOL, SIGNATURE
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tests.members import for_each
from tests.saml_provider import (
    EMAIL_NAME_ID,
    SamlAnswer,
    SigningKey,
    answer_with,
    as_bytes,
    find,
    sign,
    signed_answer,
    signed_assertion,
)

KEY: Final = SigningKey.generate()
OTHER_KEY: Final = SigningKey.generate()
NOW: Final = datetime(2026, 11, 29, 3, 30, tzinfo=UTC)
ANSWER: Final = SamlAnswer(now=NOW)
HOUR: Final = timedelta(hours=1)

type Forge = Callable[[], bytes]


def _verify(document: bytes, *, request_id: str = ANSWER.request_id, now: datetime = NOW) -> ProvenAssertion:
    expected = ExpectedAnswer(
        provider=ANSWER.provider(KEY), audience=ANSWER.audience, recipient=ANSWER.recipient, request_id=request_id
    )
    return verify_answer(document, expected, now=now)


def _usual() -> etree._Element:
    return signed_answer(ANSWER, KEY)


def _before(old: str, new: str) -> bytes:
    """Return the answer of a provider that writes *new* in place of *old* in its signed assertion."""
    text = ANSWER.assertion()
    assert old in text
    return as_bytes(signed_answer(ANSWER, KEY, text.replace(old, new)))


def _after(old: bytes, new: bytes) -> bytes:
    """Return the usual answer, changed on its way."""
    document = as_bytes(_usual())
    assert old in document
    return document.replace(old, new)


def _of(**texts: object) -> bytes:
    """Return the signed answer with other texts, in the assertion and around it."""
    return as_bytes(signed_answer(ANSWER.changed(**texts), KEY))


def _assertion_of(**texts: object) -> bytes:
    """Return the usual answer around a signed assertion with other texts."""
    return as_bytes(answer_with(ANSWER, signed_assertion(ANSWER.changed(**texts), KEY)))


def _evil(assertion_id: str = "_evil") -> etree._Element:
    """Return an unsigned assertion of another person."""
    evil = ANSWER.changed(assertion_id=assertion_id, name_id="mallory", email="mallory@globex.example")
    return etree.fromstring(evil.assertion())


def _without_signature(assertion: etree._Element) -> etree._Element:
    assertion.remove(find(assertion, "Signature"))
    return assertion


def _wrapped_response(place: str) -> bytes:
    """XSW 1 and 2: a changed answer with the signed one inside its signature, or beside it."""
    signed = sign(_usual(), KEY)
    signature = signed.find(f"{SIGNATURE}Signature")
    assert signature is not None
    signed.remove(signature)
    evil = answer_with(ANSWER.changed(response_id="_evil-response"), _evil())
    evil.insert(0, signature)
    (signature if place == "in the signature" else evil).insert(1, signed)
    return as_bytes(evil)


def _wrapped_assertion(place: str) -> bytes:
    """XSW 3 to 8: another assertion beside, around or inside the signed one."""
    signed = signed_assertion(ANSWER, KEY)
    evil = _evil()
    if place == "before":
        return as_bytes(answer_with(ANSWER, evil, signed))
    if place == "around":
        evil.append(signed)
        return as_bytes(answer_with(ANSWER, evil))
    if place == "signature of the evil one":
        evil.insert(1, find(signed, "Signature"))
        return as_bytes(answer_with(ANSWER, evil, signed))
    if place == "in the evil signature":
        signature = find(signed, "Signature")
        signature.append(_without_signature(deepcopy(signed)))
        evil.insert(1, signature)
        return as_bytes(answer_with(ANSWER, evil))
    if place == "in extensions":
        response = answer_with(ANSWER, evil)
        extensions = etree.SubElement(response, f"{PROTOCOL}Extensions")
        extensions.append(signed)
        return as_bytes(response)
    signature = find(signed, "Signature")
    holder = etree.SubElement(signature, f"{SIGNATURE}Object")
    holder.append(_without_signature(deepcopy(signed)))
    evil.insert(1, signature)
    return as_bytes(answer_with(ANSWER, evil))


def _same_id() -> bytes:
    """An evil assertion under the id of the signed one, hidden in another namespace."""
    signed = signed_assertion(ANSWER, KEY)
    holder = etree.Element(f"{PROTOCOL}Extensions")
    other = etree.SubElement(holder, "other")
    other.set("ID", ANSWER.assertion_id)
    response = answer_with(ANSWER, signed)
    response.insert(1, holder)
    return as_bytes(response)


def _moved_signature() -> bytes:
    """The signature of the assertion as that of the answer."""
    signed = signed_assertion(ANSWER, KEY)
    signature = find(signed, "Signature")
    signed.remove(signature)
    response = answer_with(ANSWER, signed)
    response.insert(1, signature)
    return as_bytes(response)


def _foreign_signature() -> bytes:
    """A signature of the provider over another assertion."""
    other = signed_assertion(ANSWER.changed(assertion_id="_other"), KEY)
    evil = _evil("_other-evil")
    evil.insert(1, find(other, "Signature"))
    return as_bytes(answer_with(ANSWER, evil))


def _weak(method: SignatureMethod, digest: DigestAlgorithm) -> bytes:
    """An answer whose signature names SHA-1. The texts are changed, because the signer refuses to make one."""
    document = as_bytes(_usual())
    document = document.replace(SignatureMethod.RSA_SHA256.value.encode(), method.value.encode())
    return document.replace(DigestAlgorithm.SHA256.value.encode(), digest.value.encode())


def _with_transform() -> bytes:
    exclusive = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    return _after(exclusive, exclusive + b'<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>')


def _broken_outer_signature() -> bytes:
    signed = sign(_usual(), KEY)
    signed.set("Consent", "changed")
    return as_bytes(signed)


def _entity() -> bytes:
    return b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + _after(b">ada<", b">&b;<")


def _utf_16() -> bytes:
    return as_bytes(_usual()).decode().encode("utf-16")


def _nested_name() -> bytes:
    return _before(">ada<", "><x>ada</x><")


FORGED: Final[dict[str, tuple[SsoFault, Forge]]] = {
    "no XML": (SsoFault.ANSWER_MALFORMED, lambda: b"hello"),
    "empty": (SsoFault.ANSWER_MALFORMED, lambda: b""),
    "cut off": (SsoFault.ANSWER_MALFORMED, lambda: as_bytes(_usual())[:-20]),
    "two documents": (SsoFault.ANSWER_MALFORMED, lambda: as_bytes(_usual()) * 2),
    "another root": (SsoFault.ANSWER_MALFORMED, lambda: as_bytes(signed_assertion(ANSWER, KEY))),
    "too large": (SsoFault.ANSWER_TOO_LARGE, lambda: as_bytes(_usual()) + b" " * MAX_SAML_ANSWER_BYTES),
    "too many elements": (
        SsoFault.ANSWER_MALFORMED,
        lambda: _after(b"<samlp:Status>", b"<x/>" * 3_000 + b"<samlp:Status>"),
    ),
    "UTF-16": (SsoFault.ANSWER_MALFORMED, _utf_16),
    "document type": (SsoFault.ANSWER_MALFORMED, lambda: b"<!DOCTYPE samlp:Response>" + as_bytes(_usual())),
    "entity expansion": (SsoFault.ANSWER_MALFORMED, _entity),
    "comment in NameID": (SsoFault.ANSWER_MALFORMED, lambda: _after(b">ada<", b">ad<!-- -->a<")),
    "signed comment in NameID": (SsoFault.ANSWER_MALFORMED, lambda: _before(">ada<", ">ada<!-- -->.evil<")),
    "CDATA in NameID": (SsoFault.ANSWER_MALFORMED, lambda: _after(b">ada<", b"><![CDATA[ada]]><")),
    "processing instruction": (SsoFault.ANSWER_MALFORMED, lambda: _after(b">ada<", b">a<?x?>da<")),
    "element in NameID": (SsoFault.ANSWER_MALFORMED, _nested_name),
    "version": (SsoFault.ANSWER_MALFORMED, lambda: _before('Version="2.0"', 'Version="1.1"')),
    "duplicate ids": (SsoFault.ANSWER_MALFORMED, _same_id),
    "no assertion": (SsoFault.ASSERTION_COUNT, lambda: as_bytes(ANSWER.response())),
    "encrypted": (SsoFault.ASSERTION_COUNT, lambda: _after(b"saml:Assertion", b"saml:EncryptedAssertion")),
    "two assertions, one unsigned": (
        SsoFault.ASSERTION_COUNT,
        lambda: as_bytes(answer_with(ANSWER, signed_assertion(ANSWER, KEY), _evil())),
    ),
    "two signed assertions": (
        SsoFault.ASSERTION_COUNT,
        lambda: as_bytes(
            answer_with(
                ANSWER,
                signed_assertion(ANSWER, KEY),
                signed_assertion(ANSWER.changed(assertion_id="_2"), KEY),
            )
        ),
    ),
    "XSW 1": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_response("in the signature")),
    "XSW 2": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_response("before")),
    "XSW 3": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_assertion("before")),
    "XSW 4": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_assertion("around")),
    "XSW 5": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_assertion("signature of the evil one")),
    "XSW 6": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_assertion("in the evil signature")),
    "XSW 7": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_assertion("in extensions")),
    "XSW 8": (SsoFault.ASSERTION_COUNT, lambda: _wrapped_assertion("in an object")),
    "unsigned": (
        SsoFault.UNSIGNED,
        lambda: as_bytes(answer_with(ANSWER, _without_signature(signed_assertion(ANSWER, KEY)))),
    ),
    "only the answer is signed": (
        SsoFault.UNSIGNED,
        lambda: as_bytes(sign(answer_with(ANSWER, etree.fromstring(ANSWER.assertion())), KEY)),
    ),
    "signature moved to the answer": (SsoFault.UNSIGNED, _moved_signature),
    "signature elsewhere": (
        SsoFault.SIGNATURE_PLACE,
        lambda: _after(b"<samlp:Status>", b'<samlp:Status><d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"/>'),
    ),
    "signature of another assertion": (SsoFault.SIGNATURE, _foreign_signature),
    "another provider's key": (SsoFault.SIGNATURE, lambda: as_bytes(signed_answer(ANSWER, OTHER_KEY))),
    "changed NameID": (SsoFault.SIGNATURE, lambda: _after(b">ada<", b">mallory<")),
    "changed address": (SsoFault.SIGNATURE, lambda: _after(b"ada@acme.example", b"eva@acme.example")),
    "changed digest": (SsoFault.SIGNATURE, lambda: _after(b"<ds:DigestValue>", b"<ds:DigestValue>AAAA")),
    "empty signature": (
        SsoFault.SIGNATURE,
        lambda: _after(b"<ds:SignatureValue>", b"<ds:SignatureValue/><ds:x>").replace(
            b"</ds:SignatureValue>", b"</ds:x>"
        ),
    ),
    "SHA-1 signature": (SsoFault.SIGNATURE, lambda: _weak(SignatureMethod.RSA_SHA1, DigestAlgorithm.SHA256)),
    "SHA-1 digest": (SsoFault.SIGNATURE, lambda: _weak(SignatureMethod.RSA_SHA256, DigestAlgorithm.SHA1)),
    "HMAC": (SsoFault.SIGNATURE, lambda: _weak(SignatureMethod.HMAC_SHA256, DigestAlgorithm.SHA256)),
    "another transform": (SsoFault.SIGNATURE, _with_transform),
    "reference to the whole document": (SsoFault.SIGNATURE, lambda: _after(b'URI="#_assertion"', b'URI=""')),
    "reference to another address": (SsoFault.SIGNATURE, lambda: _after(b'URI="#_assertion"', b'URI="https://evil"')),
    "broken signature of the answer": (SsoFault.SIGNATURE, _broken_outer_signature),
    "malformed key beside the signature": (
        SsoFault.SIGNATURE,
        lambda: _after(b"</ds:X509Data>", b"</ds:X509Data><ds:KeyValue><x/></ds:KeyValue>").replace(b">ada<", b">eva<"),
    ),
    "no success": (SsoFault.NO_SUCCESS, lambda: _after(b"status:Success", b"status:Responder")),
    "destination": (SsoFault.DESTINATION, lambda: _after(b'Destination="https://api', b'Destination="https://evil')),
    "another answer's request": (
        SsoFault.OTHER_REQUEST,
        lambda: _after(b'InResponseTo="_request"><saml:Issuer', b'InResponseTo="_x"><saml:Issuer'),
    ),
    "unsolicited": (SsoFault.OTHER_REQUEST, lambda: _after(b'InResponseTo="_request"><saml:Issuer', b"><saml:Issuer")),
    "request of another session": (SsoFault.OTHER_REQUEST, lambda: _assertion_of(request_id="_other")),
    "issuer of the answer": (
        SsoFault.ISSUER,
        lambda: _after(b"/metadata</saml:Issuer><samlp:Status>", b"/x</saml:Issuer><samlp:Status>"),
    ),
    "issuer of the assertion": (SsoFault.ISSUER, lambda: _assertion_of(issuer="https://idp.globex.example")),
    "audience": (SsoFault.AUDIENCE, lambda: _assertion_of(audience="https://other.example")),
    "no audience": (SsoFault.AUDIENCE, lambda: _before("saml:AudienceRestriction", "saml:OneTimeUse")),
    "a second audience restriction": (
        SsoFault.AUDIENCE,
        lambda: _before(
            "</saml:Conditions>",
            "<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction></saml:Conditions>",
        ),
    ),
    "recipient": (SsoFault.RECIPIENT, lambda: _assertion_of(recipient="https://api.example/v1/other")),
    "expired": (SsoFault.EXPIRED, lambda: _of(now=NOW - HOUR)),
    "not yet valid": (SsoFault.NOT_YET_VALID, lambda: _of(now=NOW + HOUR)),
    "session over": (
        SsoFault.EXPIRED,
        lambda: _before(
            "<saml:AuthnStatement ", f'<saml:AuthnStatement SessionNotOnOrAfter="{format_instant(NOW - HOUR)}" '
        ),
    ),
    "confirmation without an end": (
        SsoFault.CONFIRMATION,
        lambda: _before(f'NotOnOrAfter="{format_instant(NOW + timedelta(minutes=5))}"/>', "/>"),
    ),
    "another confirmation": (SsoFault.CONFIRMATION, lambda: _before("cm:bearer", "cm:sender-vouches")),
    "two confirmations": (
        SsoFault.ANSWER_MALFORMED,
        lambda: _before("</saml:Subject>", "<saml:SubjectConfirmation/></saml:Subject>"),
    ),
    "no authentication": (SsoFault.CONFIRMATION, lambda: _before("AuthnStatement", "OtherStatement")),
    "no conditions": (SsoFault.ANSWER_MALFORMED, lambda: _before("saml:Conditions", "saml:Others")),
    "time with an offset": (SsoFault.ANSWER_MALFORMED, lambda: _before('Z" NotOnOrAfter', '+00:00" NotOnOrAfter')),
    "time that does not exist": (
        SsoFault.ANSWER_MALFORMED,
        lambda: _before('NotBefore="2026-11-29', 'NotBefore="2026-02-30'),
    ),
    "transient name": (SsoFault.SUBJECT, lambda: _before("nameid-format:persistent", "nameid-format:transient")),
    "empty name": (SsoFault.SUBJECT, lambda: _before(">ada<", "><")),
}


@for_each("name", FORGED)
def test_forged_answer_is_refused_for_its_reason(name: str) -> None:
    fault, forge = FORGED[name]
    _verify(as_bytes(_usual()))  # the unchanged answer is accepted

    with pytest.raises(SsoRefusedError) as refused:
        _verify(forge())

    assert refused.value.reason is fault


def test_answer_names_the_person_of_the_signed_assertion() -> None:
    proven = _verify(as_bytes(_usual()))

    assert (proven.identity.subject, proven.identity.email) == ("ada", "ada@acme.example")
    assert (proven.assertion_id, proven.identity.issuer) == (ANSWER.assertion_id, ANSWER.issuer)


def test_signed_copy_is_apart_from_the_answer() -> None:
    response = etree.fromstring(as_bytes(_usual()))

    copy = verified_copy(find(response, "Assertion"), [KEY.certificate])

    assert copy.getroottree().getroot() is copy
    assert copy.find(f"{SIGNATURE}Signature") is None


def test_answer_may_be_signed_beside_its_assertion() -> None:
    assert _verify(as_bytes(sign(_usual(), KEY))).identity.subject == "ada"


def test_key_beside_the_signature_is_not_read() -> None:
    document = _after(b"</ds:X509Data>", b"</ds:X509Data><ds:KeyValue><x/></ds:KeyValue>")

    assert _verify(document).identity.subject == "ada"


def test_assertion_may_live_until_the_end_of_time() -> None:
    end = format_instant(NOW + timedelta(minutes=5))

    proven = _verify(_before(f'NotOnOrAfter="{end}"', 'NotOnOrAfter="9999-12-31T23:59:59Z"'))

    assert proven.expires_at.year == 9999


def test_one_of_several_certificates_may_have_signed() -> None:
    expected = ExpectedAnswer(
        provider=ANSWER.provider(OTHER_KEY, KEY),
        audience=ANSWER.audience,
        recipient=ANSWER.recipient,
        request_id=ANSWER.request_id,
    )

    assert verify_answer(as_bytes(_usual()), expected, now=NOW).identity.subject == "ada"


def test_answer_to_another_request_is_refused() -> None:
    with pytest.raises(SsoRefusedError) as refused:
        _verify(as_bytes(_usual()), request_id="_another")

    assert refused.value.reason is SsoFault.OTHER_REQUEST


def test_name_in_the_email_format_is_the_address() -> None:
    text = ANSWER.changed(name_id="ada@acme.example", name_id_format=EMAIL_NAME_ID).assertion()
    without = text[: text.index("<saml:AttributeStatement>")] + "</saml:Assertion>"

    proven = _verify(as_bytes(signed_answer(ANSWER, KEY, without)))

    assert proven.identity.email == "ada@acme.example"


def test_assertion_with_two_addresses_has_none() -> None:
    text = ANSWER.assertion()
    value = "<saml:AttributeValue>eva@acme.example</saml:AttributeValue></saml:Attribute>"

    proven = _verify(as_bytes(signed_answer(ANSWER, KEY, text.replace("</saml:Attribute>", value))))

    assert (proven.identity.email, proven.identity.email_fault) == (None, SsoFault.EMAIL_MISSING)


@for_each("place", ["around", "signature of the evil one", "in the evil signature", "in an object"])
def test_signature_holds_for_no_element_around_the_signed_one(place: str) -> None:
    evil = etree.fromstring(_wrapped_assertion(place)).find(f"{ASSERTION}Assertion")
    assert evil is not None
    assert evil.get("ID") == "_evil"

    with pytest.raises(SignatureError):
        verified_copy(evil, [KEY.certificate])
