"""The only reader of the environment: one frozen value per process, validated at start."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

DEFAULT_REGION: Final = "eu-central-1"


class InvalidSettingError(Exception):
    """A function cannot start.

    The message names each missing or invalid environment variable.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The variables that template.yaml sets for a function, without secrets.

    A process has the first seven fields and the fields that it asked for. Reading another field is an AttributeError.

    *replica_address* is host and port of the read replica of PostgreSQL, None without one. *replica_region* is its
    region, None for that of the function. *pinned_region* is the region that organizations' data must not leave, None
    without one.

    *stack_name* tells this stack from others in the account. *secrets_prefix* and a name form a secret's id in Secrets
    Manager (docs/operations.md lists the names).
    *aws_endpoint_url* is set on the local stack only. *redis_timeout_seconds* is the time-out of a request for Redis.
    *deletion_grace* is the period in which a deletion can be undone. *writer_wait* is the time that an erasure waits
    for writers. *recount_after* is the time between an erasure and its recount. *upgrade_url* is the page where an
    organization buys a larger tier, None without one. In *api_host* `{api_id}` stands for the id that API Gateway gave
    the API, in a function whose template cannot refer to the API. *api_id* is that id, where the template can.
    *domains_machine_arn* is the state machine of custom domains. *hosted_zone_id* is the zone of *base_domain* in Route
    53, None without one. *endpoint_access_mode* is that of the API. *dns_resolver* is the resolver of tenants' names,
    None for that of the system. Of the URLs of tenants, only those of *private_hosts* may lead to other addresses than
    public ones. It is None without such hosts.
    """

    region: str
    aws_endpoint_url: str | None
    secrets_prefix: str
    stack_name: str
    replica_address: tuple[str, int] | None
    replica_region: str | None
    pinned_region: str | None
    base_domain: str
    token_issuer: str
    api_host: str
    events_queue_url: str
    dead_letters_url: str
    audit_dead_letters_url: str
    rejected_calls_url: str
    dead_letters_bucket: str
    register_bucket: str
    platform_gateway_key: str
    usage_plans_path: str
    audit_queue_url: str
    signing_key_id: str
    encryption_key_id: str
    mail_from: str
    exports_bucket: str
    redis_timeout_seconds: float
    deletion_grace: timedelta
    writer_wait: timedelta
    recount_after: timedelta
    state_machine_arn: str
    upgrade_url: str | None
    fetch_function: str
    sso_key_id: str
    domains_machine_arn: str
    hosted_zone_id: str | None
    api_id: str
    endpoint_access_mode: str
    dns_resolver: tuple[str, int] | None
    private_hosts: frozenset[tuple[str, int]] | None

    @classmethod
    def from_env(cls, *needed: str, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables that all functions have, and the *needed* ones.

        Raises:
            InvalidSettingError: a variable is missing or empty and not in `OPTIONAL`, or is not valid. No connection
                was opened yet.
        """
        settings = object.__new__(cls)
        values = {
            "region": environ.get("AWS_REGION") or DEFAULT_REGION,
            "aws_endpoint_url": environ.get("AWS_ENDPOINT_URL") or None,
        }
        problems = []
        for name in (*EVERYWHERE, *needed):
            field, cast = VARIABLES[name]
            try:
                values[field] = None if name in OPTIONAL and not environ.get(name) else cast(_require(environ, name))
            except ValueError as error:
                problems.append(f"{name} {error}")
        if values.get("pinned_region") not in {None, values["region"]}:
            problems.append(f"PINNED_REGION is not {values['region']}, the function's region")
        if problems:
            raise InvalidSettingError(f"Set these environment variables of the function: {'; '.join(problems)}.")
        for field, value in values.items():
            object.__setattr__(settings, field, value)
        return settings


def find_stack_name(environ: Mapping[str, str] = os.environ) -> str:
    """Return the stack's name for a metric, or an empty text outside of a deployed function.

    Functions do not start without it.
    """
    return environ.get("STACK_NAME", "")


