"""The rotation of the users of two databases, which share a server, and so the roles."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.database_users import ROLE_OF, RotatedSecret, RotationError
from tenancy.stores.aws.secret_versions import SecretVersions
from tenancy.stores.postgres.homes import UnknownDatabaseError
from tenancy.use_cases.schema import rotate_users as use_case
from tests.database_pool import DatabasePool
from tests.free_ports import free_port
from tests.given import Databases
from tests.handlers.functions import Function, PutSecret, Start
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

CLONE = "tenancy_functions_clone"
DEATHS: list[tuple[object, str, int]] = [  # the process dies after this call
    (SecretVersions, "put_pending", 1),
    (use_case, "_put_log_in", 1),
    (use_case, "put_user", 1),
    (use_case, "put_user", 2),
    (use_case, "has_rights_of", 1),
    (SecretVersions, "use", 1),
]


class DiedError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def second(database_pool: DatabasePool) -> Iterator[Databases]:
    taken = database_pool.take()
    yield taken
    database_pool.give_back(taken)


@pytest.fixture
def rotation(
    start: Start,
    secrets: None,  # noqa: ARG001 - the others
    put_secret: PutSecret,
    databases: Databases,
    second: Databases,
) -> Iterator[Function]:
    roles = {str(secret): role for secret, role in ROLE_OF.items()} | {"owner-database": postgres.OWNER}
    for secret, role in roles.items():
        put_secret(secret, lines(role, databases, second))
    with without_clones(databases):
        yield start("rotate_users")


@pytest.mark.parametrize("secret", sorted(RotatedSecret))
def test_users_of_both_databases_change_together(
    rotation: Function, databases: Databases, second: Databases, secret: RotatedSecret
) -> None:
    before = text_of(secret, "AWSCURRENT")

    rotate(rotation, secret)

    after = text_of(secret, "AWSCURRENT")
    assert users_at(after) == {"main": f"{ROLE_OF[secret]}_clone", "second": f"{ROLE_OF[secret]}_clone"}
    assert users_at(before) == {"main": ROLE_OF[secret], "second": ROLE_OF[secret]}
    assert [urlsplit(url).path for url in urls_of(after).values()] == [f"/{databases.name}", f"/{second.name}"]
    assert text_of(secret, "AWSPREVIOUS") == before


def test_two_users_take_turns_in_both_databases(rotation: Function) -> None:
    texts = []
    for _ in range(3):
        rotate(rotation, "database")
        texts.append(text_of("database", "AWSCURRENT"))

    users = [{urlsplit(url).username for url in urls_of(text).values()} for text in texts]
    assert users == [{CLONE}, {"tenancy_functions"}, {CLONE}]
    assert len({urlsplit(url).password for text in texts for url in urls_of(text).values()}) == 3
    assert users_at(texts[-2]) == {"main": "tenancy_functions", "second": "tenancy_functions"}


@pytest.mark.parametrize(("owner", "call", "number"), DEATHS)
def test_death_between_the_databases_is_repaired(
    rotation: Function, monkeypatch: pytest.MonkeyPatch, owner: object, call: str, number: int
) -> None:
    token, before = begin("database"), text_of("database", "AWSCURRENT")
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, dying(getattr(owner, call), number))
        with pytest.raises(DiedError):
            run(rotation, token, STEPS)
    in_between = users_at(text_of("database", "AWSCURRENT"))

    run(rotation, token, STEPS)

    assert in_between["main"] == in_between["second"]
    assert users_at(before) == {"main": "tenancy_functions", "second": "tenancy_functions"}
    assert users_at(text_of("database", "AWSCURRENT")) == {"main": CLONE, "second": CLONE}
    assert text_of("database", "AWSPREVIOUS") == before


def test_added_database_gets_the_user_of_the_first_one(
    rotation: Function, put_secret: PutSecret, databases: Databases, second: Databases
) -> None:
    both = text_of("database", "AWSCURRENT")
    put_secret("database", urls_of(both)["main"])
    rotate(rotation, "database")
    first = text_of("database", "AWSCURRENT")
    put_secret("database", f"main {first}\nsecond {urls_of(both)['second']}")

    rotate(rotation, "database")
    added = text_of("database", "AWSCURRENT")
    rotate(rotation, "database")

    assert urls_of(added)["main"] == first
    assert urls_of(added)["second"] == first.replace(databases.name, second.name)
    assert users_at(added) == {"main": CLONE, "second": CLONE}
    assert users_at(text_of("database", "AWSCURRENT")) == {"main": "tenancy_functions", "second": "tenancy_functions"}


def test_proxies_of_both_databases_get_one_log_in(rotation: Function, put_secret: PutSecret) -> None:
    put_secret("functions-password-clone", "{}")

    rotate(rotation, "database")

    user, password = log_in_of("functions-password-clone")
    found = [urlsplit(url) for url in urls_of(text_of("database", "AWSCURRENT")).values()]
    assert [(each.username, each.password) for each in found] == [(user, password)] * 2


def test_unreachable_database_keeps_the_users_in_use(
    rotation: Function, put_secret: PutSecret, databases: Databases
) -> None:
    nothing = f"postgresql://{postgres.FUNCTIONS}:x@127.0.0.1:{free_port()}/nothing"
    before = f"main {databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)}\nsecond {nothing}"
    put_secret("database", before)
    token = begin("database")
    run(rotation, token, STEPS[:2])

    with pytest.raises(UnavailableError):
        run(rotation, token, STEPS[2:])

    assert text_of("database", "AWSCURRENT") == before
    assert user_at(urls_of(before)["main"]) == "tenancy_functions"


def test_database_that_was_added_meanwhile_is_kept(rotation: Function, databases: Databases, second: Databases) -> None:
    token, added = begin("database"), f"{text_of('database', 'AWSCURRENT')}\nthird postgresql://x@y/z"
    run(rotation, token, STEPS[:3])
    [current] = [each for each in versions_of("database").values() if "AWSCURRENT" in each["version_stages"]]
    current["secret_string"] = added

    for step in ("setSecret", "finishSecret"):
        with pytest.raises(RotationError, match="was changed since its rotation began"):
            run(rotation, token, [step])

    assert text_of("database", "AWSCURRENT") == added
    assert users_at(lines("tenancy_functions", databases, second))["second"] == "tenancy_functions"


def test_owner_without_a_line_is_named(rotation: Function, put_secret: PutSecret, databases: Databases) -> None:
    put_secret("owner-database", databases.servers.postgres_url(postgres.OWNER, databases.name))

    put_secret("functions-password-clone", "{}")

    with pytest.raises(UnknownDatabaseError, match="no line for the database 'second'"):
        run(rotation, begin("database"), STEPS)

    assert text_of("functions-password-clone", "AWSCURRENT") == "{}"


def test_database_with_another_user_gets_no_password_by_chance(rotation: Function, put_secret: PutSecret) -> None:
    first = CLONE.removesuffix("_clone")
    log_ins = {"main": (first, "p1", "s1/t"), "second": (first, "p2", "s2/a"), "third": (CLONE, "p3", "s2/b")}
    before = "\n".join(f"{name} postgresql://{user}:{word}@{at}" for name, (user, word, at) in log_ins.items())
    put_secret("database", before)
    token = begin("database")

    with pytest.raises(RotationError, match="these databases have the other user: third") as refused:
        run(rotation, token, STEPS)

    assert "p2" not in str(refused.value)
    assert text_of("database", "AWSCURRENT") == before


def lines(role: str, main: Databases, second: Databases) -> str:
    return "\n".join(
        f"{name} {each.servers.postgres_url(role, each.name)}" for name, each in (("main", main), ("second", second))
    )


def urls_of(text: str) -> dict[str, str]:
    return {name: url for name, _, url in (line.partition(" ") for line in text.splitlines())}


def users_at(text: str) -> dict[str, str]:
    """Log in to each database of *text*, and return the sessions' users."""
    return {name: user_at(url) for name, url in urls_of(text).items()}


def run(rotation: Function, token: str, steps: list[str] | tuple[str, ...]) -> None:
    for step in steps:
        rotation.respond(step_of("database", token, step))


def dying(call: Callable[..., object], number: int) -> Callable[..., object]:
    """Return *call* so that the process dies after its call of this *number*."""
    calls = iter(range(1, number + 1))

    def die(*args: object, **options: object) -> object:
        result = call(*args, **options)
        if next(calls) == number:
            raise DiedError
        return result

    return die
