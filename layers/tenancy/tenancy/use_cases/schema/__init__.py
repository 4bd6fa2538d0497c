"""Schemas: apply the migrations of both databases."""
