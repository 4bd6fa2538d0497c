"""Homes of organizations: values that are unique among several databases."""
