"""Who is told of changes: hooks, their deliveries, browsers."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Name, Position


class Hook(Model):
    """Where to call when what lies in a folder changes."""

    id = Name(primary_key=True)
    owner = Name()
    prefix = Name()
    url = fields.TextField()
    secret = fields.TextField()  # wrapped; empty where there is none
    active = fields.SmallIntField()
    retries = fields.SmallIntField()
    condition = fields.TextField()  # a filter as JSON; empty where there is none
    created_at = fields.BigIntField()
    since = Position()  # the place in the log that it begins behind

    class Meta:
        table = "hook"
        indexes = [Index(fields=("prefix", "active"), name="hook_prefix"), Index(fields=("owner",), name="hook_owner")]


class Browser(Model):
    """A browser that a key is notified in. `target` is wrapped: whoever has it can send to that browser."""

    id = Name(primary_key=True)
    owner = Name()
    digest = Name()  # of the endpoint
    target = fields.TextField()
    host = fields.TextField()
    created_at = fields.BigIntField()

    class Meta:
        table = "browser"
        unique_together = (("owner", "digest"),)


class Delivery(Model):
    """A call that waits to be made, or was. `place` orders those of one queue: a hook's id, or whom `then call` calls."""

    id = Name(primary_key=True)
    queue = Name()
    place = fields.BigIntField()
    owner = Name()
    route = Name()
    url = fields.TextField()  # of `then call`; a hook's is its own
    body = fields.TextField()  # too; a hook's is made of the record when it is sent
    state = fields.TextField()
    attempts = fields.SmallIntField()
    status = fields.SmallIntField(null=True)
    error = fields.TextField()
    took = fields.IntField(null=True)  # milliseconds
    created_at = fields.BigIntField()
    due_at = fields.BigIntField()
    done_at = fields.BigIntField(null=True)
    hops = fields.SmallIntField(null=True)  # calls of functions by functions that stand behind it

    class Meta:
        table = "delivery"
        unique_together = (("queue", "place"),)
        indexes = [
            Index(fields=("state", "queue", "place"), name="delivery_waiting"),
            Index(fields=("done_at",), name="delivery_done"),
            Index(fields=("owner", "state"), name="delivery_owner"),
        ]
