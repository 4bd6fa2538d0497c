"""The template for CloudFormation: the result of SAM's transform of template.yaml."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from scripts.deploy.transform import transform
from tests.given import REGION
from tests.template.template import TEMPLATE


@cache
def transformed_template(*, gradual: bool = False) -> dict[str, Any]:
    """Return the template as the parameter GradualDeployment makes it."""
    return transform(TEMPLATE, region=REGION, parameters={"GradualDeployment": str(gradual).lower()})


def transformed(*, gradual: bool = False) -> dict[str, dict[str, Any]]:
    """Return the resources that the transform makes, by their logical ids."""
    resources: dict[str, dict[str, Any]] = transformed_template(gradual=gradual)["Resources"]
    return resources


@cache
def deployed(**parameters: str) -> dict[str, Any]:
    """Return the template that CloudFormation deploys with *parameters*, and the defaults of the others.

    Conditions are decided. References to resources stay.
    """
    return _Conditions({**defaults(), **parameters}).decide(transformed_template())


class _Conditions:
    """Decides the conditions of the template, as CloudFormation does."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters

    def decide(self, template: Mapping[str, Any]) -> dict[str, Any]:
        resources = {
            name: self._value({key: part for key, part in resource.items() if key != "Condition"})
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self._holds({"Condition": resource["Condition"]})
        }
        return {"Resources": resources, "Outputs": self._value(template["Outputs"])}

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        [(kind, operands)] = condition.items()
        match kind:
            case "Condition":
                return self._holds(TEMPLATE["Conditions"][operands])
            case "Fn::Not":
                return not self._holds(operands[0])
            case "Fn::Or":
                return any(self._holds(operand) for operand in operands)
            case "Fn::Equals":
                return len({str(self._value(each)) for each in operands}) == 1
        raise ValueError(kind)

    def _value(self, value: Any) -> Any:  # noqa: ANN401, PLR0911 - any value of the template
        match value:
            case {"Fn::If": [name, chosen, other]}:
                return self._value(chosen if self._holds({"Condition": name}) else other)
            case {"Fn::Join": [separator, {"Ref": name}]} if name in self._parameters:
                return separator.join(str(self._parameters[name]).split(","))
            case {"Fn::Sub": str() as text}:
                return {"Fn::Sub": self._substitute(text)} if "${" in self._substitute(text) else self._substitute(text)
            case {"Ref": name} if name in self._parameters:
                return self._parameters[name]
            case dict():
                kept = ((name, self._value(each)) for name, each in value.items())
                return {name: each for name, each in kept if each != {"Ref": "AWS::NoValue"}}
            case list():
                return [self._value(each) for each in value]
        return value

    def _substitute(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: str(self._parameters.get(found[1], found[0])), text)


def defaults() -> dict[str, Any]:
    """Return the default of each parameter."""
    return {name: parameter["Default"] for name, parameter in TEMPLATE["Parameters"].items()}


def transformed_of(kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of type *kind*, by their logical ids."""
    return {name: resource for name, resource in transformed().items() if resource["Type"] == kind}
