"""The users of PostgreSQL. Each role has two: one is in use, and the other one gets the next password."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tenancy.rules.homes import CATALOGUE, parse_databases

SUFFIX: Final = "_clone"  # the name that Secrets Manager's own rotation gives to a second user
ROLE_PREFIX: Final = "tenancy_"
PASSWORD_BYTES: Final = 32
ARN_SUFFIX_LENGTH: Final = len("-AbCdEf")
SEVERAL_PASSWORDS: Final = (
    "The user {user} has different passwords in the lines of the secret, and these databases have the other user:"
    " {added}. Give each of them the user {user}, with the password that it has on their server. Then rotate again."
)


class RotatedSecret(StrEnum):
    """The secrets whose users are rotated, each with the URLs of one role."""

    DATABASE = "database"
    PLATFORM_DATABASE = "platform-database"
    AUTHORIZER_DATABASE = "authorizer-database"


ROLE_OF: Final[Mapping[RotatedSecret, str]] = MappingProxyType(
    {
        RotatedSecret.DATABASE: "tenancy_functions",
        RotatedSecret.PLATFORM_DATABASE: "tenancy_platform",
        RotatedSecret.AUTHORIZER_DATABASE: "tenancy_authorizer",
    }
)


class RotationStep(StrEnum):
    """The steps in which Secrets Manager calls a rotation function."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


class RotationError(Exception):
    """The rotation cannot go on. The secret in use is unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationRequest:
    """One step of the rotation of *secret*, whose new version has the id *version*."""

    step: RotationStep
    secret: RotatedSecret
    version: str

    @classmethod
    def parse(cls, event: Mapping[str, object], *, prefix: str) -> Self:
        """Return the request in *event*, for a secret under *prefix*.

        Raises:
            RotationError: the event has another form, or names another secret.
        """
        secrets_by_name = {f"{prefix}/{each}": each for each in RotatedSecret}
        try:
            return cls(
                step=RotationStep(str(event["Step"])),
                secret=secrets_by_name[str(event["SecretId"]).rpartition(":secret:")[2][:-ARN_SUFFIX_LENGTH]],
                version=str(event["ClientRequestToken"]),
            )
        except (KeyError, ValueError) as error:
            raise RotationError(
                "Expected `Step`, `ClientRequestToken`, and as `SecretId` the ARN of one of: "
                + ", ".join(secrets_by_name)
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """A URL of PostgreSQL with a user that has the rights of *role*."""

    role: str
    text: str = field(repr=False)

    @property
    def user(self) -> str:
        """The user of the URL."""
        return unquote(urlsplit(self.text).username or "")

    @property
    def password(self) -> str:
        """The password of the user."""
        return unquote(urlsplit(self.text).password or "")

    @property
    def log_in_secret(self) -> str:
        """The secret with the name and password of the user, for RDS Proxy: `functions-password`."""
        name = f"{self.role.removeprefix(ROLE_PREFIX)}-password"
        return name if self.user == self.role else f"{name}-clone"

    @property
    def other_user(self) -> str:
        """The other user of the role.

        Raises:
            RotationError: the user is neither of the two.
        """
        others = {self.role: f"{self.role}{SUFFIX}", f"{self.role}{SUFFIX}": self.role}
        if self.user not in others:
            raise RotationError(f"The user {self.user!r} is none of {self.role} and {self.role}{SUFFIX}.")
        return others[self.user]

    def with_log_in(self, user: str, password: str) -> "DatabaseUrl":
        """Return the URL with *user* and *password* in place of its own."""
        parts = urlsplit(self.text)
        server = parts.netloc.rpartition("@")[2]
        user_info = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return DatabaseUrl(role=self.role, text=urlunsplit(parts._replace(netloc=f"{user_info}@{server}")))

    def has_database_of(self, other: "DatabaseUrl") -> bool:
        """Tell whether both URLs differ in user and password at most."""
        return self.with_log_in("", "").text == other.with_log_in("", "").text


def parse_urls(secret: RotatedSecret, text: str) -> Mapping[str, DatabaseUrl]:
    """Return the URLs in the *text* of a secret by the names of their databases.

    Raises:
        DatabaseListError: as for `parse_databases`.
    """
    role = ROLE_OF[secret]
    return {name: DatabaseUrl(role=role, text=url) for name, url in parse_databases(text).items()}


def format_urls(urls: Mapping[str, DatabaseUrl]) -> str:
    """Return the text of a secret: one URL, or a line `name URL` for each of several databases."""
    if len(urls) == 1:
        return urls[CATALOGUE].text
    return "\n".join(f"{name} {url.text}" for name, url in urls.items())


def choose_next_urls(urls: Mapping[str, DatabaseUrl]) -> Mapping[str, DatabaseUrl]:
    """Return the URLs of the next version.

    No user that is in use gets another password. All databases get the other user, with one new password: databases of
    one server share their users, and proxies share the secret of a user. If a database was added with a user that
    differs from that of the first database, it gets the user and the password of the first one instead, and all others
    stay as they are.

    Raises:
        RotationError: a user is neither of the two. Or it is unknown which password such a database would get: the user
            of the first one has several.
    """
    first, others = urls[CATALOGUE], {url.other_user for url in urls.values()}
    if len(others) == 1:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        return {name: url.with_log_in(first.other_user, password) for name, url in urls.items()}
    if len({url.password for url in urls.values() if url.user == first.user}) > 1:
        added = ", ".join(name for name, url in urls.items() if url.user != first.user)
        raise RotationError(SEVERAL_PASSWORDS.format(user=first.user, added=added))
    return {
        name: url if url.user == first.user else url.with_log_in(first.user, first.password)
        for name, url in urls.items()
    }
