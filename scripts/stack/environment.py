"""Keep the stack's clients on this machine in every environment of the caller."""

from collections.abc import Collection, MutableMapping

# AWS's clients and the SAM CLI read AWS_* and SAM_CLI_* (a profile, a region), PostgreSQL's read PG* (a TLS mode).
FOREIGN_PREFIXES = ("AWS_", "SAM_CLI_", "PG")
NO_PROXY = ("NO_PROXY", "no_proxy")


def drop_foreign_settings(environ: MutableMapping[str, str], hosts: Collection[str]) -> None:
    """Drop settings of AWS's and PostgreSQL's clients, and exempt *hosts* from proxies."""
    for name in list(environ):
        if name.startswith(FOREIGN_PREFIXES):
            del environ[name]
    exempt = next((environ[name] for name in NO_PROXY if environ.get(name)), "")
    for name in NO_PROXY:
        environ[name] = ",".join([*filter(None, [exempt]), *hosts])
