"""Ask for the parameters of a new stage, and add it to samconfig.toml.

`sam deploy --guided` asks for each parameter of the template, and writes all answers. Then a later release cannot
change a default. This command asks only for the parameters in the template's groups. It writes only answers that differ
from the default.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

GROUPS: Final = ("AWS::CloudFormation::Interface", "ParameterGroups")
YES, NO = "true", "false"
# A question is asked only after this answer to another one.
ASKED_IF: Final[Mapping[str, tuple[str, str]]] = {
    "HighAvailability": ("CreateDataStores", YES),
    "VpcSubnetIds": ("CreateDataStores", NO),
    "VpcSecurityGroupIds": ("CreateDataStores", NO),
}
SECTION: Final = """
[{stage}.global.parameters]
stack_name = "{stack_name}"
region = "{region}"

[{stage}.deploy.parameters]
capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
resolve_s3 = true
fail_on_empty_changeset = false
confirm_changeset = true
parameter_overrides = "{overrides}"
"""
STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
REGION_NAME: Final = r"[a-z]{2}(-[a-z]+)+-[0-9]"
STACK_NAME: Final = r"[a-z][a-z0-9-]{0,100}"

type Read = Callable[[str], str]
type Say = Callable[[str], None]


def questions(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parameters in the groups of *template*, in their order."""
    interface, groups = GROUPS
    for group in template["Metadata"][interface][groups]:
        yield from group["Parameters"]


def ask_parameters(template: Mapping[str, Any], stage: str, *, read: Read, say: Say) -> dict[str, str]:
    """Ask for each parameter until the answer is valid. Return the answers that differ from the default."""
    answers: dict[str, str] = {}
    suggested = {"SecretsPrefix": f"tenancy/{stage}", "CreateDataStores": YES}
    for name in questions(template):
        if name in ASKED_IF and answers[ASKED_IF[name][0]] != ASKED_IF[name][1]:
            continue
        parameter = template["Parameters"][name]
        default = stage if name == "Stage" and stage in parameter["AllowedValues"] else suggested.get(name)
        say(f"\n{parameter['Description']}")
        answers[name] = _ask(name, default or str(parameter["Default"]), parameter, read=read, say=say)
    return {name: answer for name, answer in answers.items() if answer != str(template["Parameters"][name]["Default"])}


def ask_section(template: Mapping[str, Any], stage: str, *, read: Read, say: Say) -> str:
    """Ask for the values of a new *stage*, and return its section of samconfig.toml."""
    region = _ask("Region", "eu-central-1", {"AllowedPattern": REGION_NAME}, read=read, say=say)
    stack_name = _ask("Name of the stack", f"tenancy-{stage}", {"AllowedPattern": STACK_NAME}, read=read, say=say)
    answers = ask_parameters(template, stage, read=read, say=say)
    overrides = " ".join(f"{name}={answer}" for name, answer in answers.items())
    return SECTION.format(stage=stage, stack_name=stack_name, region=region, overrides=overrides)


def find_answer_problem(answer: str, parameter: Mapping[str, Any]) -> str | None:
    """Return the reason for which CloudFormation or SAM CLI would refuse *answer*, or None."""
    if set(answer) & set(' "\\'):
        return "Expected no spaces, quotes or backslashes."
    if "AllowedValues" in parameter and answer not in parameter["AllowedValues"]:
        return f"Expected one of: {', '.join(parameter['AllowedValues'])}."
    if not re.fullmatch(parameter.get("AllowedPattern", ".*"), answer):
        return str(parameter.get("ConstraintDescription", "Expected another form."))
    return None


def _ask(name: str, default: str, parameter: Mapping[str, Any], *, read: Read, say: Say) -> str:
    while True:
        answer = read(f"{name} [{default}]: ").strip() or default
        problem = find_answer_problem(answer, parameter)
        if problem is None:
            return answer
        say(problem)
