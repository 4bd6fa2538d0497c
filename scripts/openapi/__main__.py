"""Write the OpenAPI document: ``python -m scripts.openapi``.

`docs/openapi.json` is for readers. The function that serves the document has a copy without spaces.
"""

import sys

from scripts.openapi.document import FILES, format_document, make_document


def main() -> int:
    """Write both files."""
    document = make_document()
    for file, is_indented in FILES.items():
        file.write_text(format_document(document, is_indented=is_indented), encoding="utf-8")
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
