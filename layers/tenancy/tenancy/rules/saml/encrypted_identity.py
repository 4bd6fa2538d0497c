"""The person whom a SAML answer proves, encrypted with a key of the finish token.

The answer of a provider comes without the browser's cookie. Until the browser comes with it, the person waits in the
row of the log-in. The row has the digest of the finish token, from which the key cannot be derived. So an abandoned
log-in leaves no e-mail address behind.
"""

import hashlib
import secrets
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.sso.id_token import ProvenIdentity
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError

KEY_USE: Final = b"tenancy: single sign-on, 1: identity: "
IDENTITY_NONCE_BYTES: Final = 12


def encrypt_identity(identity: ProvenIdentity, token: OpaqueToken, state_digest: bytes) -> bytes:
    """Encrypt *identity* for the holder of *token*, and bind it to the log-in of *state_digest*."""
    nonce = secrets.token_bytes(IDENTITY_NONCE_BYTES)
    return nonce + AESGCM(_key_of(token)).encrypt(nonce, msgspec.json.encode(identity), state_digest)


def decrypt_identity(encrypted: bytes, token: OpaqueToken, state_digest: bytes) -> ProvenIdentity:
    """Return the encrypted person.

    Raises:
        SsoRefusedError: it was encrypted with another token, or for another log-in.
    """
    try:
        text = AESGCM(_key_of(token)).decrypt(
            encrypted[:IDENTITY_NONCE_BYTES], encrypted[IDENTITY_NONCE_BYTES:], state_digest
        )
    except InvalidTag as error:
        raise SsoRefusedError(SsoFault.STATE_UNKNOWN) from error
    return msgspec.json.decode(text, type=ProvenIdentity)


def _key_of(token: OpaqueToken) -> bytes:
    return hashlib.sha256(KEY_USE + token.text.encode()).digest()
