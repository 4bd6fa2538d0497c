"""Doing what is owed: as long as there is time, whatever one service or one organization does."""

import pytest

from tenancy.stores.platform.outbox import insert_effect
from tenancy.use_cases.effects import World, drain
from tenancy.use_cases.provision import Provisioned
from tests.given import NOW, Databases
from tests.handlers.functions import Mails

MAIL = {"to": "admin@acme.example", "organization_name": "Acme"}


def owe(databases: Databases, who: Provisioned, kind: str = "welcome_mail", payload: object = MAIL) -> None:
    with databases.platform.transaction() as conn:
        insert_effect(conn, who.organization.id, kind, payload, due_at=NOW)  # type: ignore[arg-type]


def rows(databases: Databases) -> list[tuple[object, ...]]:
    with databases.platform.transaction() as conn:
        return conn.execute("SELECT kind, attempts, last_error, due_at FROM outbox ORDER BY id").fetchall()


@pytest.mark.parametrize("effects", [0, 1, 3])
def test_effects_are_done_while_there_is_time_and_the_others_are_as_due_as_before(
    databases: Databases, world: World, acme: Provisioned, mails: Mails, effects: int
) -> None:
    for _ in range(4):
        owe(databases, acme)
    before, sent = rows(databases), len(mails())
    answers = iter([True] * (effects + 1))
    drained = drain(databases.platform, world, now=NOW, has_time=lambda: next(answers, False))
    assert len(drained.done) == len(mails()) - sent == effects
    assert rows(databases) == before[effects:]
    assert len(drain(databases.platform, world, now=NOW).done) == 4 - effects
