"""The console in headless Chromium, on the deployed stack.

A scenario is a program in `tests/node/console`, which `harness.mjs` explains. To add one, write `<name>.mjs` there, and
a test here that calls `run_console("<name>", …)` with the organizations that it needs. `CONSOLE_PICTURES=<folder>`
stores pictures of each inspected state, and of the pages of a failure. Few long scenarios cost less than many short.
"""

import re
import secrets

import pytest

from scripts.demo import client
from scripts.demo.figures import send_and_count, show_figures, show_statistics
from scripts.demo.next_steps import describe_sign_in
from tenancy.rules.permissions import ROLES
from tenancy.rules.tiers import QUOTAS, Tier
from tests.e2e.conftest import STACK_FOLDER, RunConsole
from tests.e2e.deployed import Organization
from tests.given import ROOT

WEB = ROOT / "functions" / "console" / "web"
PUBLIC = {"accept", "reset", "sign-in"}  # pages without a session


def test_usage_shows_the_first_event_and_the_month(run_console: RunConsole, acme: Organization) -> None:
    run_console("usage", acme=acme)


def test_keys_are_created_rotated_and_revoked(run_console: RunConsole, acme: Organization) -> None:
    run_console("keys", acme=acme)


def test_sessions_begin_end_and_come_back(run_console: RunConsole, acme: Organization, globex: Organization) -> None:
    run_console("sessions", acme=acme, globex=globex)


@pytest.mark.exhaustive
def test_failures_have_a_title_and_a_way_on(run_console: RunConsole, acme: Organization, globex: Organization) -> None:
    run_console("failures", acme=acme, globex=globex)


@pytest.mark.exhaustive
def test_pages_of_other_origins_cannot_use_a_session(
    run_console: RunConsole, acme: Organization, globex: Organization
) -> None:
    run_console("foreign", acme=acme, globex=globex)


def test_events_are_listed_opened_and_traced(run_console: RunConsole, acme: Organization) -> None:
    run_console("events", acme=acme)


def test_organization_is_read_changed_and_deleted(run_console: RunConsole, acme: Organization) -> None:
    run_console("organization", acme=acme)


@pytest.mark.exhaustive
def test_each_page_is_light_and_sound_for_each_role(run_console: RunConsole, globex: Organization) -> None:
    entries = re.findall(
        r'\{ name: "([\w-]+)", title: "([\w-]+)".* needs: (?:"([\w:]+)"|null) \}', (WEB / "pages.js").read_text()
    )
    pages = [{"name": name, "title": title, "needs": needs or None} for name, title, needs in entries]
    assert {page["name"] for page in pages} | PUBLIC == {path.stem for path in (WEB / "pages").glob("*.js")}

    roles = {name: sorted(permissions) for name, permissions in ROLES.items()}
    run_console("every_page", globex=globex, more={"pages": pages, "roles": roles})


@pytest.mark.exhaustive
def test_flows_of_data_work_by_keyboard_alone(run_console: RunConsole, globex: Organization) -> None:
    run_console("keyboard", globex=globex)


@pytest.mark.exhaustive
def test_flows_of_people_work_by_keyboard_alone(run_console: RunConsole, globex: Organization) -> None:
    run_console("keyboard_people", globex=globex)


@pytest.mark.exhaustive
def test_settings_of_browsers_are_followed(run_console: RunConsole, acme: Organization) -> None:
    run_console("browsers", acme=acme)


def test_figures_of_the_demo_are_shown(run_console: RunConsole, capsys: pytest.CaptureFixture[str]) -> None:
    stack, run = client.Stack.load(STACK_FOLDER), secrets.token_hex(4)
    pair = client.provision(stack, "acme", "starter", run), client.provision(stack, "globex", "growth", run)
    capsys.readouterr()

    show_figures(send_and_count(stack, *pair))
    show_statistics(stack, pair)

    printed = capsys.readouterr().out
    organizations = [
        {
            "address": describe_sign_in(stack, each).split()[0],
            "admin_email": each.admin_email,
            "admin_password": each.admin_password,
            "counted": int(re.findall(rf"^  {each.name} +\d+ +\d+ +\d+ +(\d+)  ok$", printed, re.MULTILINE)[0]),
            "event_names": re.findall(rf"^  {each.name} +([A-Z]\w+ \w+) +\d+", printed, re.MULTILINE),
        }
        for each in pair
    ]
    run_console("demo", more={"organizations": organizations})


@pytest.mark.exhaustive
def test_focus_and_announcements_reach_their_readers(run_console: RunConsole, acme: Organization) -> None:
    run_console("focus", acme=acme)


@pytest.mark.exhaustive
def test_five_tabs_stay_within_the_limit_of_a_minute(run_console: RunConsole, acme: Organization) -> None:
    run_console("polling", acme=acme, more={"limit": QUOTAS[Tier.STARTER].api_requests_per_minute})


def test_audit_shows_older_entries_and_finds_linked_ones(run_console: RunConsole, globex: Organization) -> None:
    run_console("audit", globex=globex)


@pytest.mark.exhaustive
def test_figures_are_those_of_the_locale(run_console: RunConsole, acme: Organization) -> None:
    run_console("figures", acme=acme)
