"""The users of PostgreSQL. Each role has two: one is in use, and the other one gets the next password."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

SUFFIX: Final = "_clone"  # the name that Secrets Manager's own rotation gives to a second user
ROLE_PREFIX: Final = "tenancy_"
PASSWORD_BYTES: Final = 32
ARN_SUFFIX_LENGTH: Final = len("-AbCdEf")


class RotatedSecret(StrEnum):
    """The secrets whose users are rotated, each with the URL of one role."""

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

    def with_other_user(self) -> "DatabaseUrl":
        """Return the URL with the other user of the role, and a new password.

        Raises:
            RotationError: the user is neither of the two.
        """
        others = {self.role: f"{self.role}{SUFFIX}", f"{self.role}{SUFFIX}": self.role}
        if self.user not in others:
            raise RotationError(f"The user {self.user!r} is none of {self.role} and {self.role}{SUFFIX}.")
        parts = urlsplit(self.text)
        server = parts.netloc.rpartition("@")[2]
        user_info = f"{quote(others[self.user], safe='')}:{secrets.token_urlsafe(PASSWORD_BYTES)}"
        return DatabaseUrl(role=self.role, text=urlunsplit(parts._replace(netloc=f"{user_info}@{server}")))
