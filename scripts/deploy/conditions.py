"""Conditions and Rules of a template, decided for given parameters as CloudFormation decides them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """A template with the values of its parameters."""

    template: Mapping[str, Any]
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, template: Mapping[str, Any], given: Mapping[str, str]) -> "Decisions":
        """Return the decisions for the *given* parameters, and the defaults of the others."""
        defaults = {name: str(each.get("Default", "")) for name, each in template.get("Parameters", {}).items()}
        return cls(template=template, parameters={**defaults, **given})

    def is_made(self, resource: Mapping[str, Any]) -> bool:
        """Return whether the stack has *resource*."""
        return "Condition" not in resource or self.holds({"Condition": resource["Condition"]})

    def failed_assertions(self) -> Iterator[str]:
        """Yield the message of each assertion of the Rules that is false."""
        for rule in self.template.get("Rules", {}).values():
            if "RuleCondition" in rule and not self.holds(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self.holds(assertion["Assert"]):
                    yield assertion["AssertDescription"]

    def holds(self, condition: Mapping[str, Any]) -> bool:
        """Return whether *condition* is true.

        Raises:
            ValueError: a function is unknown here.
        """
        [(kind, operands)] = condition.items()
        match kind:
            case "Condition":
                return self.holds(self.template["Conditions"][operands])
            case "Fn::Not":
                return not self.holds(operands[0])
            case "Fn::Or":
                return any(self.holds(each) for each in operands)
            case "Fn::And":
                return all(self.holds(each) for each in operands)
            case "Fn::Equals":
                return self.text(operands[0]) == self.text(operands[1])
            case "Fn::EachMemberEquals":
                return all(member.strip() == operands[1] for member in self.text(operands[0]).split(","))
        raise ValueError(f"Expected a function of conditions, got {kind}.")

    def text(self, value: object) -> str:
        """Return a value as a text. A value that only CloudFormation knows is the name of its function.

        A list parameter is its members with commas between them.
        """
        match value:
            case {"Ref": str(name)}:
                return self.parameters.get(name, name)
            case {"Fn::Join": [_, inner]}:
                return self.text(inner)
            case {"Fn::If": [name, chosen, other]}:
                return self.text(chosen if self.holds({"Condition": name}) else other)
            case {**function} if function:
                return str(next(iter(function)))
        return str(value)
