"""Find the text of a key: in its profile's source, the environment, standard input, or by asking.

A key is never an argument: other users see the arguments of a process.
"""

import getpass
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from scripts.tenantctl.errors import CommandError
from scripts.tenantctl.profiles import KeySource

VARIABLES: Final = {"platform key": "TENANTCTL_PLATFORM_KEY", "secret key": "TENANTCTL_SECRET_KEY"}
KEY: Final = re.compile(r"[\x21-\x7e]+")
COMMAND_SECONDS: Final = 60


def find_key(kind: str, source: KeySource | None, *, environ: Mapping[str, str], is_on_stdin: bool) -> str:
    """Return the text of the "platform key" or the "secret key".

    Raises:
        CommandError: there is none, or it has characters that no key has.
    """
    text = (_read_line() if is_on_stdin else _find(kind, source, environ)).strip()
    if not KEY.fullmatch(text):
        raise CommandError.usage(f"The {kind} is empty, or has characters that no key has.")
    return text


def describe_source(kind: str, source: KeySource | None, *, environ: Mapping[str, str], is_on_stdin: bool) -> str:
    """Say from where `find_key` has the key."""
    match source:
        case _ if is_on_stdin:
            return f"{kind} of standard input"
        case KeySource(text=str()):
            return f"{kind} of .local/stack.json"
        case KeySource(variable=str(variable)):
            return f"{kind} in {variable}"
        case KeySource(command=(program, *_)):
            return f"{kind} that {program} printed"
    return f"{kind} in {VARIABLES[kind]}" if environ.get(VARIABLES[kind]) else f"typed {kind}"


def read_secret(prompt: str, variable: str, *, environ: Mapping[str, str], is_on_stdin: bool) -> str:
    """Return a secret from standard input, from *variable*, or by asking twice.

    Raises:
        CommandError: there is none, or both answers differ.
    """
    if is_on_stdin:
        return _read_line()
    if given := environ.get(variable):
        return given
    text = _ask(prompt, f"Set {variable}, or use --password-stdin and send it on standard input.")
    if text != _ask(f"{prompt} (again)", ""):
        raise CommandError.usage("The two answers differ.")
    return text


def _find(kind: str, source: KeySource | None, environ: Mapping[str, str]) -> str:
    match source:
        case KeySource(text=str(text)):
            return text
        case KeySource(variable=str(variable)):
            if not (found := environ.get(variable)):
                raise CommandError.usage(
                    f"The profile reads the {kind} from the variable {variable}, which is not set."
                )
            return found
        case KeySource(command=command):
            return _run(kind, command)
    return environ.get(VARIABLES[kind]) or _ask(
        kind.capitalize(), f"This command needs a {kind}. Set {VARIABLES[kind]}, or use --key-stdin before the command."
    )


def _run(kind: str, command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=COMMAND_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        # The error may quote what the program printed.
        raise CommandError.usage(f"The program {command[0]} that prints the {kind} has failed.") from error
    return done.stdout


def _ask(prompt: str, hint: str) -> str:
    if not sys.stdin.isatty():
        raise CommandError.usage(hint)
    return getpass.getpass(f"{prompt}: ", stream=sys.stderr)


def _read_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise CommandError.usage("Standard input is empty.")
    return line.rstrip("\r\n")
