"""Answers to invitations: those that come by mail, and those that go (RFC 5546, REPLY and COUNTER)."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import events, mail
from ocean.core.changes import Op, missing
from ocean.core.drop import Drop, show_time
from ocean.core.mail import Address, Results
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.calendar import ics
from ocean.services.calendar.events import note_answer
from ocean.services.mail import mailboxes, sending
from ocean.services.mail.composing import Outgoing
from ocean.services.mail.parsing import Parsed
from ocean.services.mail.sending import Posting
from ocean.store.calendars import invitation
from ocean.store.mail import Mailbox
from ocean.store.reader import now

log = logging.getLogger("ocean.invites")


async def take(ocean: Ocean, box: Mailbox, parsed: Parsed, results: Results) -> None:
    """Writes the answers that a message brings on the events they are about. Who answers is who the message is from, and invited: what
    another says in their name, or what the domain's own policy does not stand by, changes nothing."""
    if results.dmarc in ("fail", "temperror") or not parsed.plain_from:
        return
    sender = parsed.sender.address.lower()
    for one in parsed.invitations:
        if one.method in ("REPLY", "COUNTER") and sender in one.attendees:
            await _noted(ocean, box, one, sender)


async def _noted(ocean: Ocean, box: Mailbox, one: ics.Received, sender: str) -> None:
    known = await invitation(ocean.engine, one.uid, box.name)
    if known is None:
        return
    answer = one.attendees[sender]
    more = None
    if one.method == "COUNTER":
        more = {
            "email": sender,
            **{k: v for k, v in ics.shown(one).items() if k in ("start", "end", "location", "comment")},
            "at": show_time(now()),
        }
        answer = "tentative"
    if answer not in events.ANSWERS:
        return
    at = one.occurrence if not isinstance(one.occurrence, datetime) or one.occurrence.tzinfo else one.occurrence.replace(tzinfo=UTC)
    try:
        await note_answer(ocean, Caller(known.owner), known.route, known.key, sender, answer, at=at, more=more)
    except OceanError as fault:  # removed meanwhile, or not invited: the message itself is kept
        if fault.temporary:
            raise
        log.info("an answer to %s in %s changes nothing: %s", known.key, known.route, fault.message)


async def answer(ocean: Ocean, caller: Caller, drop: Drop, email: str, said: str) -> dict[str, Any]:
    """Answers an invitation that came by mail, to who sent it, as the one who was invited; the message's record says so then.

    Raises NOT_FOUND where the message is no invitation, FORBIDDEN where the caller may not send as that address.
    """
    payload = loads(drop.body())
    found = (
        next((one for one in payload.get("invitations", []) if one.get("method") == "REQUEST"), None) if isinstance(payload, dict) else None
    )
    if found is None or not mail.is_address(found.get("organizer")):
        raise OceanError("NOT_FOUND", f"The message {drop.key!r} is no invitation.", "Those have 'invitations' with the method REQUEST.")
    if email.lower() not in {one.get("email") for one in found.get("attendees", [])}:
        raise OceanError("NOT_FOUND", f"{email[:80]!r} is not invited by {drop.key!r}.", "Answer as who is.")
    box, chosen = await mailboxes.sender(ocean, caller, email)
    start = found.get("start") or "2000-01-01"
    event = events.check(
        {"title": found.get("title") or "Event", "start": start, **({"end": found["end"]} if found.get("end") else {}), "uid": found["uid"],
         "sequence": found.get("sequence", 0), "organizer": found["organizer"], "attendees": [{"email": email, "status": said}]}
    )  # fmt: skip
    calendar = ics.message("REPLY", ics.Placed(event, found["uid"], datetime.now(UTC).replace(microsecond=0)))
    word = {"accepted": "Accepted", "declined": "Declined", "tentative": "Tentative"}.get(said, said.capitalize())
    subject = mail.subject_of(f"{word}: {event.title}")
    message = Outgoing(chosen, [Address("", found["organizer"])], subject, f"{chosen.address}: {said}\n", calendar=("REPLY", calendar))
    if drop.key is None:
        raise missing(drop.route, drop.key)
    noted = Op("update", drop.route, drop.key, changes={"answer": said})
    (told,) = await sending.post(ocean, caller, box, [Posting(message, [found["organizer"]])], ops=[noted])
    return {"route": drop.route, "key": drop.key, "email": email, "status": said, "message": told["id"]}
