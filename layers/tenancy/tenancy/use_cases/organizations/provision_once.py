"""Provision once per `Idempotency-Key`: a repeated request gets the same answer."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import uuid4

import msgspec
from argon2.exceptions import VerifyMismatchError

from tenancy.errors import IdempotencyKeyReusedError, Refusal, RequestInProgressError, UnavailableError
from tenancy.rules.audit_record import Actor
from tenancy.rules.durations import PROVISIONING_CLAIM_TIME
from tenancy.rules.new_organization import NewOrganization
from tenancy.rules.people.password_hashes import HASHER
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.provisioning_requests import (
    RequestKey,
    StoredRequest,
    delete_request,
    find_request,
    insert_request,
    take_request,
    update_answer,
)
from tenancy.use_cases.organizations.provision import (
    Provisioned,
    claimed,
    ensure_gateway_key,
    hash_password,
    insert_provisioned,
    prepare_organization,
    put_gateway_key,
)
from tenancy.use_cases.outbox.run_entries import OutboxTargets

TAKEN_OVER: Final = "A later request with this Idempotency-Key continues the provisioning. Retry to get its answer."
IN_PROGRESS: Final = "Another request with this Idempotency-Key is in progress. Retry."


def provision_once(
    platform_db: Homes,
    targets: OutboxTargets,
    encryptor: Encryptor,
    new: NewOrganization,
    actor: Actor,
    *,
    idempotency_key: str,
    now: datetime,
) -> Provisioned:
    """Provision *new*, or return the answer of an equal earlier request of the same credential.

    The answer has the keys in full. It is encrypted, committed with the organization, and stored for a day. If a
    request dies before its commit, the next request with the same key provisions the organization. A refused request
    releases its key.

    Raises:
        SubdomainTakenError, UnavailableError: as for `provision_organization`.
        IdempotencyKeyReusedError: the key was used for a different request.
        RequestInProgressError: another request with the key is running.
    """
    key = RequestKey(credential_id=actor.id, digest=sha256(idempotency_key.encode()).digest())
    request = _claim(platform_db, key, new, now=now)
    if request.answer is not None:
        answer = encryptor.decrypt(request.answer, request.organization_id)
        provisioned = msgspec.json.decode(answer, type=Provisioned)
        ensure_gateway_key(platform_db, targets, provisioned.organization.id, now=now)
    else:
        with _released_on_refusal(platform_db, key, request):
            provisioned = prepare_organization(request.organization_id, new, now=now)
            password_hash = hash_password(new)
            answer = encryptor.encrypt(msgspec.json.encode(provisioned), request.organization_id)
            with (
                claimed(platform_db, provisioned, now=now),
                platform_db.tenant_transaction(request.organization_id) as conn,
            ):
                if len(platform_db.every()) > 1:  # the answer is committed with the organization, in its home
                    insert_request(conn, key, request, now=now)
                if not update_answer(conn, key, answer, claimed_until=request.claimed_until):
                    raise RequestInProgressError(TAKEN_OVER)
                gateway_key = insert_provisioned(conn, provisioned, password_hash, actor, now=now)
        put_gateway_key(platform_db, targets, gateway_key, now=now)
    return provisioned


def _claim(platform_db: Homes, key: RequestKey, new: NewOrganization, *, now: datetime) -> StoredRequest:
    """Return the stored request: claimed by the caller, or with its answer."""
    body = _canonical(new)
    until = now + PROVISIONING_CLAIM_TIME
    request = StoredRequest(organization_id=uuid4(), request_hash=HASHER.hash(body), claimed_until=until)
    with platform_db.catalogue.transaction() as conn:
        if insert_request(conn, key, request, now=now):
            return request
        found = find_request(conn, key)
    if found is None:  # another request was refused and released the key in between
        raise RequestInProgressError(IN_PROGRESS)
    _require_same(found, body)
    if found.answer is None and len(platform_db.every()) > 1:
        with platform_db.tenant_transaction(found.organization_id) as conn:
            found = find_request(conn, key) or found
    return found if found.answer is not None else _take_over(platform_db, key, found, until=until, now=now)


def _take_over(
    platform_db: Homes, key: RequestKey, found: StoredRequest, *, until: datetime, now: datetime
) -> StoredRequest:
    if found.claimed_until <= now:
        with platform_db.catalogue.transaction() as conn:
            if take_request(conn, key, seen=found.claimed_until, until=until, now=now):
                return replace(found, claimed_until=until)
    raise RequestInProgressError(IN_PROGRESS)


@contextmanager
def _released_on_refusal(platform_db: Homes, key: RequestKey, request: StoredRequest) -> Iterator[None]:
    """Release the key if the block is refused. A claim that cannot be released expires."""
    try:
        yield
    except Refusal:
        with suppress(UnavailableError), platform_db.catalogue.transaction() as conn:
            delete_request(conn, key, claimed_until=request.claimed_until)
        raise


def _canonical(new: NewOrganization) -> bytes:
    password = new.admin_password.get_secret_value()
    return msgspec.json.encode([new.name, new.subdomain, new.admin_email, password, new.tier])


def _require_same(found: StoredRequest, body: bytes) -> None:
    try:
        HASHER.verify(found.request_hash, body)
    except VerifyMismatchError:
        raise IdempotencyKeyReusedError(
            "The Idempotency-Key was used for a different request. Use a new key."
        ) from None
