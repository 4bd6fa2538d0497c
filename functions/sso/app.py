"""Single sign-on: the e-mail domains of an organization."""

from tenancy.gateway.resolver import api
from tenancy.settings import Settings
from tenancy.wiring import Wiring

settings = Settings.from_env("AUDIT_QUEUE_URL", "BASE_DOMAIN", "FETCH_FUNCTION", "REDIS_PATIENCE_MS", "UPGRADE_URL")
wiring = Wiring(settings)
platform_db, fetcher = wiring.platform_database, wiring.fetcher
app = api()

handler = wiring.handler(app, platform_db)
