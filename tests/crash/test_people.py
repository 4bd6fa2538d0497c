"""Invitations and resets that crash at any moment: a retry or the sweep completes them once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

import pytest

from tenancy.errors import UnauthenticatedError
from tenancy.rules.durations import OUTBOX_CLAIM_TIME, PUBLICATION_CLAIM_TIME
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.use_cases.organizations.provision import provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.people.mailed_tokens import ChosenPassword
from tenancy.use_cases.people.reset_password import confirm_password_reset, request_password_reset
from tests.crash.aftermath import Aftermath
from tests.crash.crashes import crashes
from tests.given import CHEAP_HASHER, NOW, OPERATOR, Databases, new_organization
from tests.use_cases.people import SOURCE, People, mailed_tokens

pytestmark = pytest.mark.exhaustive

SECOND = timedelta(seconds=1)
NEW_PASSWORD = "seventeen purple bicycles"
LATER = NOW + 2 * OUTBOX_CLAIM_TIME
FIND_MEMBER = (
    "SELECT status, password_hash IS NOT NULL, token_epoch FROM users WHERE organization_id = %s AND email = %s"
)
FIND_HASH = "SELECT password_hash FROM users WHERE organization_id = %s AND email = %s"
LIST_ACTIONS = "SELECT action FROM audit_log WHERE organization_id = %s AND action ~ %s ORDER BY action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One organization, the address of its new member, and the token that the member got."""

    people: People
    number: int
    token: OpaqueToken | None = None

    @property
    def address(self) -> str:
        return f"member-{self.number}@acme.example"

    @property
    def last_token(self) -> OpaqueToken:
        return mailed_tokens(self.address)[-1]

    def sent(self) -> "Run":
        """Run the outbox as the sweep does, and return the run with the token of the last mail."""
        self.people.sweep()
        return replace(self, token=self.last_token)


type Begin = Callable[[], Run]


@pytest.fixture
def begin(databases: Databases, targets: OutboxTargets, encryptor: Encryptor, monkeypatch: pytest.MonkeyPatch) -> Begin:
    monkeypatch.setattr("tenancy.use_cases.organizations.provision.HASHER", CHEAP_HASHER)
    monkeypatch.setattr("tenancy.use_cases.people.mailed_tokens.HASHER", CHEAP_HASHER)
    numbers = count()

    def begin() -> Run:
        number = next(numbers)
        new = new_organization(f"acme-{number}", Tier.STARTER)
        provisioned = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)
        run_due_entries(databases.platform, targets, now=NOW)
        people = People(databases=databases, targets=targets, encryptor=encryptor, provisioned=provisioned)
        return Run(people=people, number=number)

    return begin


def actions(aftermath: Aftermath, run: Run, pattern: str) -> list[str]:
    return [action for (action,) in aftermath.rows(LIST_ACTIONS, (run.people.organization_id, pattern))]


def test_crashed_invitation_is_made_once(begin: Begin, aftermath: Aftermath) -> None:
    def invite(run: Run) -> None:
        run.people.invite(run.address, idempotency_key=run.address)

    crashed = 0
    for crash in crashes(begin, invite):
        run = crash.state

        invite(run)
        run.people.sweep(LATER)

        assert len(mailed_tokens(run.address)) == 1, crash
        assert actions(aftermath, run, "^member") == ["member.invited"], crash
        assert run.people.accept(run.last_token, now=LATER).email == run.address
        crashed += 1
    assert crashed > 1


def test_mail_that_crashes_is_sent_again_with_a_valid_token(begin: Begin, aftermath: Aftermath) -> None:
    def invited() -> Run:
        run = begin()
        run.people.invite(run.address)
        return run

    crashed = 0
    for crash in crashes(invited, lambda run: run.people.sweep()):
        run = crash.state

        run.people.sweep(LATER)

        first, *others = mailed_tokens(run.address)
        assert len(others) <= 1, crash
        assert aftermath.pending_kinds(run.people.organization_id) == [], crash
        if others:
            with pytest.raises(UnauthenticatedError):
                run.people.accept(first, now=LATER)
        assert run.people.accept(run.last_token, now=LATER).email == run.address
        crashed += 1
    assert crashed > 3


def test_crashed_acceptance_makes_one_active_member(begin: Begin, aftermath: Aftermath) -> None:
    def mailed() -> Run:
        run = begin()
        run.people.invite(run.address)
        return run.sent()

    def accept(run: Run) -> None:
        run.people.accept(run.last_token)

    crashed = 0
    for crash in crashes(mailed, accept):
        run = crash.state
        [(status, has_password, _)] = aftermath.rows(FIND_MEMBER, (run.people.organization_id, run.address))
        assert (status, has_password) in {("invited", False), ("active", True)}, crash

        if status == "invited":
            accept(run)
        else:
            with pytest.raises(UnauthenticatedError):
                accept(run)
        run.people.sweep(NOW + 2 * PUBLICATION_CLAIM_TIME)

        [(*state, _)] = aftermath.rows(FIND_MEMBER, (run.people.organization_id, run.address))
        assert state == ["active", True], crash
        assert actions(aftermath, run, "^member") == ["member.invited", "member.joined"], crash
        assert aftermath.pending_kinds(run.people.organization_id) == [], crash
        crashed += 1
    assert crashed > 2


def test_crashed_request_for_a_reset_mails_a_valid_token(begin: Begin, aftermath: Aftermath) -> None:
    def request(run: Run) -> None:
        platform_db, organization_id = run.people.databases.platform, run.people.organization_id
        request_password_reset(platform_db, organization_id, email=run.address, now=NOW, **SOURCE)

    def joined() -> Run:
        run = begin()
        run.people.join(run.address)
        return run.sent()

    for crash in crashes(joined, request):
        run = crash.state
        run.people.sweep(LATER)
        is_requested = len(mailed_tokens(run.address)) == 2
        assert is_requested or not crash.is_last, crash

        if not is_requested:
            request(run)
            run.people.sweep(LATER)

        assert actions(aftermath, run, "^password") == ["password.reset_requested"], crash
        confirm(run)


def confirm(run: Run) -> None:
    chosen = ChosenPassword(token=run.last_token, password=NEW_PASSWORD, **SOURCE)
    confirm_password_reset(run.people.databases.platform, run.people.targets, chosen, now=NOW + SECOND)


def test_crashed_reset_replaces_the_password_once(begin: Begin, aftermath: Aftermath) -> None:
    def requested() -> Run:
        run = begin()
        run.people.join(run.address)
        platform_db, organization_id = run.people.databases.platform, run.people.organization_id
        request_password_reset(platform_db, organization_id, email=run.address, now=NOW, **SOURCE)
        return run.sent()

    crashed = 0
    for crash in crashes(requested, confirm):
        run = crash.state
        is_done = actions(aftermath, run, "^password") == ["password.reset", "password.reset_requested"]

        if is_done:
            with pytest.raises(UnauthenticatedError):
                confirm(run)
        else:
            confirm(run)
        run.people.sweep(NOW + 2 * PUBLICATION_CLAIM_TIME)

        [(password_hash,)] = aftermath.rows(FIND_HASH, (run.people.organization_id, run.address))
        assert CHEAP_HASHER.verify(password_hash, NEW_PASSWORD)
        assert len(actions(aftermath, run, "^password.reset$")) == 1, crash
        assert aftermath.pending_kinds(run.people.organization_id) == [], crash
        crashed += 1
    assert crashed > 2
