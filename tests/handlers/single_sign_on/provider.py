"""An OpenID Connect provider over TLS, whose answers a test can change.

It signs what it is told to sign, so that a forged answer differs from an accepted one in one point.
"""

import base64
import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.stores.private_authority import Authority

CLIENT_ID = "tenancy-client"
CLIENT_SECRET = "a-secret-of-the-provider"
ACCESS_TOKEN = "an-access-token"
SUBJECT = "subject-1"

type Claims = dict[str, Any]
type MakeToken = Callable[[Claims], str]


@dataclass(slots=True, kw_only=True)
class SigningKey:
    """A key of a provider, RSA or P-256."""

    kid: str
    private: Any
    algorithm: str

    @classmethod
    def rsa(cls, kid: str) -> "SigningKey":
        return cls(kid=kid, private=rsa.generate_private_key(65_537, 2_048), algorithm="RS256")

    @classmethod
    def ec(cls, kid: str) -> "SigningKey":
        return cls(kid=kid, private=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")

    def jwk(self, **changes: object) -> dict[str, Any]:
        """Return the public key as providers publish it."""
        made = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        made.pop("key_ops", None)
        return {**made, "kid": self.kid, "use": "sig", **changes}

    def sign(self, claims: Claims, **headers: object) -> str:
        return jwt.encode(claims, self.private, self.algorithm, headers={"kid": self.kid, **headers})


@dataclass(slots=True, kw_only=True)
class Person:
    """The person who is logged in at the provider."""

    subject: str = SUBJECT
    email: str = "ada@acme.example"
    email_verified: object = True


@dataclass(slots=True, kw_only=True)
class Provider:
    """A provider whose answers a test can change. *codes* are the issued codes with their requests."""

    issuer: str
    key: SigningKey
    person: Person = field(default_factory=Person)
    change_claims: Callable[[Claims], Claims] = lambda claims: claims
    make_token: MakeToken | None = None
    keys: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    change_tokens: Callable[[dict[str, Any]], Any] = lambda tokens: tokens
    token_status: int = 200
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)
    before_answer: Callable[[str], None] = lambda _path: None

    def authorize(self, url: str) -> dict[str, str]:
        """Answer the browser that comes with *url*: return the members of the answer's query."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            **self.metadata,
        }

    def answer_get(self, path: str) -> tuple[int, object]:
        self.before_answer(path)
        if path == "/.well-known/openid-configuration":
            return 200, self.document()
        if path == "/jwks":
            return 200, {"keys": self.keys if self.keys is not None else [self.key.jwk()]}
        return (200, self.documents[path]) if path in self.documents else (404, {})

    def answer_post(self, form: Mapping[str, str], authorization: str) -> tuple[int, object]:
        sent = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        pair = sent or f"{form.get('client_id')}:{form.get('client_secret')}"
        asked = self.codes.pop(form["code"], None)
        if asked is None or pair != f"{CLIENT_ID}:{CLIENT_SECRET}" or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        claims = self.change_claims(self.claims_for(asked))
        token = self.make_token(claims) if self.make_token else self.key.sign(claims)
        tokens = {"id_token": token, "access_token": ACCESS_TOKEN, "token_type": "Bearer"}
        return self.token_status, self.change_tokens(tokens)

    def claims_for(self, asked: Mapping[str, str]) -> Claims:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": self.person.subject,
            "aud": asked["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "at_hash": half_hash(ACCESS_TOKEN),
            "email": self.person.email,
            "email_verified": self.person.email_verified,
        }


def half_hash(text: str) -> str:
    """Return the left half of the SHA-256 of *text*, as `at_hash` has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


@contextmanager
def serving_provider(authority: Authority, host: str, key: SigningKey) -> Iterator[Provider]:
    """Serve a provider at *host*, which must be below localhost."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.requests.append(self.path)
            self._send(*provider.answer_get(urlsplit(self.path).path))

        def do_POST(self) -> None:
            provider.requests.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(*provider.answer_post(form, self.headers.get("Authorization", "")))

        def _send(self, status: int, document: object) -> None:
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    provider = Provider(issuer=f"https://{host}:{server.server_port}", key=key)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
