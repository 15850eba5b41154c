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
