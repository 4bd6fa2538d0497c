"""The rotation of database users: four steps against emulated secrets and a real PostgreSQL."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.database_users import ROLE_OF, RotatedSecret, RotationError
from tenancy.stores.aws.secret_versions import SecretVersions
from tenancy.stores.postgres.client import Connection
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schema import rotate_users as use_case
from tests.given import Databases
from tests.handlers.functions import Function, PutSecret, Start, superuser
from tests.handlers.rotations import (
    STEPS,
    begin,
    log_in_of,
    rotate,
    step_of,
    text_of,
    user_at,
    versions_of,
    without_clones,
)
from tests.isolation import role_rules

SECRETS = sorted(RotatedSecret)
CALLS: list[tuple[object, str]] = [
    (SecretVersions, "put_pending"),
    (use_case, "put_user"),
    (use_case, "_put_log_in"),
    (SecretVersions, "use"),
]


class DiedError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def rotation(start: Start, secrets: None, databases: Databases) -> Iterator[Function]:  # noqa: ARG001
    with without_clones(databases):
        yield start("rotate_users")


@pytest.mark.parametrize("secret", SECRETS)
def test_rotation_changes_to_the_other_user_with_its_rights(rotation: Function, secret: RotatedSecret) -> None:
    before = text_of(secret, "AWSCURRENT")

    rotate(rotation, secret)

    after = text_of(secret, "AWSCURRENT")
    assert user_at(after) == f"{ROLE_OF[secret]}_clone"
    assert urlsplit(after)._replace(netloc="") == urlsplit(before)._replace(netloc="")
    assert text_of(secret, "AWSPREVIOUS") == before


def test_only_line_with_a_name_is_rotated(rotation: Function, put_secret: PutSecret) -> None:
    put_secret("database", f"main {text_of('database', 'AWSCURRENT')}")

    rotate(rotation, "database")

    assert user_at(text_of("database", "AWSCURRENT")) == "tenancy_functions_clone"


def test_two_users_take_turns_with_new_passwords(rotation: Function) -> None:
    texts = []
    for _ in range(4):
        rotate(rotation, "database")
        texts.append(text_of("database", "AWSCURRENT"))

    users = [urlsplit(text).username for text in texts]
    assert users == ["tenancy_functions_clone", "tenancy_functions"] * 2
    assert len({urlsplit(text).password for text in texts}) == 4


def test_old_user_works_until_the_next_rotation(rotation: Function) -> None:
    first = text_of("database", "AWSCURRENT")

    rotate(rotation, "database")
    works_after_one = user_at(first)
    rotate(rotation, "database")

    assert works_after_one == "tenancy_functions"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        user_at(first)


@pytest.mark.parametrize(("owner", "call"), CALLS)
@pytest.mark.parametrize("is_done", [False, True])
def test_death_before_or_after_a_change_is_repeatable(
    rotation: Function, monkeypatch: pytest.MonkeyPatch, owner: object, call: str, *, is_done: bool
) -> None:
    token, before = begin("database"), text_of("database", "AWSCURRENT")
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, dying(getattr(owner, call), is_done=is_done))
        with pytest.raises(DiedError):
            run(rotation, token, STEPS)
    in_between = text_of("database", "AWSCURRENT")

    run(rotation, token, STEPS)

    assert user_at(before) == user_at(in_between) or call == "use"
    assert user_at(text_of("database", "AWSCURRENT")) == "tenancy_functions_clone"
    assert text_of("database", "AWSPREVIOUS") == before


def test_each_step_is_repeatable(rotation: Function) -> None:
    token = begin("database")

    for step in STEPS:
        run(rotation, token, [step])
        pending = dict(versions_of("database")[token])
        run(rotation, token, [step, STEPS[0]])

        assert versions_of("database")[token]["secret_string"] == pending["secret_string"]
    assert user_at(text_of("database", "AWSCURRENT")) == "tenancy_functions_clone"


def test_late_step_of_a_finished_rotation_changes_nothing(rotation: Function) -> None:
    rotate(rotation, "database")
    [token] = [name for name, each in versions_of("database").items() if "AWSCURRENT" in each["version_stages"]]
    after = text_of("database", "AWSCURRENT")

    run(rotation, token, STEPS)

    assert text_of("database", "AWSCURRENT") == after
    assert user_at(after) == "tenancy_functions_clone"


def test_rotation_after_an_abandoned_one_starts_anew(rotation: Function) -> None:
    abandoned = begin("database")
    run(rotation, abandoned, STEPS[:2])

    rotate(rotation, "database")

    assert user_at(text_of("database", "AWSCURRENT")) == "tenancy_functions_clone"
    with pytest.raises(RotationError, match="is not pending"):
        run(rotation, abandoned, ["finishSecret"])


def test_password_that_postgres_does_not_know_is_never_used(rotation: Function) -> None:
    token, before = begin("database"), text_of("database", "AWSCURRENT")

    with pytest.raises(UnavailableError):
        run(rotation, token, ["createSecret", "testSecret"])

    assert text_of("database", "AWSCURRENT") == before


def test_user_without_the_rights_of_its_role_is_never_used(rotation: Function, databases: Databases) -> None:
    token, before = begin("database"), text_of("database", "AWSCURRENT")
    run(rotation, token, STEPS[:2])
    with superuser(databases) as conn:
        conn.execute("REVOKE tenancy_functions FROM tenancy_functions_clone GRANTED BY tenancy_owner")

    with pytest.raises(RotationError, match="lacks the rights of tenancy_functions"):
        run(rotation, token, ["testSecret"])

    assert text_of("database", "AWSCURRENT") == before


def test_clone_gets_the_settings_of_its_role(rotation: Function, databases: Databases) -> None:
    with superuser(databases) as conn:
        conn.execute("ALTER ROLE tenancy_functions SET statement_timeout = '10s'")
        rotate(rotation, "database")
        conn.execute("ALTER ROLE tenancy_functions RESET statement_timeout")

    with psycopg.connect(text_of("database", "AWSCURRENT")) as conn:
        assert conn.execute("SHOW statement_timeout").fetchone() == ("10s",)


@pytest.mark.parametrize("secret", SECRETS)
def test_log_in_is_stored_for_the_proxy_if_it_has_a_secret(
    rotation: Function, put_secret: PutSecret, secret: RotatedSecret
) -> None:
    names = {f"{ROLE_OF[secret].removeprefix('tenancy_')}-password{suffix}": suffix for suffix in ("", "-clone")}
    for name in names:
        put_secret(name, "{}")

    rotate(rotation, secret)
    rotate(rotation, secret)

    for name, suffix in names.items():
        user, password = log_in_of(name)
        assert user == ROLE_OF[secret] + suffix.replace("-", "_")
        assert user_at(with_log_in(text_of(secret, "AWSCURRENT"), user, password)) == user


def test_both_users_see_one_organization(
    rotation: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    first = text_of("database", "AWSCURRENT")
    rotate(rotation, "database")

    seen = [organizations_seen(url, acme) for url in (first, text_of("database", "AWSCURRENT"))]

    assert seen == [[str(acme.organization.id)]] * 2
    assert globex.organization.id != acme.organization.id
    assert databases.name in first


@pytest.mark.parametrize("rule", role_rules.CLONE_RULES)
def test_roles_with_clones_follow_the_rules(
    rotation: Function, databases: Databases, rule: Callable[[Connection], list[str]]
) -> None:
    for secret in SECRETS:
        rotate(rotation, secret)

    with superuser(databases) as conn:
        assert rule(conn) == []
        assert role_rules.clones(conn) == sorted(f"{role}_clone" for role in ROLE_OF.values())


@pytest.mark.parametrize(
    "change",
    [
        {"Step": "deleteSecret"},
        {"SecretId": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tenancy/test/owner-database-a1b2c3"},
        {"SecretId": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tenancy/other/database-a1b2c3"},
        {"SecretId": "database"},
    ],
)
def test_other_events_are_refused(rotation: Function, change: dict[str, str]) -> None:
    event = step_of("database", begin("database"), "createSecret")

    with pytest.raises(RotationError, match="Expected `Step`"):
        rotation.respond(event | change)


def test_user_of_neither_name_is_refused(rotation: Function, put_secret: PutSecret, databases: Databases) -> None:
    put_secret("database", databases.servers.postgres_url(postgres.PLATFORM, databases.name))

    with pytest.raises(RotationError, match="none of tenancy_functions and tenancy_functions_clone"):
        run(rotation, begin("database"), ["createSecret"])


def run(rotation: Function, token: str, steps: list[str] | tuple[str, ...]) -> None:
    for step in steps:
        rotation.respond(step_of("database", token, step))


def dying(call: Callable[..., object], *, is_done: bool) -> Callable[..., object]:
    """Return *call* so that the process dies before it, or after it."""

    def die(*args: object, **options: object) -> None:
        if is_done:
            call(*args, **options)
        raise DiedError

    return die


def with_log_in(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


def organizations_seen(url: str, provisioned: Provisioned) -> list[str]:
    with psycopg.connect(url) as conn:
        conn.execute("SELECT set_config('app.current_tenant', %s, true)", (str(provisioned.organization.id),))
        return [str(row[0]) for row in conn.execute("SELECT id FROM organizations").fetchall()]
