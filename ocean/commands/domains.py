"""Commands of custom domains."""

from __future__ import annotations

from ocean.commands.command import Arg, Command, Twin
from ocean.services.pages import domains

_DOMAIN = Arg("domain", "text", "path", required=True)

COMMANDS = (
    Command("domain add", ("domain add DOMAIN:word to ROUTE",), "Serve a folder under a domain of yours; the answer has the DNS "
            "records to set.", "domain add mycoolsite.com to mysite", domains.add,
            (Twin("POST", "/domains", (Arg("domain", "text", required=True), Arg("route", "text", required=True)), 201),), answer="domain"),
    Command("domains", ("domains",), "Your domains, what DNS says of those that wait, and the state of each certificate.", "domains",
            domains.list_, (Twin("GET", "/domains"),), answer="domains: domain[], count: integer"),
    Command("domain check", ("domain check DOMAIN:word",), "Look now at what DNS says of a domain.", "domain check mycoolsite.com",
            domains.check, (Twin("POST", "/domains/<domain>/check", (_DOMAIN,)),), answer="domain"),
    Command("domain remove", ("domain remove DOMAIN:word",), "Give a domain up.", "domain remove mycoolsite.com", domains.remove,
            (Twin("DELETE", "/domains/<domain>", (_DOMAIN,)),), answer="deleted: true, domain: text"),
)  # fmt: skip
