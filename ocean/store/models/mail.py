"""Mail: mailboxes and their domains, letters, what waits to be sent, calendars."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Name


class Outgoing(Model):
    """A message that waits to be sent, or was."""

    id = Name(primary_key=True)
    owner = Name()
    holder = Name()  # a digest of the address that it was asked from
    recipient = fields.TextField()
    subject = fields.TextField()
    body = fields.TextField()
    state = fields.TextField()
    attempts = fields.SmallIntField()
    created_at = fields.BigIntField()
    due_at = fields.BigIntField()
    host = fields.TextField(null=True)  # of the recipient
    mailbox = fields.TextField(null=True)  # whose folder hears what becomes of it
    sender = fields.TextField(null=True)  # the address that it is from
    letter = fields.TextField(null=True)  # the id of the letter that is sent, null where subject and body are all there is
    error = fields.TextField(null=True)  # what was answered last
    done_at = fields.BigIntField(null=True)

    class Meta:
        table = "outbox"
        indexes = [
            Index(fields=("owner", "created_at"), name="outbox_owner"),
            Index(fields=("holder", "created_at"), name="outbox_holder"),
            Index(fields=("state", "due_at"), name="outbox_due"),
            Index(fields=("state", "host", "due_at"), name="outbox_host"),
            Index(fields=("done_at",), name="outbox_done"),
        ]


class Mailbox(Model):
    """A name that receives mail into the folder mail/NAME. What is in that folder is held by its rule."""

    name = Name(primary_key=True)
    owner = Name()
    created_at = fields.BigIntField()

    class Meta:
        table = "mailbox"
        indexes = [Index(fields=("owner", "created_at"), name="mailbox_owner")]


class MailDomain(Model):
    """A domain whose mail somebody wants in a mailbox of theirs. It is live for one of those who claim it."""

    id = Name(primary_key=True)  # name and owner
    name = Name()
    owner = Name()
    mailbox = Name()
    state = fields.TextField()
    created_at = fields.BigIntField()
    proven_at = fields.BigIntField(null=True)

    class Meta:
        table = "mail_domain"
        indexes = [
            Index(fields=("name", "state"), name="mail_domain_name"),
            Index(fields=("owner", "created_at"), name="mail_domain_owner"),
            Index(fields=("mailbox", "state"), name="mail_domain_mailbox"),
        ]


class Letter(Model):
    """A message as it came or went, byte for byte. Its record is id in mail/MAILBOX/FOLDER."""

    id = Name(primary_key=True)
    mailbox = Name()
    folder = fields.TextField()
    message_id = Name()
    thread = Name()
    source = fields.BinaryField(null=True)
    file = fields.TextField()  # its name in the object store, where it is a large one
    size = fields.BigIntField()
    created_at = fields.BigIntField()

    class Meta:
        table = "letter"
        indexes = [
            Index(fields=("mailbox", "message_id"), name="letter_message"),
            Index(fields=("mailbox", "thread"), name="letter_thread"),
            Index(fields=("created_at",), name="letter_age"),
        ]


class SigningKey(Model):
    """What our mail is signed with (DKIM). secret is wrapped."""

    selector = Name(primary_key=True)
    kind = fields.TextField()
    secret = fields.TextField()
    created_at = fields.BigIntField()

    class Meta:
        table = "signing_key"


class Invitation(Model):
    """An event that people were invited to, as they were told of it last."""

    id = Name(primary_key=True)  # route and key
    uid = Name()
    route = Name()
    key = Name()
    owner = Name()
    mailbox = Name()
    sequence = fields.IntField()
    digest = fields.TextField()  # of what they were told
    told = fields.TextField()  # the event as they were told of it, as JSON, empty before the first time
    created_at = fields.BigIntField()
    due_at = fields.BigIntField(null=True)  # when it is looked at again though nothing changed: it could not be told

    class Meta:
        table = "invitation"
        indexes = [
            Index(fields=("route", "key"), name="invitation_record"),
            Index(fields=("uid", "mailbox"), name="invitation_uid"),
            Index(fields=("due_at",), name="invitation_due"),
        ]


class Feed(Model):
    """A calendar feed of a folder, as its owner may read it. A new round makes a new address."""

    id = Name(primary_key=True)  # route and owner
    route = Name()
    owner = Name()
    round = fields.IntField()
    created_at = fields.BigIntField()

    class Meta:
        table = "feed"
        indexes = [Index(fields=("route",), name="feed_route")]
