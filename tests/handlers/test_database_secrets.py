"""Each database reads its own secret, and the log names the secret if a URL is not valid."""

from functools import cached_property

import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.aws import secrets
from tenancy.wiring import Wiring
from tests.handlers.functions import PutSecret, Start

DATABASES = [
    name
    for name, made in vars(Wiring).items()
    if isinstance(made, cached_property) and made.func.__annotations__["return"] in {"Homes", "RoutedDatabases"}
]
SECRETS = {value for name, value in vars(secrets).items() if name.endswith("DATABASE")}


def test_each_database_has_a_secret() -> None:
    assert len(DATABASES) == len(SECRETS) >= 4


@pytest.mark.parametrize("name", DATABASES)
def test_log_names_the_secret_of_an_invalid_url(
    name: str, start: Start, put_secret: PutSecret, caplog: pytest.LogCaptureFixture
) -> None:
    for secret in SECRETS:
        put_secret(secret, f"https://user:hunter2@{secret}")
    database = getattr(Wiring(start("authorizer").app.settings), name).catalogue

    with pytest.raises(UnavailableError), database.transaction():
        pass

    [logged] = [vars(record) for record in caplog.records if "secret" in vars(record)]
    assert database._url() == f"https://user:hunter2@{logged['secret']}"
    assert "hunter2" not in str(logged)


@pytest.mark.parametrize("name", DATABASES)
def test_line_that_the_cached_secret_lacks_is_found(
    name: str, start: Start, put_secret: PutSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "SECRET_RETRY_SECONDS", -1.0)  # the cached text is old enough
    for secret in SECRETS:
        put_secret(secret, "main postgresql://one/x")
    homes = getattr(Wiring(start("authorizer").app.settings), name)
    assert list(homes.by_name()) == ["main"]

    for secret in SECRETS:
        put_secret(secret, "main postgresql://one/x\nsecond postgresql://two/x")

    assert homes._named("second")._url() == "postgresql://two/x"
