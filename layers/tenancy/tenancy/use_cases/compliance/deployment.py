"""The settings of the deployment that a function can read, cached for some minutes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from tenancy.errors import UnavailableError
from tenancy.rules.compliance import Setting
from tenancy.rules.durations import DEPLOYED_SETTINGS_MAX_AGE

if TYPE_CHECKING:
    from tenancy.stores.aws.deployed_settings import DeployedSettings

AT_REST: Final = "encryption at rest"
ROTATION: Final = "rotation"
EXPIRY: Final = "expiry of objects"
VERSIONS: Final = "versions of objects"
NOT_ANSWERED: Final = "AWS did not show this setting to the function."
NOT_ASKED: Final = "AWS was too slow, so the function did not ask for this setting."
NOT_VISIBLE: Final = "This function has no right to see it."
# The functions that write reports reach neither the servers' disks nor the services that run them.
HIDDEN_ENCRYPTION: Final = tuple(
    Setting.not_known(subject, aspect, NOT_VISIBLE)
    for subject, aspect in (
        ("PostgreSQL", AT_REST),
        ("ClickHouse", AT_REST),
        ("ClickHouse", "encrypted connection"),
        ("Redis", AT_REST),
        ("Redis", "encrypted connection"),
        ("key that signs access tokens", ROTATION),
    )
)
HIDDEN_BACKUPS: Final = (
    Setting.not_known("PostgreSQL", "snapshots and their retention", NOT_VISIBLE),
    Setting.not_known("ClickHouse", "backups and their retention", NOT_VISIBLE),
)

type Read = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedResources:
    """The resources of the stack by their names in the template: URLs of *queues*, *buckets*, and ids of *keys*."""

    queues: Mapping[str, str]
    buckets: Mapping[str, str]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFacts:
    """The settings of encryption, of retention in buckets, and of backups, as of *read_at*."""

    read_at: datetime
    encryption: Sequence[Setting]
    retention: Sequence[Setting]
    backups: Sequence[Setting]


class Deployment:
    """The settings of *resources*. All requests of a process within some minutes share one reading."""

    def __init__(self, find_reader: Callable[[], "DeployedSettings"], resources: DeployedResources) -> None:
        """Read with the result of *find_reader*, which is called at the first reading."""
        self._find_reader = find_reader
        self._resources = resources
        self._facts: DeployedFacts | None = None

    def read(self, *, now: datetime, has_time: Callable[[], bool]) -> DeployedFacts:
        """Return the settings. A setting that AWS does not show in time is not known."""
        if self._facts is None or not self._facts.read_at <= now < self._facts.read_at + DEPLOYED_SETTINGS_MAX_AGE:
            self._facts = self._read(now, has_time)
        return self._facts

    def _read(self, now: datetime, has_time: Callable[[], bool]) -> DeployedFacts:
        reader, resources = self._find_reader(), self._resources
        list_settings = partial(_list_settings, has_time)
        return DeployedFacts(
            read_at=now,
            encryption=[
                *list_settings(resources.queues, AT_REST, reader.find_queue_encryption),
                *list_settings(resources.buckets, AT_REST, reader.find_bucket_encryption),
                *list_settings(resources.keys, ROTATION, reader.find_key_rotation),
                *HIDDEN_ENCRYPTION,
            ],
            retention=list_settings(resources.buckets, EXPIRY, reader.find_bucket_expiry),
            backups=[
                *list_settings(resources.buckets, VERSIONS, reader.find_bucket_versions),
                *HIDDEN_BACKUPS,
            ],
        )


def _list_settings(has_time: Callable[[], bool], found: Mapping[str, str], aspect: str, read: Read) -> list[Setting]:
    """Return the *aspect* of each resource. If AWS does not show one resource, the next ones are not requested."""
    settings: list[Setting] = []
    reason = ""
    for name, identifier in found.items():
        reason = reason or ("" if has_time() else NOT_ASKED)
        if not reason:
            try:
                settings.append(Setting.of(name, aspect, read(identifier)))
                continue
            except UnavailableError:
                reason = NOT_ANSWERED
        settings.append(Setting.not_known(name, aspect, reason))
    return settings
