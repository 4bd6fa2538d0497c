"""Rotate or withdraw the keys that sign access tokens, in the two secrets that hold them.

The public keys are written first. So a process never signs with a key that no other process can find. A run that dies
between the two writes leaves a public key that nothing signs with, or a withdrawn key that verifies nothing any more.
The next run finishes either.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

import msgspec

from tenancy.rules.access_tokens.token_keys import (
    NOTHING_PUBLISHED,
    SigningKeys,
    TokenKeys,
    TokenKeysError,
    VerifyingKeys,
    generate_token_key,
    rotate_keys,
    withdraw_key,
)
from tenancy.stores.aws.secrets import TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS, SecretChangedError, Secrets, StoredSecret

ATTEMPTS: Final = 3

type Change = Callable[[TokenKeys], TokenKeys]


def rotate_token_keys(secrets: Secrets, *, now: datetime) -> TokenKeys:
    """Store the keys that are due at *now*, and return them.

    Nothing is written if nothing is due. Two runs at the same time do no harm: each write replaces only the version
    that its run has read.

    Raises:
        TokenKeysError: a secret is malformed, or too many keys would be public. Nothing was changed.
        SecretChangedError: other processes changed the secrets at each attempt.
        UnavailableError: Secrets Manager is unreachable. The next run finishes the change.
    """
    return _change(secrets, lambda keys: rotate_keys(keys, now=now, generate=generate_token_key))


def withdraw_token_key(secrets: Secrets, kid: str, *, now: datetime) -> TokenKeys:
    """Remove the key *kid* from both secrets, and return the keys that are left. Idempotent.

    Raises:
        TokenKeysError: no key has this id, or a secret is malformed. Nothing was changed.
        SecretChangedError: other processes changed the secrets at each attempt. Withdraw the key again.
        UnavailableError: Secrets Manager is unreachable. Withdraw the key again.
    """
    return _change(secrets, lambda keys: withdraw_key(keys, kid, now=now, generate=generate_token_key))


def _change(secrets: Secrets, change: Change) -> TokenKeys:
    for _ in range(ATTEMPTS - 1):
        with suppress(SecretChangedError):
            return _change_once(secrets, change)
    return _change_once(secrets, change)


def _change_once(secrets: Secrets, change: Change) -> TokenKeys:
    private, public = secrets.read_secret(TOKEN_SIGNING_KEYS), secrets.read_secret(TOKEN_PUBLIC_KEYS)
    keys = TokenKeys(
        signing=_decode(TOKEN_SIGNING_KEYS, private, SigningKeys),
        verifying=_decode(TOKEN_PUBLIC_KEYS, public, VerifyingKeys) or NOTHING_PUBLISHED,
    )
    changed = change(keys)
    _replace(secrets, TOKEN_PUBLIC_KEYS, public, keys.verifying, changed.verifying)
    _replace(secrets, TOKEN_SIGNING_KEYS, private, keys.signing, changed.signing)
    return changed


def _decode[T](name: str, stored: StoredSecret, kind: type[T]) -> T | None:
    """Return the keys in a secret, or None without a value. The text `null` counts as none."""
    try:
        return msgspec.json.decode(stored.text or "null", type=kind | None)
    except msgspec.MsgspecError as error:
        raise TokenKeysError(f"The secret {name} is malformed. Store its former text again.") from error


def _replace(secrets: Secrets, name: str, read: StoredSecret, before: object, after: object) -> None:
    if after != before or read.text is None:
        secrets.replace_secret(name, msgspec.json.encode(after).decode(), read=read)
