"""The template's text: short lines, plain descriptions, and no alias in what `sam build` writes."""

import re
import subprocess
import sys
from collections.abc import Iterator

import yaml

from tests.template.template import FILE, TEMPLATE

LONGEST_LINE = 140
VAGUE = re.compile(r"\b(nobody|whoever|whatever|somebody|something|what)\b", re.IGNORECASE)
REWRITE = "import sys; from samcli.yamlhelper import *; sys.stdout.write(yaml_dump(yaml_parse(sys.stdin.read())))"


def descriptions(value: object = TEMPLATE) -> Iterator[str]:
    """Yield all texts of members called Description or AlarmDescription."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name in {"Description", "AlarmDescription"} and isinstance(member, str):
                yield member
            yield from descriptions(member)
    elif isinstance(value, list):
        for member in value:
            yield from descriptions(member)


def test_lines_are_short() -> None:
    lines = FILE.read_text().splitlines()

    assert [number for number, line in enumerate(lines, start=1) if len(line) > LONGEST_LINE] == []


def test_descriptions_name_their_subjects() -> None:
    assert [text for text in descriptions() if VAGUE.search(text)] == []


def test_each_parameter_is_described() -> None:
    parameters = TEMPLATE["Parameters"]

    assert [name for name, parameter in parameters.items() if not parameter.get("Description")] == []


def test_sam_cli_writes_the_template_without_aliases() -> None:
    """CloudFormation resolves none. SAM CLI runs in a process of its own, because it changes PyYAML's loader."""
    done = subprocess.run(
        [sys.executable, "-c", REWRITE], input=FILE.read_text(), capture_output=True, text=True, check=True
    )

    written = list(yaml.parse(done.stdout))

    assert [event for event in written if getattr(event, "anchor", None)] == []
    assert [event for event in written if getattr(event, "value", None) == "<<"] == []
