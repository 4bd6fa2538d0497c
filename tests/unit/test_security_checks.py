"""The reading of the reports of checkov and pip-audit, and the templates that checkov gets."""

import json
import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from scripts.security.accepted import ACCEPTED, WITH_OPTIONS, WITHOUT_OPTIONS, Accepted
from scripts.security.checks import judge, judge_audit
from scripts.security.made_up import MADE_UP
from scripts.security.templates import decided, write_templates
from tests.given import ROOT

RESOURCES = {
    "Always": {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "KmsMasterKeyId": {"Fn::If": ["HasKey", {"Ref": "Key"}, {"Ref": "AWS::NoValue"}]},
            "Tags": [{"Fn::If": ["HasKey", {"Key": "a"}, {"Ref": "AWS::NoValue"}]}, {"Key": "b"}],
        },
    },
    "Key": {"Type": "AWS::KMS::Key", "Condition": "HasKey", "Properties": {}},
}


def finding(check: str, resource: str, file: str) -> dict[str, str]:
    return {"check_id": check, "resource": resource, "file_path": file, "check_name": "A rule"}


def accepted_findings() -> list[dict[str, str]]:
    """Return one finding for each that is accepted."""
    return [
        finding(
            each.check,
            each.resource.replace("*", "AWS::S3::Bucket.Any"),
            each.file.replace("*", "/template-x") if each.file in {WITH_OPTIONS, WITHOUT_OPTIONS} else "/template-x",
        )
        for each in ACCEPTED
    ]


def report(findings: list[dict[str, str]], parsing_errors: int = 0) -> dict[str, Any]:
    return {
        "summary": {"parsing_errors": parsing_errors},
        "results": {"failed_checks": findings, "parsing_errors": ["/template-x"] * parsing_errors},
    }


def test_accepted_findings_are_no_lines() -> None:
    assert list(judge(report(accepted_findings()))) == []


def test_new_finding_is_a_line() -> None:
    new = finding("CKV_AWS_999", "AWS::SQS::Queue.New", "/template-with-options.json")

    [line] = judge(report([*accepted_findings(), new]))

    assert line == "template-with-options.json: AWS::SQS::Queue.New: CKV_AWS_999 A rule"


def test_finding_is_accepted_for_its_resource_and_file_alone() -> None:
    key = Accepted(check="CKV_AWS_33", reason="r", resource="AWS::KMS::Key.DataKey", file=WITH_OPTIONS)

    assert key.covers("CKV_AWS_33", "AWS::KMS::Key.DataKey", "/template-with-options.json")
    assert not key.covers("CKV_AWS_33", "AWS::KMS::Key.Other", "/template-with-options.json")
    assert not key.covers("CKV_AWS_33", "AWS::KMS::Key.DataKey", "/template-without-options.json")
    assert not key.covers("CKV_AWS_34", "AWS::KMS::Key.DataKey", "/template-with-options.json")


def test_acceptance_without_a_finding_is_a_line() -> None:
    [line] = judge(report(accepted_findings()[1:]))

    assert line.startswith(f"scripts/security/accepted.py: nothing is found by {ACCEPTED[0].check}")


def test_template_that_checkov_cannot_read_is_a_line() -> None:
    [line] = judge(report(accepted_findings(), parsing_errors=1))

    assert "/template-x" in line


def test_each_acceptance_has_a_reason() -> None:
    reasons = [each.reason for each in ACCEPTED] + [reason for _, reason in MADE_UP.values()]

    assert all(reason.endswith(".") for reason in reasons)
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("pattern", MADE_UP)
def test_made_up_credentials_are_of_files_that_exist(pattern: str) -> None:
    names = [str(path.relative_to(ROOT)) for folder in ("docs", "events", "layers", "scripts", "tests")
             for path in (ROOT / folder).rglob("*") if path.is_file()]  # fmt: skip

    assert any(re.fullmatch(pattern, name) for name in names)


def test_advisory_is_a_line_with_the_version_that_mends_it() -> None:
    advisory = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}
    dependencies = [{"name": "a", "version": "1.0", "vulns": [advisory]}, {"name": "b", "version": "1.0", "vulns": []}]

    assert list(judge_audit({"dependencies": dependencies})) == ["a 1.0: PYSEC-2026-1, fixed in 1.1"]


def test_packages_that_were_not_compared_are_a_line() -> None:
    """An index without advisories must not look like one without faults."""
    dependencies = [{"name": "a", "skip_reason": "Dependency not found"}, {"name": "b", "version": "1", "vulns": []}]

    [line] = judge_audit({"dependencies": dependencies})

    assert line.startswith("1 packages, such as a, were not compared")


def test_template_has_all_conditions_true_or_all_false() -> None:
    with_options, without = (decided({"Resources": RESOURCES}, holds=holds)["Resources"] for holds in (True, False))

    assert set(with_options) == {"Always", "Key"}
    assert with_options["Always"]["Properties"] == {
        "KmsMasterKeyId": {"Ref": "Key"},
        "Tags": [{"Key": "a"}, {"Key": "b"}],
    }
    assert set(without) == {"Always"}
    assert without["Always"]["Properties"] == {"Tags": [{"Key": "b"}]}


def test_both_templates_are_written_without_conditions(tmp_path: Path) -> None:
    write_templates(ROOT, tmp_path)

    names = sorted(file.name for file in tmp_path.iterdir())
    texts = [file.read_text() for file in tmp_path.iterdir()]
    assert {"template-with-options.json", "template-without-options.json"} <= set(names)
    assert not [text for text in texts if '"Fn::If"' in text]
    assert "WebAcl" in json.loads((tmp_path / "template-with-options.json").read_text())["Resources"]
    assert all(fnmatchcase(f"/{name}", WITH_OPTIONS) or fnmatchcase(f"/{name}", WITHOUT_OPTIONS) for name in names)


def test_tools_are_locked_for_the_python_of_the_project() -> None:
    project, tools = (tomllib.loads((ROOT / name / "uv.lock").read_text()) for name in ("", "scripts/security"))

    assert tools["requires-python"] == project["requires-python"]
    assert {"bandit", "checkov", "detect-secrets", "pip-audit"} <= {each["name"] for each in tools["package"]}
