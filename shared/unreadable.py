"""What cannot be read as text is replaced where it comes in, so that all behind can store and print it.

JSON can spell half a character (`\\ud83d`), and bytes need not be UTF-8. Either becomes U+FFFD, the character
that stands for what could not be read; cleaning leaves it out.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

REPLACEMENT = "\ufffd"
LENIENT = "vista-lenient"

_HALF = re.compile("[\ud800-\udfff]")


def readable(text: str) -> str:
    """The text without halves of characters; two that belong together become one."""
    if _HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def readable_json(value: Any) -> Any:
    """A JSON value of which every text, names of members too, is readable."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, list):
        return [readable_json(item) for item in value]
    if isinstance(value, dict):
        return {readable(name): readable_json(item) for name, item in value.items()}
    return value


def register_lenient_codec() -> None:
    """Make LENIENT known: pyodbc is told the name of a codec only, and has it decode strictly, which ends a
    whole read for one value."""
    codecs.register(_lenient_codec)


def _lenient_codec(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != LENIENT:
        return None
    return codecs.CodecInfo(codecs.lookup("utf-8").encode, _decoded, name=name)


def _decoded(data: Any, errors: str = "strict") -> tuple[str, int]:  # noqa: ARG001 - strict, always
    # With a codec that it does not know pyodbc 5.5 fetches UTF-8 (seen with varchar), also when told to fetch
    # UTF-16; columns that come as UTF-16 all the same show it by their zero bytes, or by being no UTF-8.
    content = bytes(data)
    try:
        if b"\0" not in content:
            return content.decode(), len(content)
    except UnicodeDecodeError:
        pass
    wide = len(content) % 2 == 0 and (b"\0" in content or b"\xd8" <= content[1:2] <= b"\xdf")
    return content.decode("utf-16-le" if wide else "utf-8", "replace"), len(content)
