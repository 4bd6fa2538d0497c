"""Hashes of passwords: argon2id with the current parameters."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP password storage cheat sheet: argon2id with 19 MiB, two passes, one lane.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# The hash of no known text, with the current parameters. Its digest is 32 random bytes.
DUMMY_HASH: Final = "$argon2id$v=19$m=19456,t=2,p=1$CSkcy4Bkhoogihx8C6841w$FlYDMp7ONOHqH6Cpjh9INPhz0+qwCHMpuXoqVu5ykB0"


def is_password_of(password_hash: str | None, password: str) -> bool:
    """Return whether *password* belongs to the stored hash.

    Exactly one hash is computed. Without a stored hash the result is false, and takes as long. *password* is in the
    form that was hashed.
    """
    try:
        HASHER.verify(password_hash or DUMMY_HASH, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def upgrade_hash(password_hash: str, password: str) -> str | None:
    """Return a hash with the current parameters, or None if *password_hash* has them."""
    return HASHER.hash(password) if HASHER.check_needs_rehash(password_hash) else None
