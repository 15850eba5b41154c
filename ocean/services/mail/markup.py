"""HTML of mail: made safe to show, read as text, and made of text."""

from __future__ import annotations

import re

import nh3
from selectolax.lexbor import LexborHTMLParser

from ocean.core.markup import piles_up, too_deep

MAX_SOURCE = 256 * 1024  # characters
_TAGS = frozenset((
    "a", "abbr", "address", "article", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col",
    "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3",
    "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "ol", "p", "pre", "q", "s", "samp", "section",
    "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt",
    "u", "ul", "var", "wbr"
))  # fmt: skip
_EVERY = {"align", "dir", "lang", "title", "valign", "width", "height", "bgcolor", "color", "class"}
_ATTRIBUTES = {
    "*": _EVERY, "a": {"href"}, "img": {"src", "alt"}, "td": {"colspan", "rowspan", "nowrap"}, "th": {"colspan", "rowspan", "nowrap"},
    "table": {"border", "cellpadding", "cellspacing"}, "font": {"face", "size"}, "ol": {"start", "type"}, "li": {"value"},
}  # fmt: skip
_BREAKS = "address,article,blockquote,br,dd,div,dl,dt,figure,footer,h1,h2,h3,h4,h5,h6,header,hr,li,ol,p,pre,section,table,tr,ul"


def readable(source: str) -> bool:
    """Whether reading it takes no longer than its length says."""
    return len(source) <= MAX_SOURCE and not piles_up(source) and not too_deep(source)


def safe(source: str) -> str:
    """Without scripts, forms, styles and what loads by itself from elsewhere: an image stays where it is a part of the message (cid:),
    else its address is told in `data-src`."""
    if not readable(source):
        return ""
    return nh3.clean(
        source, tags=set(_TAGS), attributes=_ATTRIBUTES, url_schemes={"http", "https", "mailto", "tel", "cid"}, attribute_filter=_attribute,
        link_rel="noopener noreferrer nofollow", strip_comments=True,
        clean_content_tags={"script", "style", "head", "title", "template", "noscript", "svg", "math", "iframe", "object"},
    )  # fmt: skip


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src" and not value.strip().lower().startswith("cid:"):
        return None  # it would tell its sender that, when and where the message was read
    return value


def text_of(source: str) -> str:
    """What it says, a line for each block; nothing of what is not `readable`."""
    if not readable(source):
        return ""
    tree = LexborHTMLParser(source)
    for node in tree.css("script,style,head,title,template"):
        node.decompose()
    for node in tree.css(_BREAKS):
        node.insert_before("\n")
    for node in tree.css("a[href]"):
        address, says = node.attributes.get("href") or "", node.text(deep=True).strip()
        if address.startswith(("http://", "https://")) and says not in ("", address):
            node.insert_after(f" <{address}>")
    body = tree.body
    text = body.text(deep=True) if body is not None else ""
    lines = [re.sub(r"[ \t\r\f\xa0]+", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
