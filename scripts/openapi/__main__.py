"""Write the OpenAPI document and the table of permissions: ``python -m scripts.openapi``.

`docs/openapi.json` is for readers. The function that serves the document has a copy without spaces.
`docs/permissions.md` has the credentials that each route accepts.
"""

import sys

from scripts.openapi.document import FILES, format_document, make_document
from scripts.openapi.permissions import FILE as PERMISSIONS_FILE
from scripts.openapi.permissions import format_permissions


def main() -> int:
    """Write all files."""
    document = make_document()
    for file, is_indented in FILES.items():
        file.write_text(format_document(document, is_indented=is_indented), encoding="utf-8")
        print(file)
    PERMISSIONS_FILE.write_text(format_permissions(), encoding="utf-8")
    print(PERMISSIONS_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
