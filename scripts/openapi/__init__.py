"""The OpenAPI document of the API, written from the routes themselves (docs/decisions/0053-openapi.md)."""
