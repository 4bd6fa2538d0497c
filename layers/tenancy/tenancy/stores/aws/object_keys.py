"""The keys of organizations' objects in S3.

Every key begins with the id of its organization, so no name reaches an object of another organization.
"""

from uuid import UUID


def object_key(organization_id: UUID, name: str) -> str:
    """Return the key of the organization's file *name*.

    Raises:
        ValueError: *name* is not a file name.
    """
    if not name or name.startswith("/") or ".." in name:
        raise ValueError(f"{name!r} is not a file name: it is empty, absolute or contains '..'.")
    return f"{UUID(bytes=organization_id.bytes)}/{name}"
