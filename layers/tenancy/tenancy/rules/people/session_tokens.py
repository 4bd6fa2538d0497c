"""Successors of used refresh tokens, encrypted for repeated requests.

An answer can be lost, and two tabs of a browser can refresh at once. So a used token is answered with the same
successor for a while. The key is derived from the text of the used token (HKDF-SHA256), which no store has. So only a
client with the used token can cause the decryption. AES-256-GCM binds the text to the used token's digest.
"""

import secrets
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenancy.rules.people.opaque_tokens import OpaqueToken

SUCCESSOR_KEY_USE: Final = b"tenancy: successor of a refresh token, 1"
SUCCESSOR_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


def encrypt_successor(used: OpaqueToken, successor: OpaqueToken) -> bytes:
    """Return *successor* encrypted with a key that only the holder of *used* can derive."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher_of(used).encrypt(nonce, successor.text.encode(), used.digest)


def decrypt_successor(used: OpaqueToken, encrypted: bytes) -> OpaqueToken:
    """Return the successor of *used*.

    Raises:
        cryptography.exceptions.InvalidTag: *encrypted* belongs to another token, or was changed.
    """
    nonce, text = encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:]
    return OpaqueToken(_cipher_of(used).decrypt(nonce, text, used.digest).decode())


def _cipher_of(used: OpaqueToken) -> AESGCM:
    derivation = HKDF(algorithm=SHA256(), length=SUCCESSOR_KEY_BYTES, salt=None, info=SUCCESSOR_KEY_USE)
    return AESGCM(derivation.derive(used.text.encode()))
