"""The permissions of the functions' roles, and their comparison with recorded calls."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from tests.recorded_calls import Call, plain_name
from tests.template.template import FOLDERS, MADE_SECRETS, RESOURCES, events, listed, statements

ARN = re.compile(r"arn:\*:(?P<service>\w+):[^:]*:[^:]*:(?P<rest>.*)")
# Parts of an ARN that a recorded resource does not have.
ANYWHERE = ("AWS::Partition", "AWS::Region", "AWS::AccountId")
# Service and resource of an ARN, by the type of the template's resource.
ARNS_OF: Mapping[str, str] = MappingProxyType(
    {
        "AWS::KMS::Key": "kms:key/{}",
        "AWS::S3::Bucket": "s3:{}",
        "AWS::SQS::Queue": "sqs:{}",
        "AWS::Serverless::Function": "lambda:function:{}",
        "AWS::Serverless::StateMachine": "states:stateMachine:{}",
    }
)
POLLED = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One statement of a function's role."""

    function: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def unused(self, calls: Collection[Call]) -> Iterator[str]:
        """Yield each action and each resource that no call needs, as `action` or `action on resource`."""
        used = [call for call in calls if self.allows(call)]
        for action in self.actions:
            if action not in {used_action for _, used_action, _ in used}:
                yield f"{self.function}: {action} on {', '.join(self.resources)}"
        for resource in self.resources:
            if used and not any(fnmatchcase(used_resource, resource) for _, _, used_resource in used):
                yield f"{self.function}: {self.actions[0]} on {resource}"

    def allows(self, call: Call) -> bool:
        function, action, resource = call
        return (
            function == self.function
            and action in self.actions
            and any(fnmatchcase(resource, each) for each in self.resources)
        )


def granted() -> list[Grant]:
    """Return the statements of all functions. Those of AWS's own policies for logs, traces and VPCs are missing."""
    return [
        Grant(
            function=function,
            actions=tuple(listed(statement["Action"])),
            resources=tuple(_named(resource) for resource in listed(statement["Resource"])),
        )
        for function in FOLDERS
        for statement in statements(function)
    ]


def polled() -> set[str]:
    """Return the permissions with which Lambda itself reads the queues of a function, under the function's role."""
    return {
        f"{function}: {action} on {', '.join(_named(queue['Queue']) for queue in events(function, 'SQS'))}"
        for function in FOLDERS
        if events(function, "SQS")
        for action in POLLED
    }


def compare(
    grants: Collection[Grant], calls: Collection[Call], reasons: Mapping[str, str], sometimes: Collection[str] = ()
) -> list[str]:
    """Return a line for each call without a permission, each permission without a call, and each needless reason.

    A run may need the permissions *sometimes* or not.
    """
    unused = {line for grant in grants for line in grant.unused(calls)}
    return [
        *list_lacking(grants, calls),
        *(f"No test needs this permission: {line}" for line in sorted(unused - {*reasons, *sometimes})),
        *(
            f"Delete this reason, because the permission is needed or gone: {line}"
            for line in sorted(set(reasons) - unused)
        ),
    ]


def list_lacking(grants: Collection[Grant], calls: Collection[Call]) -> list[str]:
    """Return a line for each call without a permission."""
    return [
        f"The role lacks a permission that was needed: {function}: {action} on {on}"
        for function, action, on in sorted(calls)
        if not any(grant.allows((function, action, on)) for grant in grants)
    ]


def _named(resource: Any) -> str:  # noqa: ANN401 - a value of the template
    match resource:
        case {"Fn::GetAtt": str() as attribute} if ".Outputs." in attribute:
            return "*"  # a nested stack names it
        case {"Fn::GetAtt": str() as attribute}:
            return _arn_of(attribute.removesuffix(".Arn"))
        case {"Ref": name} if name in MADE_SECRETS:
            return f"secretsmanager:secret:SecretsPrefix/{MADE_SECRETS[name]}"
        case {"Ref": name}:
            function, is_alias, _ = name.partition(".Alias")
            return f"{_arn_of(function)}{is_alias and ':live'}" if function in RESOURCES else "*"
        case {"Fn::Sub": value}:
            text, known = value if isinstance(value, list) else (value, {})
            return _substituted(text, (*ANYWHERE, *known))
    return str(resource)


def _arn_of(name: str) -> str:
    return ARNS_OF[RESOURCES[name]["Type"]].format(name)


def _substituted(text: str, anything: tuple[str, ...]) -> str:
    def name_of(found: re.Match[str]) -> str:
        name, _, attribute = found[1].partition(".")
        if attribute == "Arn":
            return _arn_of(name)
        return "*" if name in anything else plain_name(name)

    plain = re.sub(r"\$\{([\w:.]+)\}", name_of, text)
    arn = ARN.fullmatch(plain)
    return f"{arn['service']}:{arn['rest'].removesuffix('-??????')}" if arn else plain
