"""Commands to try on the stack that the demo leaves behind."""

from datetime import UTC, datetime

from scripts.demo.client import DemoOrganization, Stack


def show_next_steps(stack: Stack, organization: DemoOrganization) -> None:
    """Print commands and an address that work as printed."""
    print("\nThe stack is still up (`make down` stops it). Try, as acme:\n")
    print("\n".join(f"  {command}" for command in list_calls(stack, organization)))
    print("\nin a browser, as acme's administrator:\n")
    print(f"  {describe_sign_in(stack, organization)}")
    print("\nand as the platform's operator:\n")
    print("\n".join(f"  {command}" for command in list_operator_commands(organization)))
    print()


def list_calls(stack: Stack, organization: DemoOrganization) -> list[str]:
    """Return calls of the API as *organization*."""
    event = (
        '{"events":[{"event_type":"open","event_name":"Hello","device_id":"me","platform":"web",'
        f'"event_timestamp":"{datetime.now(UTC).isoformat(timespec="seconds")}"}}]}}'
    )
    return [
        f"curl -H 'Authorization: Bearer {organization.secret_key}' {stack.api_url}/usage",
        f"curl -H 'Authorization: Bearer {organization.secret_key}' '{stack.api_url}/stats?group_by=day,platform'",
        f"curl -H 'Authorization: Bearer {organization.write_key}' {stack.api_url}/events -d '{event}'",
    ]


def describe_sign_in(stack: Stack, organization: DemoOrganization) -> str:
    """Return the console's address for *organization*, with its administrator's password. The stack is local."""
    address = f"{stack.console_url}?organization={organization.subdomain}"
    return f"{address} with {organization.admin_email} and the password {organization.admin_password}"


def list_operator_commands(organization: DemoOrganization) -> list[str]:
    """Return three commands of the operator, who finds the stack and its key by the folder."""
    return [
        ".venv/bin/tenantctl orgs list",
        f".venv/bin/tenantctl stats {organization.subdomain} --group-by event_name",
        f".venv/bin/tenantctl audit tail {organization.subdomain} --limit 5",
    ]
