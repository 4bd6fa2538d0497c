"""A SAML provider of the tests: its metadata and its signed answers, which a test may change before or after."""

from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.saml.connection import SamlProvider
from tenancy.rules.saml.instant import format_instant
from tenancy.rules.saml.provider import REDIRECT
from tenancy.rules.saml.relay_state import relay_state_of, request_id_of
from tests.handlers.functions import API_HOST

KEY_BITS: Final = 2_048
EMAIL_NAME_ID: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SIGN_IN_URL: Final = "https://idp.acme.example/sso"

ASSERTION_TEXT: Final = """\
<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{assertion_id}" Version="2.0" \
IssueInstant="{now}"><saml:Issuer>{issuer}</saml:Issuer><saml:Subject><saml:NameID Format="{name_id_format}">{name_id}\
</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData \
InResponseTo="{request_id}" Recipient="{recipient}" NotOnOrAfter="{later}"/></saml:SubjectConfirmation></saml:Subject>\
<saml:Conditions NotBefore="{now}" NotOnOrAfter="{later}"><saml:AudienceRestriction><saml:Audience>{audience}\
</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{now}">\
<saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password\
</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>\
<saml:Attribute Name="email"><saml:AttributeValue>{email}</saml:AttributeValue></saml:Attribute>\
</saml:AttributeStatement></saml:Assertion>"""
RESPONSE_TEXT: Final = """\
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="{response_id}" Version="2.0" \
IssueInstant="{now}" Destination="{recipient}" InResponseTo="{request_id}"><saml:Issuer \
xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{issuer}</saml:Issuer><samlp:Status><samlp:StatusCode \
Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:Response>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key of a provider with its certificate."""

    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def generate(cls) -> Self:
        """Return a new key."""
        private = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.acme.example")])
        # A provider may go on to sign after its certificate has expired.
        certificate = (
            x509.CertificateBuilder(subject_name=name, issuer_name=name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
            .sign(private, hashes.SHA256())
        )
        return cls(private=private, certificate=certificate)

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlAnswer:
    """The texts of an answer before it is signed."""

    issuer: str = "https://idp.acme.example/metadata"
    audience: str = "https://api.example/v1/auth/sso/metadata"
    recipient: str = "https://api.example/v1/auth/sso/acs"
    request_id: str = "_request"
    response_id: str = "_response"
    assertion_id: str = "_assertion"
    name_id: str = "ada"
    name_id_format: str = PERSISTENT
    email: str = "ada@acme.example"
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    life: timedelta = timedelta(minutes=5)

    def texts(self) -> dict[str, str]:
        """Return the texts for the two templates."""
        members = {name: str(getattr(self, name)) for name in self.__dataclass_fields__ if name not in {"now", "life"}}
        times = {"now": format_instant(self.now), "later": format_instant(self.now + self.life)}
        return members | times

    def assertion(self) -> str:
        """Return the unsigned assertion."""
        return ASSERTION_TEXT.format(**self.texts())

    def response(self) -> etree._Element:
        """Return the answer without an assertion."""
        return etree.fromstring(RESPONSE_TEXT.format(**self.texts()))

    def provider(self, *keys: SigningKey) -> SamlProvider:
        """Return the provider that signs the answer with one of *keys*."""
        certificates = tuple(key.der for key in keys)
        return SamlProvider(entity_id=self.issuer, sign_in_url=SIGN_IN_URL, certificates=certificates)

    def changed(self, **texts: object) -> "SamlAnswer":
        """Return the answer with other *texts*."""
        return replace(self, **texts)  # type: ignore[arg-type]


def sign(
    element: etree._Element,
    key: SigningKey,
    *,
    method: SignatureMethod = SignatureMethod.RSA_SHA256,
    digest: DigestAlgorithm = DigestAlgorithm.SHA256,
) -> etree._Element:
    """Return *element* signed with *key*, as a document of its own."""
    signer = XMLSigner(
        signature_algorithm=method,
        digest_algorithm=digest,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    certificate = key.certificate.public_bytes(Encoding.PEM).decode()
    signed = signer.sign(
        element, key=key.private, cert=certificate, reference_uri=f"#{element.get('ID')}", id_attribute="ID"
    )
    return etree.fromstring(etree.tostring(signed))


def signed_assertion(answer: SamlAnswer, key: SigningKey, text: str | None = None) -> etree._Element:
    """Return the signed assertion of *answer*, or of *text* in its place."""
    return sign(etree.fromstring(text or answer.assertion()), key)


def answer_with(answer: SamlAnswer, *assertions: etree._Element) -> etree._Element:
    """Return the answer with *assertions*."""
    response = answer.response()
    response.extend(assertions)
    return response


def signed_answer(answer: SamlAnswer, key: SigningKey, text: str | None = None) -> etree._Element:
    """Return the answer with one signed assertion, that of *text* if it is given."""
    return answer_with(answer, signed_assertion(answer, key, text))


def as_bytes(response: etree._Element) -> bytes:
    """Return the document of *response*."""
    return etree.tostring(response)


def answer_form(key: SigningKey, state: OpaqueToken, *, issuer: str, **texts: object) -> bytes:
    """Return the form with the answer to the request with *state*, which the API of the tests has sent."""
    api = f"http://{API_HOST}/v1/auth/sso"
    answer = SamlAnswer(
        issuer=issuer,
        audience=f"{api}/metadata?organization={state.organization_id}",
        recipient=f"{api}/acs",
        request_id=request_id_of(state),
    )
    document = as_bytes(signed_answer(answer.changed(**texts), key))
    return urlencode({"SAMLResponse": b64encode(document), "RelayState": relay_state_of(state)}).encode()


def metadata_of(answer: SamlAnswer, *keys: SigningKey) -> str:
    """Return the metadata of the provider with *keys*."""
    certificates = "".join(
        '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
        f"<ds:X509Certificate>{b64encode(key.der).decode()}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for key in keys
    )
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{answer.issuer}">'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f'{certificates}<md:SingleSignOnService Binding="{REDIRECT}" Location="{SIGN_IN_URL}"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )


def find(element: etree._Element, name: str) -> etree._Element:
    """Return the first element of that local *name* in *element*."""
    return next(each for each in element.iter() if etree.QName(each).localname == name)
