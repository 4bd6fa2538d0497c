"""The public internet: servers and DNS names of tenants. Only `fetch`, which has no rights, talks to it."""
