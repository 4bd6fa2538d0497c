"""The stack's own secrets, made once at random, in a file that only its owner can read."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

PASSWORD_BYTES = 24
KEY_ID_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Passwords of the databases' roles, and the private JSON Web Key that signs access tokens."""

    superuser: str
    owner: str
    functions: str
    platform: str
    authorizer: str
    valkey: str
    signing_key: dict[str, Any]

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the credentials kept in *directory*, and make the missing ones.

        A stack of an older release lacks those that came later.
        """
        file = directory / "credentials.json"
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        made: dict[str, Any] = {each.name: secrets.token_urlsafe(PASSWORD_BYTES) for each in fields(cls)}
        made["signing_key"] = _new_signing_key()
        loaded = cls(**(made | kept))
        if asdict(loaded) != kept:
            write_private(file, json.dumps(asdict(loaded), indent=2))
        return loaded

    def private_key_set(self) -> str:
        """Return the JSON Web Key Set that signs."""
        return json.dumps({"keys": [self.signing_key]})

    def public_key_set(self) -> str:
        """Return the JSON Web Key Set that verifies, which has no private members."""
        return json.dumps({"keys": [{name: value for name, value in self.signing_key.items() if name != "d"}]})


def write_private(file: Path, text: str) -> None:
    """Write *text* to *file*, readable for its owner only, as a whole or not at all."""
    partial = file.with_name(f"{file.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as output:
        output.write(text)
    partial.rename(file)


def _new_signing_key() -> dict[str, Any]:
    key = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()), as_dict=True)
    return {**key, "kid": secrets.token_hex(KEY_ID_BYTES), "alg": "ES256", "use": "sig"}
