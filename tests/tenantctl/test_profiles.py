"""Profiles: the local stack is found, others are named, and none holds a key."""

import sys

import pytest

from tests.tenantctl.documents import page
from tests.tenantctl.processes import PLATFORM_KEY, SECRET_KEY, Tenantctl
from tests.tenantctl.served_api import Served, ServedApi

USAGE = 2
NO_KEY = page()


@pytest.fixture
def away(tmp_path_factory: pytest.TempPathFactory, api: ServedApi) -> Tenantctl:
    """Return tenantctl in a folder without a local stack."""
    api.answer(Served(document=NO_KEY))
    return Tenantctl(tmp_path_factory.mktemp("away"))


def sent_key(api: ServedApi) -> str:
    return api.received[-1].headers["authorization"].removeprefix("Bearer ")


def test_local_stack_is_found_upwards(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=NO_KEY))
    inner = tenantctl.folder / "docs" / "decisions"
    inner.mkdir(parents=True)

    done = tenantctl.run("orgs", "list", cwd=inner)

    assert (done.code, sent_key(api)) == (0, PLATFORM_KEY)


def test_stack_dir_names_another_folder(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=NO_KEY))
    (tenantctl.folder / ".local").rename(tenantctl.folder / "elsewhere")

    done = tenantctl.run("orgs", "list", STACK_DIR="elsewhere")

    assert (done.code, sent_key(api)) == (0, PLATFORM_KEY)


def test_missing_stack_is_a_usage_error(away: Tenantctl) -> None:
    done = away.run("orgs", "list")

    assert (done.code, "make up" in done.err, "--profile" in done.err) == (USAGE, True, True)


def test_stack_that_others_may_read_is_refused(tenantctl: Tenantctl, api: ServedApi) -> None:
    (tenantctl.folder / ".local" / "stack.json").chmod(0o644)

    done = tenantctl.run("orgs", "list")

    assert (done.code, "chmod 600" in done.err, api.received) == (USAGE, True, [])


def test_stack_of_a_public_host_is_refused(away: Tenantctl) -> None:
    away.write_stack("http://203.0.114.7/v1")

    done = away.run("orgs", "list")

    assert (done.code, "must begin with https://" in done.err) == (USAGE, True)


def test_profile_reads_a_variable(away: Tenantctl, api: ServedApi) -> None:
    away.write_profiles(f'[production]\napi_url = "{api.url}"\nplatform_key_variable = "OPS_KEY"\n')

    done = away.run("--profile", "production", "orgs", "list", OPS_KEY="pk_ops")

    assert (done.code, sent_key(api)) == (0, "pk_ops")


def test_profile_runs_a_program(away: Tenantctl, api: ServedApi) -> None:
    command = [sys.executable, "-c", "print('pk_printed')"]
    away.write_profiles(f'[production]\napi_url = "{api.url}"\nplatform_key_command = {command}\n')

    done = away.run("orgs", "list", TENANTCTL_PROFILE="production")

    assert (done.code, sent_key(api)) == (0, "pk_printed")


def test_failed_program_prints_no_key(away: Tenantctl, api: ServedApi) -> None:
    command = [sys.executable, "-c", "import sys; print('pk_printed'); sys.exit(1)"]
    away.write_profiles(f'[production]\napi_url = "{api.url}"\nplatform_key_command = {command}\n')

    done = away.run("--profile", "production", "orgs", "list")

    assert (done.code, "pk_printed" in done.err + done.out) == (USAGE, False)


def test_profiles_are_found_by_xdg(away: Tenantctl, api: ServedApi) -> None:
    file = away.write_profiles(f'[production]\napi_url = "{api.url}"\n')
    moved = away.folder / "configuration"
    file.parent.parent.rename(moved)

    done = away.run(
        "--profile", "production", "orgs", "list", XDG_CONFIG_HOME=str(moved), TENANTCTL_PLATFORM_KEY="pk_given"
    )

    assert (done.code, sent_key(api)) == (0, "pk_given")


def test_organizations_key_comes_from_its_variable(away: Tenantctl, api: ServedApi) -> None:
    away.write_profiles(f'[production]\napi_url = "{api.url}"\nsecret_key_variable = "ACME_KEY"\n')

    done = away.run("--profile", "production", "keys", "list", ACME_KEY="sk_acme")

    assert (done.code, sent_key(api)) == (0, "sk_acme")


def test_secret_key_of_the_environment_is_sent(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=NO_KEY))

    tenantctl.run("keys", "list")

    assert sent_key(api) == SECRET_KEY


def test_key_on_standard_input_comes_first(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=NO_KEY))

    done = tenantctl.run("--key-stdin", "keys", "list", stdin="sk_piped\n")

    assert (done.code, sent_key(api)) == (0, "sk_piped")


def test_missing_key_is_a_usage_error(tenantctl: Tenantctl, api: ServedApi) -> None:
    done = tenantctl.run("keys", "list", TENANTCTL_SECRET_KEY="")

    assert (done.code, "TENANTCTL_SECRET_KEY" in done.err, api.received) == (USAGE, True, [])


def test_key_with_a_line_break_is_refused_and_not_shown(tenantctl: Tenantctl, api: ServedApi) -> None:
    done = tenantctl.run("keys", "list", TENANTCTL_SECRET_KEY="sk_a\r\nX-Other: b")

    assert (done.code, "sk_a" in done.err, api.received) == (USAGE, False, [])


REFUSED = {
    'api_url = "http://api.example.com/v1"': "must begin with https://",
    'api_url = "ftp://127.0.0.1/v1"': "is no URL",
    'api_url = "https://user:secret@127.0.0.1/v1"': "is no URL",
    'api_url = "https://127.0.0.1:port/v1"': "is no URL",
    "api_url = 7": "must be a text",
    'platform_key_variable = "A"': "is no URL",
    'api_url = "https://127.0.0.1/v1"\nplatform_key = "pk_of_production"': "A profile holds no key",
    'api_url = "https://127.0.0.1/v1"\nplatform_key_command = "aws"': "must be a list of texts",
    'api_url = "https://127.0.0.1/v1"\nregion = "eu-central-1"': "unknown member `region`",
    'api_url = "https://127.0.0.1/v1"\nplatform_key_variable = "A"\nplatform_key_command = ["b"]': "not both",
    "api_url": "no valid TOML",
}


@pytest.mark.parametrize("text", REFUSED)
def test_invalid_profile_is_refused(away: Tenantctl, text: str) -> None:
    away.write_profiles(f"[production]\n{text}\n")

    done = away.run("--profile", "production", "orgs", "list", TENANTCTL_PLATFORM_KEY="pk_given")

    assert (done.code, REFUSED[text] in done.err, "pk_of_production" in done.err) == (USAGE, True, False)


def test_profiles_that_others_may_read_are_refused(away: Tenantctl, api: ServedApi) -> None:
    away.write_profiles(f'[production]\napi_url = "{api.url}"\n', mode=0o640)

    done = away.run("--profile", "production", "orgs", "list")

    assert (done.code, "chmod 600" in done.err) == (USAGE, True)


def test_unknown_profile_names_the_known_ones(away: Tenantctl, api: ServedApi) -> None:
    away.write_profiles(f'[production]\napi_url = "{api.url}"\n')

    done = away.run("--profile", "staging", "orgs", "list")

    assert (done.code, "no profile staging. It has: production" in done.err) == (USAGE, True)
