"""Answer a request once per `Idempotency-Key`: a repeated request gets the same answer.

Reasons: docs/decisions/0056-managed-keys.md. Provisioning has its own use case, `provision_once`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from uuid import UUID

import msgspec

from tenancy.errors import IdempotencyKeyReusedError, RequestInProgressError
from tenancy.rules.durations import IDEMPOTENT_ANSWER_RETENTION
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.idempotent_requests import StoredAnswer, find_answer, insert_answer

REUSED: Final = "The Idempotency-Key was used for a different request. Use another Idempotency-Key."
IN_PROGRESS: Final = "Another request with this Idempotency-Key is in progress. Retry."


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatableRequest:
    """A request that a client may repeat.

    *organization_id* is that of the platform's log for a platform key. Without a *key* each request is a new one.
    *digest* is the SHA-256 of the operation and its values.
    """

    organization_id: UUID
    credential_id: UUID
    key: str | None
    digest: bytes

    @classmethod
    def of(
        cls, organization_id: UUID, credential_id: UUID, key: str | None, operation: str, values: object
    ) -> "RepeatableRequest":
        """Return the request for *operation* with *values*.

        msgspec can encode the values. They hold no password.
        """
        content = msgspec.json.encode([operation, values], order="deterministic")
        return cls(
            organization_id=organization_id,
            credential_id=credential_id,
            key=key,
            digest=sha256(content).digest(),
        )

    @property
    def key_digest(self) -> bytes:
        """The SHA-256 of the `Idempotency-Key`."""
        return sha256((self.key or "").encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered[Answer, Effects]:
    """The answer to a request. *effects* are those of the commit, None for a repeated request."""

    answer: Answer
    effects: Effects | None


def answer_once[Answer, Effects](
    platform_db: Homes,
    encryptor: Encryptor,
    request: RepeatableRequest,
    answer_type: type[Answer],
    prepare: Callable[[], Answer],
    commit: Callable[[Connection, Answer], Effects],
    *,
    now: datetime,
) -> Answered[Answer, Effects]:
    """Make a change and return its answer, or return the answer of an equal earlier request.

    *prepare* chooses ids and keys, returns the answer, and changes nothing. The answer, of *answer_type*, is encrypted
    before the transaction in which *commit* makes the change. It is committed with the change, and kept for a day. So a
    process that dies before the commit has changed nothing, and after the commit a repeated request gets the answer. Of
    equal requests at the same time one makes the change. A refused request stores no answer.

    Raises:
        IdempotencyKeyReusedError: the key was used for a different request.
        RequestInProgressError: another request with the key was refused or expired at this moment.
        UnavailableError: a store is unreachable. The change may be committed. A retry with the key is safe.
        Refusal: as *prepare* and *commit* raise it. Nothing was changed.
    """
    if request.key is None:
        answer = prepare()
        with platform_db.tenant_transaction(request.organization_id) as conn:
            return Answered(answer=answer, effects=commit(conn, answer))
    found = _find(platform_db, encryptor, request, answer_type, now=now)
    if found is not None:
        return Answered(answer=found, effects=None)
    answer = prepare()
    sealed = encryptor.encrypt(msgspec.json.encode(answer), request.organization_id)
    stored = StoredAnswer(request_digest=request.digest, answer=sealed)
    with platform_db.tenant_transaction(request.organization_id) as conn:
        # The first statement: an equal request waits here, before it changes or locks anything.
        if _insert(conn, request, stored, now=now):
            return Answered(answer=answer, effects=commit(conn, answer))
    found = _find(platform_db, encryptor, request, answer_type, now=now)
    if found is None:
        raise RequestInProgressError(IN_PROGRESS)
    return Answered(answer=found, effects=None)


def _insert(conn: Connection, request: RepeatableRequest, stored: StoredAnswer, *, now: datetime) -> bool:
    since = now - IDEMPOTENT_ANSWER_RETENTION
    organization_id, credential_id = request.organization_id, request.credential_id
    return insert_answer(conn, organization_id, credential_id, request.key_digest, stored, since=since, now=now)


def _find[Answer](
    platform_db: Homes, encryptor: Encryptor, request: RepeatableRequest, answer_type: type[Answer], *, now: datetime
) -> Answer | None:
    organization_id, since = request.organization_id, now - IDEMPOTENT_ANSWER_RETENTION
    with platform_db.tenant_transaction(organization_id) as conn:
        stored = find_answer(conn, organization_id, request.credential_id, request.key_digest, since=since)
    if stored is None:
        return None
    if not compare_digest(stored.request_digest, request.digest):
        raise IdempotencyKeyReusedError(REUSED)
    return msgspec.json.decode(encryptor.decrypt(stored.answer, organization_id), type=answer_type)