def find_trace_id(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the id of the X-Ray trace of the running request, which Lambda sets, or None without a trace."""
    return environ.get("_X_AMZN_TRACE_ID", "").partition(";")[0].removeprefix("Root=") or None


def _require(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise ValueError("is missing")
    return value


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("is not a whole number")
    return int(text)


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=_whole_number(text))


def _milliseconds_as_seconds(text: str) -> float:
    return _whole_number(text) / 1000


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise ValueError("is not host:port")
    return host, int(port)


def _hosts_and_ports(text: str) -> frozenset[tuple[str, int]]:
    try:
        return frozenset(_host_and_port(entry) for entry in text.split(","))
    except ValueError as error:
        raise ValueError("is no list of host:port") from error


def _https_url(text: str) -> str:
    problem = "is not an absolute URL that starts with https://"
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(problem)
    try:
        url = urlsplit(text)
        has_host = url.scheme == "https" and bool(url.hostname) and url.port != 0
    except ValueError as error:
        raise ValueError(problem) from error
    if not has_host or url.username is not None:
        raise ValueError(problem)
    return text


EVERYWHERE: Final = ("SECRETS_PREFIX", "STACK_NAME", "PINNED_REGION", "REPLICA_ADDRESS", "REPLICA_REGION")
OPTIONAL: Final = frozenset(
    {
        "DNS_RESOLVER",
        "HOSTED_ZONE_ID",
        "PINNED_REGION",
        "PRIVATE_HOSTS_ALLOWED",
        "REPLICA_ADDRESS",
        "REPLICA_REGION",
        "UPGRADE_URL",
    }
)
# Each variable, its field and its type.
VARIABLES: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = MappingProxyType(
    {
        "SECRETS_PREFIX": ("secrets_prefix", str),
        "STACK_NAME": ("stack_name", str),
        "REPLICA_ADDRESS": ("replica_address", _host_and_port),
        "REPLICA_REGION": ("replica_region", str),
        "PINNED_REGION": ("pinned_region", str),
        "BASE_DOMAIN": ("base_domain", str.lower),
        "API_HOST": ("api_host", str),
        "TOKEN_ISSUER": ("token_issuer", str),
        "EVENTS_QUEUE_URL": ("events_queue_url", str),
        "DEAD_LETTERS_URL": ("dead_letters_url", str),
        "AUDIT_DEAD_LETTERS_URL": ("audit_dead_letters_url", str),
        "REJECTED_CALLS_URL": ("rejected_calls_url", str),
        "DEAD_LETTERS_BUCKET": ("dead_letters_bucket", str),
        "REGISTER_BUCKET": ("register_bucket", str),
        "PLATFORM_GATEWAY_KEY": ("platform_gateway_key", str),
        "USAGE_PLANS_PATH": ("usage_plans_path", str),
        "AUDIT_QUEUE_URL": ("audit_queue_url", str),
        "SIGNING_KEY_ID": ("signing_key_id", str),
        "SEALING_KEY_ID": ("encryption_key_id", str),
        "MAIL_FROM": ("mail_from", str),
        "EXPORTS_BUCKET": ("exports_bucket", str),
        "REDIS_PATIENCE_MS": ("redis_timeout_seconds", _milliseconds_as_seconds),
        "DELETION_GRACE_SECONDS": ("deletion_grace", _seconds),
        "ERASURE_QUIET_SECONDS": ("writer_wait", _seconds),
        "RECOUNT_AFTER_SECONDS": ("recount_after", _seconds),
        "STATE_MACHINE_ARN": ("state_machine_arn", str),
        "UPGRADE_URL": ("upgrade_url", _https_url),
        "FETCH_FUNCTION": ("fetch_function", str),
        "SSO_KEY_ID": ("sso_key_id", str),
        "DOMAINS_MACHINE_ARN": ("domains_machine_arn", str),
        "HOSTED_ZONE_ID": ("hosted_zone_id", str),
        "API_ID": ("api_id", str),
        "ENDPOINT_ACCESS_MODE": ("endpoint_access_mode", str),
        "DNS_RESOLVER": ("dns_resolver", _host_and_port),
        "PRIVATE_HOSTS_ALLOWED": ("private_hosts", _hosts_and_ports),
    }
)
