"""Output has no escape sequence of an organization, and none at all without a terminal."""

import json
import re
import unicodedata

import pytest

from scripts.tenantctl.texts import countdown, visible
from tests.members import for_each
from tests.tenantctl.documents import ACME_ID, TIME, organization, page
from tests.tenantctl.processes import SECRET_KEY, Tenantctl
from tests.tenantctl.served_api import Served, ServedApi

ESCAPE = "\x1b"
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b2J\x9d0;x\x9c",
    "line\nbreak\r\x08\x7f",
    "[red]markup[/red] [link=https://evil.example]x[/link] [/]",
    ":warning: :skull:",
    "\u202egnp.exe\u2066\u2069\u061c\u200e",
    "\u2028\u2029\u0085",
    "\ufeff\u00ad\U000e0041\ue000\ufffe",
    "tab\there",
)
SGR = re.compile(r"\x1b\[[0-9;]*m")


def controls(text: str) -> set[str]:
    """Return the characters of *text* that act on a terminal, other than line ends and the tool's own colours."""
    plain = SGR.sub("", text).replace("\r\n", "").replace("\n", "")
    return {each for each in plain if unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp", "Co", "Cn"}}


def hostile_page() -> dict[str, object]:
    return page(*(organization(name=name, subdomain=f"acme-{number}") for number, name in enumerate(HOSTILE)))


def test_hostile_names_are_harmless_in_a_pipe(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=hostile_page()))

    done = tenantctl.run("orgs", "list")

    assert (done.code, controls(done.out), ESCAPE in done.out) == (0, set(), False)
    assert len(done.out.splitlines()) == 1 + len(HOSTILE)
    assert "[red]markup[/red]" in done.out
    assert ":warning:" in done.out


def test_hostile_names_are_harmless_on_a_terminal(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=hostile_page()))

    done = tenantctl.run_on_terminal("orgs", "list", columns=200)

    assert (done.code, controls(done.out)) == (0, set())
    assert "\\x1b[31mred" in done.out


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_of_errors_are_harmless(tenantctl: Tenantctl, api: ServedApi, name: str) -> None:
    api.answer(Served.refusal(409, name, name))

    done = tenantctl.run("orgs", "show", ACME_ID)

    assert (done.code, controls(done.err)) == (5, set())


def test_hostile_name_is_harmless_in_every_document(tenantctl: Tenantctl, api: ServedApi) -> None:
    name = "".join(HOSTILE)
    entry = {
        "id": name,
        "occurred_at": TIME,
        "actor": {"kind": name, "id": name},
        "action": name,
        "target": name,
        "outcome": name,
        "code": name,
        "count": 2,
    }
    api.answer(Served(document=page(entry)))

    done = tenantctl.run("audit", "tail", ACME_ID)

    assert (done.code, controls(done.out), len(done.out.splitlines())) == (0, set(), 1)


def test_json_is_ascii_and_keeps_each_character(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=hostile_page()))

    done = tenantctl.run("orgs", "list", "--json")

    assert done.out.isascii()
    assert controls(done.out) == set()
    assert tuple(each["name"] for each in done.document["data"]) == HOSTILE


def test_colour_is_on_a_terminal_only(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(organization())))

    shown = tenantctl.run_on_terminal("orgs", "list")
    piped = tenantctl.run("orgs", "list", FORCE_COLOR="1", TTY_COMPATIBLE="1", CLICOLOR_FORCE="1")

    assert f"{ESCAPE}[32mactive" in shown.out
    assert ESCAPE not in piped.out + piped.err


@pytest.mark.parametrize(("no_colour", "terminal"), [("1", "xterm-256color"), ("", "dumb")])
def test_no_colour_if_the_person_wants_none(
    tenantctl: Tenantctl, api: ServedApi, no_colour: str, terminal: str
) -> None:
    api.answer(Served(document=page(organization())))

    done = tenantctl.run_on_terminal("orgs", "list", NO_COLOR=no_colour, TERM=terminal)

    assert (done.code, SGR.findall(done.out)) == (0, [])


@pytest.mark.parametrize("command", [["--help"], ["orgs"], ["orgs", "list", "--help"], ["orgs", "list", "--wrong"]])
def test_help_has_no_escape_sequences(tenantctl: Tenantctl, command: list[str]) -> None:
    done = tenantctl.run(*command, FORCE_COLOR="1", GITHUB_ACTIONS="true")

    assert ESCAPE not in done.out + done.err


def test_narrow_terminal_shows_whole_ids(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(organization(name="A long name " * 9))))

    done = tenantctl.run_on_terminal("orgs", "list", columns=100)

    assert ACME_ID in done.out


def test_deletion_needs_the_name_to_be_typed(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=organization()))

    done = tenantctl.run_on_terminal("orgs", "delete", ACME_ID, "--reason", "End.", typed="globex\n")

    assert (done.code, "Nothing was done" in done.out) == (2, True)
    assert {each.method for each in api.received} == {"GET"}


def test_prompt_names_the_text_to_type(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=organization()))

    done = tenantctl.run_on_terminal("orgs", "delete", ACME_ID, "--reason", "End.", typed="Acme\n")

    assert "To delete Acme, type its subdomain, acme: " in done.out
    assert "Nothing was done: acme was not typed." in done.out


