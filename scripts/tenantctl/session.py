"""One run of a command: the profile, the API for each credential, and the terminal."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self
from uuid import UUID

import typer

from scripts.tenantctl.api import Api, Credential
from scripts.tenantctl.errors import CommandError, ExitCode
from scripts.tenantctl.keyring import describe_source, find_key
from scripts.tenantctl.profiles import KeySource, Profile, find_profile
from scripts.tenantctl.terminal import Terminal, require_output
from scripts.tenantctl.texts import countdown


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalOptions:
    """The options that stand before the command."""

    profile: str | None
    timeout_seconds: float
    is_key_on_stdin: bool


class Session:
    """One run of a command. The profile and the keys are read when they are first needed."""

    def __init__(self, options: GlobalOptions, terminal: Terminal) -> None:
        """Take the options before the command, and where it writes."""
        self.options = options
        self.terminal = terminal

    @classmethod
    def of(cls, ctx: typer.Context, *, as_json: bool) -> Self:
        """Return the session of the command that *ctx* runs."""
        require_output()
        return cls(ctx.find_object(GlobalOptions) or _no_options(), Terminal(is_json=as_json))

    @cached_property
    def profile(self) -> Profile:
        """The chosen profile, or the local stack."""
        return find_profile(self.options.profile, environ=os.environ, folder=Path.cwd())

    @cached_property
    def platform(self) -> Api:
        """The API for the operator."""
        return self._api_with("platform key", self.profile.platform_key)

    @cached_property
    def tenant(self) -> Api:
        """The API for an organization."""
        return self._api_with("secret key", self.profile.secret_key)

    @cached_property
    def public(self) -> Api:
        """The routes that need no credential."""
        return self._api(None)

    def organization_id(self, named: str) -> str:
        """Return the id of the organization with the id or the subdomain *named*.

        Raises:
            CommandError: no organization has that subdomain.
        """
        try:
            return str(UUID(named))
        except ValueError:
            pass
        subdomain = named.lower()
        with self.terminal.waiting_quietly(f"Looking for {subdomain}"):
            found = self._find_subdomain(subdomain)
        if found is None:
            detail = (
                f"No organization has the subdomain {subdomain}. `tenantctl orgs list` shows the subdomains and ids. "
                "A name is not accepted here, and an erased organization has only its id."
            )
            raise CommandError.of(ExitCode.NOT_FOUND, "not_found", detail)
        return found

    def _find_subdomain(self, subdomain: str) -> str | None:
        cursor = None
        while True:
            page = self.platform.get("organizations", query={"cursor": cursor, "limit": 100})
            for each in page["data"]:
                if each["subdomain"] == subdomain:
                    return str(each["id"])
            if not page["pagination"]["has_more"]:
                return None
            cursor = page["pagination"]["next_cursor"]

    def _api_with(self, kind: str, source: KeySource | None) -> Api:
        is_on_stdin = self.options.is_key_on_stdin
        text = find_key(kind, source, environ=os.environ, is_on_stdin=is_on_stdin)
        described = describe_source(kind, source, environ=os.environ, is_on_stdin=is_on_stdin)
        return self._api(Credential(text=text, description=described))

    def _api(self, credential: Credential | None) -> Api:
        timeout_seconds = self.options.timeout_seconds
        return Api(self.profile.api_url, credential, timeout_seconds=timeout_seconds, on_wait=self._wait_to_retry)

    def _wait_to_retry(self, cause: str, seconds: float) -> None:
        self.terminal.sleep(seconds, lambda left: f"{cause} Trying again in {countdown(left)}.")


def _no_options() -> GlobalOptions:
    raise RuntimeError("the command was called without the root command")
