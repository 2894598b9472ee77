"""Text from outside (a card, an exception, a measurement) made harmless where it is shown."""

from __future__ import annotations

import html
import re

# C0 and C1 controls, and what turns the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Return ``text`` on one line, with control characters written out as escapes."""
    flat = re.sub(r"[ \t\r\n]+", " ", text).strip()
    return _CONTROL.sub(lambda found: _escape(found.group()), flat)


def markup(text: str) -> str:
    """Return ``text`` as `clean` does, escaped for HTML that stands in a block of Markdown.

    A backtick could end the block that the HTML stands in, and so becomes an entity.
    """
    return html.escape(clean(text)).replace("`", "&#96;")


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
