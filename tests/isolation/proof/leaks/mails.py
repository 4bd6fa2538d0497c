"""Secrets in mails: a one-time token, in the one mail to the address of its member."""

from typing import Any

import psycopg
from moto.ses.models import ses_backends

from tenancy.rules.people.opaque_tokens import OpaqueToken
from tests.given import REGION
from tests.isolation.proof.leaks.secrets import ONE_TIME_TOKEN_KIND, secrets_in

MOTO_ACCOUNT = "123456789012"
FIND_ADDRESS = """
    SELECT u.email FROM one_time_tokens AS t
    JOIN users AS u ON u.organization_id = t.organization_id AND u.id = t.user_id
    WHERE t.organization_id = %s AND t.digest = %s
"""

type Mail = tuple[tuple[str, ...], str]  # all its addresses, and its text


def sent_mails() -> list[Mail]:
    """Return all mails that were sent."""
    return [
        (tuple(each for part in message.destinations.values() for each in part), f"{message.subject}\n{message.body}")
        for message in ses_backends[MOTO_ACCOUNT][REGION].sent_messages
    ]


def leaks_in_mails(conn: psycopg.Connection[Any], mails: list[Mail]) -> list[str]:
    """Return a sentence for each secret in a mail that is not the one token of the one member it is sent to."""
    leaks, seen = [], set[str]()
    for addresses, text in mails:
        for kind, secret in sorted(secrets_in(text)):
            if kind != ONE_TIME_TOKEN_KIND:
                leaks.append(f"a mail shows {kind}")
            elif secret in seen:
                leaks.append("two mails show the same one-time token")
            elif _address_of(conn, secret) != addresses:
                leaks.append("a mail shows the one-time token of another address")
            seen.add(secret)
    return leaks


def _address_of(conn: psycopg.Connection[Any], secret: str) -> tuple[str, ...]:
    """Return the address of the token's member, none if no row has the token's digest."""
    token = OpaqueToken(secret)
    return tuple(email for (email,) in conn.execute(FIND_ADDRESS, (token.organization_id, token.digest)))
