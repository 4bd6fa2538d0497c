"""The register of erasures and of ended keys, for the replay on a restored backup.

Entries are kept outside the databases. An id is random (122 bits). So its SHA-256 reveals nothing to a reader without
the id. Reasons: docs/decisions/0080-register-and-replay.md.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tenancy.rules.erasures import DataSubject, ErasureJob, SubjectKind

DIGEST_PREFIX: Final = b"tenancy register 1"
ORGANIZATIONS: Final = "organizations"
KEYS: Final = "keys"
SUBJECTS: Final = "subjects"
DELETIONS: Final = "deletions"
UNDONE: Final = "undone"
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
GENERATIONS: Final = range(1, 2**31 - 1)  # PostgreSQL's integer, with room for one more
YEARS: Final = range(2000, 2200)  # that both databases store


class MalformedRegisterError(Exception):
    """An object of the register is no entry. The message has its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEntry:
    """One object: its name and its content. Entries with the same name mean the same, so the first one stays."""

    name: str
    content: Mapping[str, Any]

    @property
    def body(self) -> bytes:
        """The content as JSON."""
        return json.dumps(dict(self.content), sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredErasure:
    """The erasure of a data subject, as its entry has it."""

    id: UUID
    subject: DataSubject
    requested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredChanges:
    """All entries, by digest.

    *organizations* are those that were erased, or whose erasure had begun. *key_ends* has the end of each key by the
    digest of its organization. *subjects* has the erasures of data subjects by organization. *deletions* has the end of
    the grace period by organization and generation, *undone* the generations that were undone. *malformed* are the
    names of objects that are no entries.
    """

    organizations: set[str] = field(default_factory=set)
    key_ends: dict[str, dict[str, datetime]] = field(default_factory=dict)
    subjects: dict[str, list[RegisteredErasure]] = field(default_factory=dict)
    deletions: dict[str, dict[int, datetime]] = field(default_factory=dict)
    undone: dict[str, set[int]] = field(default_factory=dict)
    malformed: list[str] = field(default_factory=list)

    def add_found(self, name: str, body: bytes) -> None:
        """Add the object *name*, which is an entry or malformed.

        One object must not stop a restore: nobody can delete it.
        """
        try:
            self.add(name, body)
        except MalformedRegisterError:
            self.malformed.append(name)

    def add(self, name: str, body: bytes) -> None:
        """Add the entry *name*. If a key has several ends, the first one counts.

        Raises:
            MalformedRegisterError: it is no entry.
        """
        try:
            kind, organization, *rest = name.split("/")
            content = json.loads(body)
            if not DIGEST.fullmatch(organization):
                raise MalformedRegisterError(f"{name} has no digest.")
            match kind:
                case "organizations":
                    self.organizations.add(organization)
                case "keys":
                    self._add_keys(organization, content)
                case "subjects":
                    self.subjects.setdefault(organization, []).append(_erasure(content))
                case "deletions":
                    self._add_deletion(organization, rest, content)
                case _:
                    raise MalformedRegisterError(f"{name} is no kind of entry.")
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise MalformedRegisterError(f"{name} is no entry of the register.") from error

    def last_deletion(self, organization: str) -> tuple[int, datetime | None]:
        """Return the generation of the last deletion, and the end of its grace period, None if it was undone.

        The organization has an entry of a deletion.
        """
        deletions, undone = self.deletions.get(organization, {}), self.undone.get(organization, set())
        last = max(deletions.keys() | undone)
        return last, None if last in undone else deletions[last]

    def _add_deletion(self, organization: str, rest: list[str], content: Mapping[str, Any]) -> None:
        generation, *undone = int(rest[0]), *rest[1:]
        if generation not in GENERATIONS or undone not in ([], [UNDONE]):
            raise ValueError(rest)
        if undone:
            self.undone.setdefault(organization, set()).add(generation)
        else:
            purge_at = _time(content["purge_at"])
            self.deletions.setdefault(organization, {})[generation] = purge_at

    def _add_keys(self, organization: str, content: Mapping[str, Any]) -> None:
        ends_at = _time(content["ends_at"])
        ends = self.key_ends.setdefault(organization, {})
        for key in content["keys"]:
            ends[key] = min(ends_at, ends.get(key, ends_at))


def digest_of(organization_id: UUID, other_id: UUID | None = None) -> str:
    """Return the digest of an organization, or of a key or an erasure of it."""
    ids = [organization_id] if other_id is None else [organization_id, other_id]
    return hashlib.sha256(b"".join([DIGEST_PREFIX, *(each.bytes for each in ids)])).hexdigest()


def erased_organization(organization_id: UUID, *, closed_at: datetime) -> RegisterEntry:
    """Return the entry of an organization that got its tombstone at *closed_at*."""
    name = f"{ORGANIZATIONS}/{digest_of(organization_id)}"
    return RegisterEntry(name=name, content={"closed_at": closed_at.isoformat()})


def marked_deletion(organization_id: UUID, generation: int, *, purge_at: datetime) -> RegisterEntry:
    """Return the entry of a deletion whose grace period ends at *purge_at*."""
    name = f"{DELETIONS}/{digest_of(organization_id)}/{generation}"
    return RegisterEntry(name=name, content={"purge_at": purge_at.isoformat()})


def undone_deletion(organization_id: UUID, generation: int) -> RegisterEntry:
    """Return the entry of a deletion that was undone within its grace period."""
    return RegisterEntry(name=f"{DELETIONS}/{digest_of(organization_id)}/{generation}/{UNDONE}", content={})


def ended_keys(organization_id: UUID, key_ids: Iterable[UUID], *, ends_at: datetime) -> RegisterEntry:
    """Return the entry of keys that end at *ends_at*. Platform keys have the id of the platform's log."""
    digests = sorted(digest_of(organization_id, key_id) for key_id in key_ids)
    content = {"ends_at": ends_at.isoformat(), "keys": digests}
    of_content = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return RegisterEntry(name=f"{KEYS}/{digest_of(organization_id)}/{of_content}", content=content)


def erased_subject(job: ErasureJob) -> RegisterEntry:
    """Return the entry of the erasure of a data subject. It has the salted digest of the subject's name."""
    organization = digest_of(job.organization_id)
    content = {
        "id": str(job.id),
        "subject_kind": job.subject.kind.value,
        "salt": job.subject.salt.hex(),
        "digest": job.subject.digest.hex(),
        "requested_at": job.requested_at.isoformat(),
    }
    return RegisterEntry(name=f"{SUBJECTS}/{organization}/{digest_of(job.organization_id, job.id)}", content=content)


def _erasure(content: Mapping[str, Any]) -> RegisteredErasure:
    subject = DataSubject(
        kind=SubjectKind(content["subject_kind"]),
        salt=bytes.fromhex(content["salt"]),
        digest=bytes.fromhex(content["digest"]),
    )
    return RegisteredErasure(id=UUID(content["id"]), subject=subject, requested_at=_time(content["requested_at"]))


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or time.year not in YEARS:
        raise ValueError(text)
    return time
