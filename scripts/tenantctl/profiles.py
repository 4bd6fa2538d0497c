"""The stacks that tenantctl knows: the local one of a checkout, and the profiles of a person.

A profile never holds a key. It names the environment variable or the program that has it.
"""

import json
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.tenantctl.errors import CommandError
from scripts.tenantctl.hosts import checked_url, is_private

LOCAL: Final = "local"
MEMBERS: Final = {
    "api_url": str,
    "platform_key_variable": str,
    "platform_key_command": list,
    "secret_key_variable": str,
    "secret_key_command": list,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """The place of a key: the local stack's file, an environment variable, or a program that prints it."""

    text: str | None = None
    variable: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A stack: the URL of its API, and the sources of its keys, if it names them."""

    name: str
    api_url: str
    platform_key: KeySource | None = None
    secret_key: KeySource | None = None


def find_profile(name: str | None, *, environ: Mapping[str, str], folder: Path) -> Profile:
    """Return the profile *name*, or without a name the local stack of *folder* or of a folder above it.

    Raises:
        CommandError: there is none, or its file is not safe or not valid.
    """
    if name not in {None, LOCAL}:
        return _read_profile(profiles_file(environ), str(name))
    if file := find_stack_file(environ.get("STACK_DIR") or ".local", [folder, *folder.parents]):
        return _read_stack(file)
    raise CommandError.usage(
        f"No stack found: there is no .local/stack.json in {folder} or above (`make up` writes it). "
        f"Name a profile of {profiles_file(environ)} with --profile."
    )


def profiles_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the profiles, after the XDG base directory specification."""
    named = Path(environ.get("XDG_CONFIG_HOME") or "")
    home = named if named.is_absolute() else Path(environ.get("HOME") or "/", ".config")
    return home / "tenantctl" / "profiles.toml"


def find_stack_file(directory: str, folders: Iterable[Path]) -> Path | None:
    """Return the first `stack.json` in *directory* of one of *folders*."""
    files = (folder / directory / "stack.json" for folder in folders)
    return next((file for file in files if file.is_file()), None)


def _read_stack(file: Path) -> Profile:
    _require_private(file)
    try:
        stack = json.loads(file.read_text(encoding="utf-8"))
        url, key = stack["api_url"], stack["platform_key"]
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError.usage(f"{file} is not the file that `make up` writes.") from error
    # STACK_HOSTS may name an address of a private network.
    api_url = checked_url(url, str(file), is_plain=is_private)
    return Profile(name=LOCAL, api_url=api_url, platform_key=KeySource(text=key))


def _read_profile(file: Path, name: str) -> Profile:
    if not file.is_file():
        raise CommandError.usage(f"There is no profile {name}: {file} does not exist.")
    _require_private(file)
    try:
        profiles = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CommandError.usage(f"{file} is no valid TOML: {error}.") from error
    if not isinstance(members := profiles.get(name), dict):
        raise CommandError.usage(f"{file} has no profile {name}. It has: {', '.join(profiles) or 'none'}.")
    where = f"{file}, profile {name}"
    _require_known(members, where)
    return Profile(
        name=name,
        api_url=checked_url(members.get("api_url", ""), where),
        platform_key=_source(members, "platform_key", where),
        secret_key=_source(members, "secret_key", where),
    )


def _require_private(file: Path) -> None:
    """Refuse a file that other users can change or read: it names the URL that gets keys."""
    found = file.stat()
    if found.st_uid != os.geteuid():
        raise CommandError.usage(f"{file} belongs to another user.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise CommandError.usage(f"Other users may access {file}. Run: chmod 600 {file}")


def _require_known(members: Mapping[str, Any], where: str) -> None:
    for member, value in members.items():
        if member in {"platform_key", "secret_key"}:
            detail = f"A profile holds no key. Name its source with `{member}_variable` or `{member}_command`."
            raise CommandError.usage(f"{where}: {detail}")
        if (kind := MEMBERS.get(member)) is None:
            raise CommandError.usage(f"{where}: unknown member `{member}`. Known are: {', '.join(MEMBERS)}.")
        if not isinstance(value, kind) or not all(isinstance(each, str) for each in value) or not value:
            raise CommandError.usage(f"{where}: `{member}` must be a {'text' if kind is str else 'list of texts'}.")


def _source(members: Mapping[str, Any], key: str, where: str) -> KeySource | None:
    variable, command = members.get(f"{key}_variable"), members.get(f"{key}_command")
    if variable and command:
        raise CommandError.usage(f"{where}: give `{key}_variable` or `{key}_command`, not both.")
    return KeySource(variable=variable, command=tuple(command or ())) if variable or command else None
