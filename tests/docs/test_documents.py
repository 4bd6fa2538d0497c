"""The runner of documents: the commands it finds, and the answers it takes for equal."""

from pathlib import Path

import pytest

from scripts.documents import format_json, list_differences, normalize, parse_steps, refresh

FENCE = "```"


def document(commands: str, kind: str, answer: str, *, above: str = "") -> str:
    return f"{above}{FENCE}sh\n{commands}\n{FENCE}\n\n{FENCE}{kind}\n{answer}\n{FENCE}\n"


def test_step_has_its_commands_and_the_answer_below() -> None:
    [step] = parse_steps(document("echo 1", "json", "1"))

    assert (step.commands, step.kind, step.answer) == ("echo 1\n", "json", "1\n")


def test_commands_below_the_comment_are_not_run() -> None:
    text = document("exit 1", "text", "1", above="<!-- not run -->\n")

    assert parse_steps(text) == []


def test_steps_share_one_shell() -> None:
    text = document("A=1", "text", "") + document("echo $A", "text", "1")

    assert list_differences(text) == []


def test_hook_is_called_before_its_step(tmp_path: Path) -> None:
    file = tmp_path / "number"
    text = document(f"cat {file}", "text", "0") + document(f"cat {file}", "text", "1")

    differences = list_differences(text, before_step=lambda number: file.write_text(str(number)))

    assert differences == []


def test_another_answer_is_a_difference() -> None:
    text = document('echo \'{"code": "forbidden"}\'', "json", '{"code": "not_found"}')

    [difference] = list_differences(text)

    assert "forbidden" in difference


def test_unshown_output_is_a_difference() -> None:
    text = f"{FENCE}sh\necho 1\n{FENCE}\n"

    [difference] = list_differences(text)

    assert "echo 1" in difference


def test_shell_that_ends_early_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="0 of 1 steps"):
        list_differences(document("exit", "text", ""))


def test_ids_times_and_keys_may_differ() -> None:
    one = '{"id": "0c000000-0000-4000-8000-0000000000c2", "at": "2026-11-28T03:33:02.236Z", "write_key": "wk_aaaaaa…"}'
    other = (
        f'{{"id": "1c000000-0000-4000-8000-0000000000c2", "at": "2026-12-01T00:00:00Z", "write_key": "wk_{"b" * 49}"}}'
    )

    assert normalize("json", one) == normalize("json", other)


@pytest.mark.parametrize(
    "other",
    ['{"events": {"used": 2}}', '{"events": {"used": "1"}}', '{"events": {}}', "[]", "no JSON"],
    ids=["number", "type", "missing", "list", "text"],
)
def test_other_values_are_not_equal(other: str) -> None:
    assert normalize("json", '{"events": {"used": 1}}') != normalize("json", other)


def test_counts_that_lag_may_differ() -> None:
    assert normalize("json", '{"api_requests": {"used": 1}}') == normalize("json", '{"api_requests": {"used": 2}}')


def test_refresh_writes_the_real_answer() -> None:
    text = document('echo \'{"key": "sk_0123456789"}\'', "json", "{}")

    assert refresh(text) == document('echo \'{"key": "sk_0123456789"}\'', "json", '{"key": "sk_012345…"}')


def test_json_that_is_too_wide_takes_several_lines() -> None:
    value = {"data": [{"name": "n" * 60}, {"name": "n" * 60}]}

    lines = format_json(value).splitlines()

    assert lines == ["{", '  "data": [', f'    {{"name": "{"n" * 60}"}},', f'    {{"name": "{"n" * 60}"}}', "  ]", "}"]
