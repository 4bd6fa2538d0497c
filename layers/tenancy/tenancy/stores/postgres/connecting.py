"""Connections to PostgreSQL: their time-outs, and why one failed."""

from typing import Any, Final

import psycopg
from aws_lambda_powertools import Logger

from tenancy.errors import UnavailableError
from tenancy.rules.durations import (
    POSTGRES_CONNECT_TIMEOUT_SECONDS,
    POSTGRES_KEEPALIVE_SECONDS,
    POSTGRES_SILENCE_LIMIT_MS,
)

logger: Final = Logger()


def connect(url: str, secret: str, seconds: int | None = None) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to *url*, the text of *secret*, within *seconds* for each address of its host.

    Raises:
        OperationalError: there is no connection.
        UnavailableError: the URL is not valid.
    """
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=seconds or POSTGRES_CONNECT_TIMEOUT_SECONDS,
            tcp_user_timeout=POSTGRES_SILENCE_LIMIT_MS,
            keepalives_idle=POSTGRES_KEEPALIVE_SECONDS,
        )
    except psycopg.ProgrammingError:
        logger.error("the secret is not a valid URL of PostgreSQL", secret=secret)  # noqa: TRY400 - quotes the password
        raise UnavailableError("The service is not configured correctly. Contact the operator.") from None


def find_connection_problem(error: UnavailableError) -> str:
    """Return why `Database` opened no connection, as the rest of a sentence about its secret."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.OperationalError):
        return "is no valid URL of PostgreSQL"
    if cause.pgconn is not None and cause.pgconn.used_password:
        return "has a user, password or database that PostgreSQL refuses"
    return (
        f"names a PostgreSQL server that did not answer within {POSTGRES_CONNECT_TIMEOUT_SECONDS} s, or has no"
        " valid certificate of a root in layers/certificates/aws-roots.pem"
    )
