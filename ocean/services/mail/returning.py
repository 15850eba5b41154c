"""What comes back of a message that was sent: that it did not arrive, or that somebody complains of it."""

from __future__ import annotations

import re

from ocean.context import Ocean
from ocean.core import mail
from ocean.services.mail import messages, sending
from ocean.services.mail.arrival import Arrival, read
from ocean.store import outbox as rows
from ocean.store.engine import only
from ocean.store.mail import mailbox
from ocean.store.outbox import Queued
from ocean.store.reader import now

MAX_BACK = 1024 * 1024  # bytes of a notice that a message did not arrive
COMES_BACK = 14 * 86_400_000  # milliseconds in which one may come
NOBODY = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")  # an address that none reaches (RFC 3463)


async def came_back(ocean: Ocean, id_: str, arrival: Arrival) -> None:
    """What comes to the address that one of ours was sent from: a notice that it did not arrive (RFC 3464), or a complaint (RFC 5965)."""
    sent = await rows.one(ocean.engine, id_)
    if sent is None or not may_come_back(sent) or len(arrival.raw) > MAX_BACK:
        return
    parsed = await read(arrival)
    complaint = any(kind == "message/feedback-report" for kind, _ in parsed.reports)
    report = next((_fields(body) for kind, body in parsed.reports if kind.endswith("delivery-status")), {})
    action, status = report.get("action", "failed" if not complaint else "").lower(), report.get("status", "")
    said = f"{status} {report.get('diagnostic-code', '').partition(';')[2].strip() or parsed.subject}".strip()[:500]
    box = await mailbox(ocean.engine, sent.mailbox) if sent.mailbox else None
    if box is not None:
        more = {"message": sent.letter, "recipient": sent.recipient, "action": "complaint" if complaint else action, "status": status}
        once = f"back {id_}"  # one notice of each: whoever has the address can write more
        await messages.file(ocean, box, mail.BOUNCES, arrival.raw, parsed, {k: v for k, v in more.items() if v}, once=once)
        if complaint or (action == "failed" and status.startswith("5.") and status.startswith(NOBODY)):
            await sending.suppress(ocean, box, sent.recipient, "complaint" if complaint else f"bounced: {said[:100]}")
    if action == "failed":
        await ocean.log.transact(only(rows.bounced(id_, said)))


def may_come_back(sent: Queued) -> bool:
    """Whether something may still be said of a message: another host has taken it, and not long ago."""
    return sent.state in (rows.SENT, rows.FAILED) and sent.done_at is not None and sent.done_at > now() - COMES_BACK


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a delivery status, those of its first recipient among them."""
    found: dict[str, str] = {}
    for line in re.sub(rb"\r?\n[ \t]+", b" ", body).decode(errors="replace").splitlines():
        name, sign, value = line.partition(":")
        if sign:
            found.setdefault(name.strip().lower(), value.strip()[:1000])
    return found
