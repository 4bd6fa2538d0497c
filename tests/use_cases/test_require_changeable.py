"""Changes of an organization's apps, keys and members need a status in which it can be changed."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import pytest

from tenancy.errors import ErasedError, TransitionNotAllowedError
from tenancy.rules.keys.managed_keys import KeyKind
from tenancy.rules.people.member import MembershipChange, Role
from tenancy.rules.permissions import PERMISSIONS
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.use_cases.apps.change_app import change_app
from tenancy.use_cases.apps.create_app import create_app
from tenancy.use_cases.apps.delete_app import delete_app
from tenancy.use_cases.keys.create_key import WantedKey, create_key
from tenancy.use_cases.keys.revoke_key import revoke_key
from tenancy.use_cases.keys.rotate_key import WantedRotation, rotate_key
from tenancy.use_cases.organizations.change_key_rotation import change_key_rotation
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.people.change_member import change_member, remove_member
from tenancy.use_cases.people.invite_member import invite_again
from tests.given import NOW, OPERATOR, ROOT, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.people import People, admin_of

USE_CASES: Final = ROOT / "layers" / "tenancy" / "tenancy" / "use_cases"
CHANGING: Final = ("apps", "keys", "people")
# These record something, and change no row of an organization by request.
OTHERS: Final = frozenset({"keys/platform_keys.py", "people/mail_token.py"})
WANTED: Final = WantedKey(kind=KeyKind.SECRET, name="Billing", app_id=None, scopes=None, expires_at=None)
DEMOTION: Final = MembershipChange(role=Role.ANALYST)


@pytest.fixture
def people(databases: Databases, targets: OutboxTargets, encryptor: Encryptor, acme: Provisioned) -> People:
    return People(databases=databases, targets=targets, encryptor=encryptor, provisioned=acme)


def _on_member(function: Callable[..., Any], *change: object) -> Callable[[People, Any], Any]:
    def call(people: People, user_id: object) -> object:
        targets = () if function is invite_again else (people.targets,)
        return function(
            people.databases.platform,
            *targets,
            people.organization_id,
            user_id,
            *change,
            permissions=PERMISSIONS,
            actor=admin_of(people.provisioned),
            now=NOW,
        )

    return call


def _create_app(people: People, _: object) -> object:
    db, tenant = people.databases.platform, tenant_of(people.provisioned)
    return create_app(
        db, people.encryptor, tenant, OPERATOR, name="Shop", platform="ios", idempotency_key=None, now=NOW
    )


def _change_app(people: People, _: object) -> object:
    db, acme = people.databases.platform, people.provisioned
    return change_app(db, tenant_of(acme), acme.app_id, OPERATOR, name="Shop", platform=None, now=NOW)


def _delete_app(people: People, _: object) -> object:
    db, acme = people.databases.platform, people.provisioned
    return delete_app(db, people.targets, tenant_of(acme), acme.app_id, OPERATOR, now=NOW)


def _create_key(people: People, _: object) -> object:
    db, tenant = people.databases.platform, tenant_of(people.provisioned)
    return create_key(db, people.encryptor, tenant, WANTED, OPERATOR, idempotency_key=None, now=NOW)


def _rotate_key(people: People, _: object) -> object:
    db, acme = people.databases.platform, people.provisioned
    wanted = WantedRotation(key_id=acme.write_key_id, overlap=timedelta())
    return rotate_key(
        db, people.targets, people.encryptor, tenant_of(acme), wanted, OPERATOR, idempotency_key=None, now=NOW
    )


def _revoke_key(people: People, _: object) -> object:
    db, acme = people.databases.platform, people.provisioned
    return revoke_key(db, people.targets, people.organization_id, acme.write_key_id, OPERATOR, now=NOW)


def _change_key_rotation(people: People, _: object) -> object:
    db, tenant = people.databases.platform, tenant_of(people.provisioned)
    return change_key_rotation(db, tenant, 30, OPERATOR, now=NOW)


def _invite(people: People, _: object) -> object:
    return people.invite("second.member@acme.example")


CHANGES: Final[Mapping[str, Callable[[People, Any], Any]]] = MappingProxyType(
    {
        "create_app": _create_app,
        "change_app": _change_app,
        "delete_app": _delete_app,
        "create_key": _create_key,
        "rotate_key": _rotate_key,
        "revoke_key": _revoke_key,
        "change_key_rotation": _change_key_rotation,
        "invite_member": _invite,
        "invite_again": _on_member(invite_again),
        "change_member": _on_member(change_member, DEMOTION),
        "remove_member": _on_member(remove_member),
    }
)


@pytest.mark.parametrize(
    ("status", "refusal"),
    [("deleted", TransitionNotAllowedError), ("erasing", TransitionNotAllowedError), ("erased", ErasedError)],
)
@pytest.mark.parametrize("name", CHANGES)
def test_organization_under_erasure_is_not_changed(
    people: People, name: str, status: str, refusal: type[Exception]
) -> None:
    member = people.invite()
    with superuser(people.databases) as conn:
        conn.execute("UPDATE organizations SET status = %s WHERE id = %s", (status, people.organization_id))

    with pytest.raises(refusal):
        CHANGES[name](people, member.id)


@pytest.mark.parametrize("name", CHANGES)
def test_suspended_organization_can_be_changed(people: People, name: str) -> None:
    member = people.invite()
    with superuser(people.databases) as conn:
        conn.execute("UPDATE organizations SET status = 'suspended' WHERE id = %s", (people.organization_id,))

    CHANGES[name](people, member.id)


def test_each_recorded_change_checks_the_status() -> None:
    """A new module that records a change checks the status, or is named above."""
    unchecked = set()
    for file in (each for folder in CHANGING for each in (USE_CASES / folder).glob("*.py")):
        text = file.read_text()
        if "insert_audit_record(" in text and "require_changeable(" not in text and "prove_member(" not in text:
            unchecked.add(str(file.relative_to(USE_CASES)))

    assert unchecked == OTHERS
