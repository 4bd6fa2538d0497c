"""How a command is declared: its name, the schema of its JSON, and examples that a test runs."""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, override

import typer
from typer.core import TyperCommand

from scripts.tenantctl.errors import CommandError
from scripts.tenantctl.terminal import Terminal

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON. Errors are JSON, too, on standard error.")]
OrganizationName = Annotated[str, typer.Argument(metavar="ORG", help="Id or subdomain of the organization.")]
Confirmed = Annotated[bool, typer.Option("--yes", help="Do not ask for the subdomain or the name to be typed.")]
Limit = Annotated[int, typer.Option(min=1, help="The number of rows at most.")]
Everything = Annotated[bool, typer.Option("--all", help="All rows, however many pages they need.")]
Repeating = Annotated[
    str | None, typer.Option("--idempotency-key", help="Repeat the request that had this key and no answer.")
]
FirstDay = Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="The first day (UTC).")]
LastDay = Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="The day after the last one.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The schema of the JSON that a command writes.

    It is that of the 2xx answer of *method* and *path* in docs/openapi.json, or *schema*. With *is_lines* each line of
    the output is one document, of the *rows* of that answer if they are named.
    """

    method: str = ""
    path: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    is_lines: bool = False
    rows: str = ""


OUTPUTS: Final[dict[str, Output]] = {}


class Command(TyperCommand):
    """A command that says where the options of tenantctl itself stand."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {name for option in self.params for name in option.opts}
        root = {name: each for each in ctx.find_root().command.params for name in each.opts}
        given = [text.partition("=")[0] for text in itertools.takewhile(lambda text: text != "--", args)]
        for name in () if ctx.resilient_parsing else given:
            if name in root and name not in own and name.startswith("--"):
                value = "" if root[name].is_flag else f" {root[name].name.upper()}"
                ctx.fail(
                    f"{name} stands before the command: tenantctl {name}{value} {ctx.command_path.partition(' ')[2]} …"
                )
        return super().parse_args(ctx, args)


def make_app(name: str, purpose: str | None = None) -> typer.Typer:
    """Return a group of commands with plain help: no text is markup, and examples keep their lines.

    Pretty exceptions would show local variables, and so keys.
    """
    return typer.Typer(
        name=name, help=purpose, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )


class Noun:
    """The commands for one kind of thing."""

    def __init__(self, name: str, purpose: str) -> None:
        """Make an empty group."""
        self.name = name
        self.app = make_app(name, purpose)

    def command[**P](
        self, name: str, *, output: Output, examples: Sequence[str]
    ) -> Callable[[Callable[P, None]], Callable[P, None]]:
        """Add the decorated function as command *name* of this group."""
        return add_command(self.app, name, group=self.name, output=output, examples=examples)


def add_command[**P](
    app: typer.Typer, name: str, *, group: str = "", output: Output, examples: Sequence[str]
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Add the decorated function to *app*. Its docstring is the help, and *examples* follow the options."""

    def decorate(function: Callable[P, None]) -> Callable[P, None]:
        OUTPUTS[f"{group} {name}".strip()] = output
        lines = "\n".join(f"  tenantctl {example}" for example in examples)
        app.command(name, cls=Command, epilog=f"\b\nExamples:\n{lines}")(_reporting(function))
        return function

    return decorate


def examples_of(epilog: str) -> list[str]:
    """Return the commands that stand below the help of a command."""
    return [line.strip() for line in epilog.splitlines() if line.startswith("  tenantctl ")]


def _reporting[**P](function: Callable[P, None]) -> Callable[P, None]:
    """Write the errors of *function*, and end with their exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except CommandError as error:
            Terminal(is_json=bool(kwargs.get("as_json"))).fail(error)
            raise typer.Exit(error.exit_code) from error

    return run
