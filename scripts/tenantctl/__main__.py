"""Run the command line."""

from scripts.tenantctl.app import app

if __name__ == "__main__":
    app(prog_name="tenantctl")
