"""Deletion: mark an organization, restore it, or erase it and certify the erasure."""
