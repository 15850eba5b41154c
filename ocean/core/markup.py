"""What HTML costs its reader before it is read. Pure."""

from __future__ import annotations

import re
from collections import Counter

# A parser opens these again in each paragraph, table cell and the like for as long as they were not closed (WHATWG HTML, 13.2.4.3): some
# thousand of them before some thousand paragraphs are millions of elements.
_FORMATTING = re.compile(r"<(/?)(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE)
MOST = 40  # that are open at once


def piles_up(source: str) -> bool:
    """Whether more than MOST formatting elements may be open at once."""
    opened: Counter[str] = Counter()
    together = 0
    for tag in _FORMATTING.finditer(source):
        name = tag[2].lower()
        if not tag[1]:
            opened[name] += 1
            together += 1
        elif opened[name]:
            opened[name] -= 1
            together -= 1
        if together > MOST:
            return True
    return False


_ANY = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"))
DEEPEST = 300  # elements in elements


def too_deep(source: str) -> bool:
    """Whether more than DEEPEST elements may be open at once: what walks a tree takes the square of that."""
    depth = 0
    for tag in _ANY.finditer(source):
        if tag[1]:
            depth = max(0, depth - 1)
        elif tag[2].lower() not in _VOID:
            depth += 1
            if depth > DEEPEST:
                return True
    return False
