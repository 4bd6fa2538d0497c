"""Lists on terminals of several widths: names and states stay readable, and nothing is dropped without a sign."""

import re

import pytest

from tests.tenantctl.documents import ACME_ID, TIME, organization, page
from tests.tenantctl.processes import Tenantctl
from tests.tenantctl.served_api import Served, ServedApi

SGR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
GLOBEX_ID = "1c000000-0000-4000-8000-0000000000c2"
WIDTHS = (40, 80, 120)
SCOPES = [f"{noun}:{verb}" for noun in ("apps", "events", "keys", "members") for verb in ("read", "write")]
ROWS = {
    "orgs list": page(
        organization(subdomain="acme-1795941684"),
        organization(id=GLOBEX_ID, name="Globex", subdomain="globex-1795941684", tier="enterprise"),
    ),
    "keys list": page(
        *(
            {
                "id": key_id,
                "type": "secret",
                "name": name,
                "status": "active",
                "prefix": "sk_abcd",
                "hint": "wxyz",
                "last_used_at": None,
                "expires_at": TIME,
                "rotate_by": TIME,
                "scopes": SCOPES,
            }
            for key_id, name in ((ACME_ID, "Billing"), (GLOBEX_ID, "Reports of the night"))
        )
    ),
    "platform-keys list": page(
        {"id": ACME_ID, "name": "On call", "status": "active", "prefix": "pk_abcd", "hint": "wxyz", "expires_at": TIME}
    ),
    f"dead-letters list {ACME_ID}": page({"kind": "event", "cause": "storage_unavailable", "count": 3, "events": 30}),
}
NAMES = {
    "orgs list": ("Acme", "acme-1795941684", "Globex", "globex-1795941684", "active"),
    "keys list": ("Billing", "Reports of the night", "secret", "active", "wxyz"),
    "platform-keys list": ("On call", "active", "wxyz"),
    f"dead-letters list {ACME_ID}": ("event", "storage_unavailable", "30"),
}


def lines_at(tenantctl: Tenantctl, api: ServedApi, command: str, columns: int) -> list[str]:
    api.answer(Served(document=ROWS[command]))
    done = tenantctl.run_on_terminal(*command.split(), columns=columns)
    assert done.code == 0
    return SGR.sub("", done.out).replace("\r", "").splitlines()


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", ROWS)
def test_names_and_states_are_readable(tenantctl: Tenantctl, api: ServedApi, command: str, columns: int) -> None:
    lines = lines_at(tenantctl, api, command, columns)

    assert max(map(len, lines)) <= columns
    assert [name for name in NAMES[command] if not any(name in line for line in lines)] == []


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", ["orgs list", "keys list"])
def test_ids_are_whole_or_folded(tenantctl: Tenantctl, api: ServedApi, command: str, columns: int) -> None:
    lines = lines_at(tenantctl, api, command, columns)

    joined = "".join("".join(lines).split())
    assert [each for each in (ACME_ID, GLOBEX_ID) if each not in joined] == []


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", ROWS)
def test_each_column_is_shown_or_named(tenantctl: Tenantctl, api: ServedApi, command: str, columns: int) -> None:
    api.answer(Served(document=ROWS[command]))
    headings = re.split(r"\s{2,}", tenantctl.run(*command.split()).out.splitlines()[0].strip())

    text = " ".join(lines_at(tenantctl, api, command, columns))

    assert [each for each in headings if each not in text] == []


def test_table_of_organizations_fits_80_columns(tenantctl: Tenantctl, api: ServedApi) -> None:
    lines = lines_at(tenantctl, api, "orgs list", 80)

    assert [line.split()[0] for line in lines[1:3]] == [ACME_ID, GLOBEX_ID]
    assert "Too narrow for: tier, created at" in lines[3]


def test_pipe_has_each_row_on_one_line(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=ROWS["keys list"]))

    done = tenantctl.run("keys", "list", COLUMNS="40")

    assert len(done.out.splitlines()) == 3
    assert ", ".join(SCOPES) in done.out


@pytest.mark.parametrize("columns", WIDTHS)
def test_wrapped_name_stays_in_its_table(tenantctl: Tenantctl, api: ServedApi, columns: int) -> None:
    api.answer(Served(document=page(organization(name="A long name " * 9))))

    done = tenantctl.run_on_terminal("orgs", "list", columns=columns)

    assert SGR.sub("", done.out).count("long") == 9
