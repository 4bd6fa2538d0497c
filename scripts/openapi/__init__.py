"""The OpenAPI document, written from the routes (docs/decisions/0053-openapi.md)."""