def test_interrupted_prompt_says_that_nothing_was_done(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=organization()))

    done = tenantctl.run_on_terminal("orgs", "suspend", ACME_ID, typed="\x03\n")

    assert (done.code, "Nothing was done.\r\n" in done.out) == (130, True)


def test_typed_name_deletes(tenantctl: Tenantctl, api: ServedApi) -> None:
    deleted = {"status": "deleted", "deleted_at": TIME, "purge_at": TIME}
    api.answer(Served(document=organization()), Served(document=deleted, status=202))

    done = tenantctl.run_on_terminal("orgs", "delete", ACME_ID, "--reason", "End.", typed="acme\n")

    assert (done.code, api.received[-1].method, api.received[-1].body) == (0, "DELETE", {"reason": "End."})


def test_typed_name_of_a_key_revokes_it(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page({"id": ACME_ID, "name": "Billing"})), Served(status=204))

    done = tenantctl.run_on_terminal("keys", "revoke", ACME_ID, typed="Billing\n")

    assert (done.code, api.received[-1].method) == (0, "DELETE")


def test_destructive_command_without_a_terminal_needs_yes(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=organization()))

    done = tenantctl.run("orgs", "suspend", ACME_ID, stdin="acme\n")

    assert (done.code, "--yes" in done.err, {each.method for each in api.received}) == (2, True, {"GET"})


def test_asked_password_is_not_echoed(tenantctl: Tenantctl, api: ServedApi) -> None:
    created = {"organization": organization(), "write_key": "wk_new", "secret_key": "sk_new"}
    api.answer(Served(document=created, status=201))
    command = ["orgs", "create", "--name", "Acme", "--subdomain", "acme", "--admin-email", "a@acme.example"]

    done = tenantctl.run_on_terminal(*command, typed="correct horse\ncorrect horse\n")

    assert (done.code, api.received[0].body["admin_password"]) == (0, "correct horse")
    assert "sk_new" in done.out


def test_keys_are_not_shown_by_an_error(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document={"data": "no list", "pagination": {}}))

    done = tenantctl.run("keys", "list")

    assert done.code != 0
    assert SECRET_KEY not in done.out + done.err


def test_waiting_shows_a_countdown_on_a_terminal(tenantctl: Tenantctl, api: ServedApi) -> None:
    limited = Served.refusal(429, "rate_limited", "Over the limit.", Retry_After="3")
    api.answer(limited, Served(document=organization()))

    done = tenantctl.run_on_terminal("orgs", "show", ACME_ID)

    assert [f"Trying again in {seconds} s" in done.out for seconds in (3, 2, 1)] == [True, True, True]


def test_closed_pipe_is_no_traceback(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(*[organization()] * 2000)))

    done = tenantctl.run_in_shell("tenantctl orgs list --limit 2000 | head -1")

    assert "Traceback" not in done.err


def test_full_disk_is_an_error_in_one_line(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(organization())))

    done = tenantctl.run_in_shell("tenantctl orgs list > /dev/full")

    assert (done.code, done.err) == (2, "Error: The output cannot be written: No space left on device.\n")


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-"])
def test_closed_output_sends_no_request(tenantctl: Tenantctl, api: ServedApi, streams: str) -> None:
    done = tenantctl.run_in_shell(f"tenantctl platform-keys create --name Lost {streams}")

    message = "" if "2>" in streams else "Error: Standard output is closed. Nothing was done.\n"
    assert (done.code, done.err, api.received) == (2, message, [])


def test_closed_error_stream_is_harmless(tenantctl: Tenantctl, api: ServedApi) -> None:
    api.answer(Served(document=page(organization(), cursor="more")))

    done = tenantctl.run_in_shell("tenantctl orgs list --limit 1 2>&-")

    assert (done.code, ACME_ID in done.out) == (0, True)


@for_each("name", HOSTILE)
def test_visible_text_has_no_control_characters(name: str) -> None:
    assert controls(visible(name)) == set()


def test_visible_text_keeps_scripts_and_joined_emoji() -> None:
    text = "Ünïcödé 日本語 عربي नमस्ते 👩\u200d💻 می\u200cخوای"  # noqa: RUF001 - Persian needs the joiner

    assert visible(text) == text


@for_each(
    ("seconds", "text"),
    [(0, "0 s"), (17.4, "17 s"), (65, "1 min 05 s"), (3600, "1 h 00 min"), (2_588_400, "29 d 23 h"), (-1, "0 s")],
)
def test_countdown_has_two_units(seconds: float, text: str) -> None:
    assert countdown(seconds) == text


def test_tail_writes_one_json_document_a_line(tenantctl: Tenantctl, api: ServedApi) -> None:
    events = [{"event_id": f"e-{number}", "device_id": "d", "event_timestamp": TIME} for number in (3, 2, 1)]
    api.answer(Served(document=page(*events)))

    done = tenantctl.run("events", "tail", "--json", "--limit", "2")

    assert [json.loads(line)["event_id"] for line in done.out.splitlines()] == ["e-2", "e-3"]
