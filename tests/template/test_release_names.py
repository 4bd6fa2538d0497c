"""Names of the release before are still there: clients, stored data and running executions rely on them."""

import json

import pytest

from scripts.release_names import FILE, RELEASE, current_files, missing_names, names_of

BEFORE = json.loads(FILE.read_text())
# Members of the results of scheduled functions, which only their log line and the tests read. And a verdict on a
# mention, which is neither stored nor sent. And an error type of pydantic, which no request causes. And a parameter of
# a statement, which is sent with its text. And a location that is built from the name of the query member now.
# And the message of a log line, which the changelog lists.
RESULTS = [
    "announced",
    "gates_closed_again",
    "ingested",
    "json_invalid",
    "names_nobody",
    "platform_cut_before",
    "query/group_by",
    "requests_kept",
]
MEMBER_OF_ZXCVBN = "score"
NAMES_OF_BOTO3 = ["Bucket", "get_object", "stepfunctions"]  # links and executions do without it
OPTIONS_OF_PYJWT = ["verify_aud", "verify_exp", "verify_iat", "verify_nbf"]
# CloudFormation changes no ServiceToken. So the resource with the alias of Migrate has another name.
RENAMED_RESOURCES = ["Schemas"]
RENAMED = {
    "logical ids": RENAMED_RESOURCES,
    "strings": sorted([*RESULTS, MEMBER_OF_ZXCVBN, *NAMES_OF_BOTO3, *OPTIONS_OF_PYJWT]),
}


def test_names_of_the_release_before_are_kept() -> None:
    assert missing_names(BEFORE, names_of(current_files())) == RENAMED


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("strings", '"welcome_mail"', '"hello"'),
        ("stored fields", "    device_id: ", "    device: "),
        ("stored fields", "    status: ", "    state: "),  # of a class that descends from BaseModel through ours
        ("Lua", "'epoch'", "'era'"),
        ("logical ids", "  EventsQueue:", "  Events:"),
    ],
)
def test_renamed_name_is_found(kind: str, old: str, new: str) -> None:
    files = {path: text.replace(old, new) for path, text in current_files().items()}

    assert old.strip(" '\":") in missing_names(BEFORE, names_of(files))[kind]


def test_changed_migration_is_found() -> None:
    files = {path: f"{text}\n" if path.endswith("0001_events.sql") else text for path, text in current_files().items()}

    [lost] = missing_names(BEFORE, names_of(files))["migrations"]

    assert "0001_events.sql" in lost


def test_previous_release_names_a_version_and_a_commit() -> None:
    version, commit = RELEASE.read_text().split()

    assert version.startswith("v")
    assert len(commit) == 40
