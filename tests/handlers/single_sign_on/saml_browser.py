"""Browsers that log in by SAML, and a provider whose answers a test can change."""

import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from lxml import etree

from tests.handlers.requests import Answer, answer_of, sample, with_body, with_headers
from tests.handlers.single_sign_on.browser import REDIRECT_URI, SsoBrowser, query_of
from tests.saml_provider import SamlAnswer, SigningKey, as_bytes, metadata_of, signed_answer

type Form = dict[str, str]


@dataclass(slots=True, kw_only=True)
class SamlIdp:
    """A provider. *texts* replace those of its next answers."""

    key: SigningKey
    entity_id: str = "https://idp.acme.example/metadata"

    @property
    def metadata(self) -> str:
        return metadata_of(SamlAnswer(issuer=self.entity_id), self.key)

    def answer(self, location: str, **texts: object) -> Form:
        """Answer the browser that comes with *location*: return the form that it sends to us."""
        members = query_of(location)
        return form_of(self.signed(location, **texts), members["RelayState"])

    def signed(self, location: str, **texts: object) -> bytes:
        """Return the signed answer to the request in *location*, with other *texts*."""
        asked = request_in(location)
        answer = SamlAnswer(
            issuer=self.entity_id,
            audience=asked.findtext("{*}Issuer") or "",
            recipient=asked.get("AssertionConsumerServiceURL", ""),
            request_id=asked.get("ID", ""),
            response_id=f"_{uuid4().hex}",
            assertion_id=f"_{uuid4().hex}",
        ).changed(**texts)
        return as_bytes(signed_answer(answer, self.key))


@dataclass(slots=True, kw_only=True)
class SamlBrowser(SsoBrowser):
    """A browser with its cookies. A POST from the provider's page has none of them."""

    def send(self, form: Form | bytes) -> Answer:
        """Send the provider's answer to us."""
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        return answer_of(self.sso(with_body(with_headers(sample("sso", "take_answer"), cookie=None), body)))

    def finish(self, location: str) -> Answer:
        """Go to the URL of the answer to the form."""
        return self._get("finish_saml", query_of(location))

    def log_in_at(self, idp: SamlIdp, **texts: object) -> Answer:
        """Make the whole way, and return the answer with the tokens or the first refusal."""
        sent = self.send(idp.answer(self.start().headers["location"], **texts))
        if sent.status != 303:
            return sent
        finished = self.finish(sent.headers["location"])
        return self.exchange(query_of(finished.headers["location"])["code"]) if finished.status == 302 else finished


def form_of(document: bytes, relay_state: str) -> Form:
    return {"SAMLResponse": b64encode(document).decode(), "RelayState": relay_state}


def request_in(location: str) -> etree._Element:
    """Return the request in the URL of the provider."""
    packed = b64decode(query_of(location)["SAMLRequest"], validate=True)
    return etree.fromstring(zlib.decompress(packed, wbits=-15))


def saml_settings(idp: SamlIdp, **changes: object) -> dict[str, Any]:
    body = {
        "type": "saml",
        "metadata_xml": idp.metadata,
        "default_role": "viewer",
        "redirect_uris": [REDIRECT_URI],
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}
