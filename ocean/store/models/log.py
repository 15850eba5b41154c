"""The log (`drops`) is the truth; `record` and `rule` are its newest state and can be rebuilt from it."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Body, Cell, Expiring, Name, Position


class Head(Model):
    """The one row that every write locks first: the newest place, and how often anything at all has changed."""

    id = Position(primary_key=True)  # always 1
    seq = fields.BigIntField()
    revision = fields.BigIntField()  # moves with every change, a counter's too
    access_seq = fields.BigIntField()
    moment = fields.BigIntField()  # created_at of the newest drop: time never runs back
    chain = fields.BinaryField()

    class Meta:
        table = "head"


class DropRow(Model):
    seq = Position(primary_key=True)
    drop_id = Name(unique=True)
    route = Name()
    key = Name(null=True)
    payload = fields.TextField(null=True)  # null once erased
    source = fields.TextField()
    owner = fields.TextField()  # who first wrote the record
    created_at = fields.BigIntField()
    kind = fields.SmallIntField()
    version = fields.BigIntField(null=True)
    expires_at = fields.BigIntField(null=True)
    price = fields.BigIntField(null=True)
    read_price = fields.BigIntField(null=True)
    salt = fields.BinaryField(null=True)
    digest = fields.BinaryField()
    chain = fields.BinaryField()

    class Meta:
        table = "drops"
        indexes = [
            Index(fields=("route", "key", "seq"), name="drop_entity"),
            Index(fields=("route", "seq"), name="drop_route"),
            Expiring(fields=("expires_at",), name="drop_expiry"),
        ]


class RecordRow(Model):
    """An entity's newest drop, or an event, with its counters beside it."""

    seq = Position(primary_key=True)
    route = Name()
    key = Name(null=True)
    drop_id = Name()
    source = fields.TextField()
    owner = fields.TextField()
    created_at = fields.BigIntField()
    version = fields.BigIntField(null=True)
    expires_at = fields.BigIntField(null=True)
    price = fields.BigIntField(null=True)
    read_price = fields.BigIntField(null=True)
    removed = fields.SmallIntField()
    live_seq = fields.BigIntField()  # newest drop that was live, for pages; 0 when unpublished
    counters = fields.TextField(null=True)
    body = Body(null=True)
    marks = fields.SmallIntField(default=0)  # whether `mark` has rows of it
    c1, c2, c3, c4, c5, c6, c7, c8 = (Cell(null=True) for _ in range(8))  # `RuleRow.cells` says what of

    class Meta:
        table = "record"
        indexes = [
            Index(fields=("route", "seq"), name="record_route"),  # wider on SQLite (migration 0012)
            Expiring(fields=("expires_at",), name="record_expiry"),
        ]
        unique_together = (("route", "key"),)


class RuleRow(Model):
    """What holds in a folder: who has access, what its records must be, which of their fields are indexed.

    `rule` is what its newest `_access` drop says, `schema` what its newest `_schema` drop says; null once it was taken back.
    """

    route = Name(primary_key=True)
    seq = fields.BigIntField(db_index=True)  # moves with any change of the row
    owner = fields.TextField(null=True)
    mode = fields.TextField(null=True)
    rule = fields.TextField(null=True)
    schema = fields.TextField(null=True)
    indexed = fields.TextField(null=True)  # {field: id}
    cells = fields.TextField(null=True)  # {field: number}
    stream = fields.TextField(null=True)  # what its newest mark says, at `_config/ROUTE @stream`
    claimed_by = Name(null=True)  # of a key's own folder: who has claimed that key

    class Meta:
        table = "rule"
        indexes = [Index(fields=("claimed_by", "route"), name="rule_claimed")]


class Checkpoint(Model):
    """The head of the chain at a place, signed by a server."""

    seq = Position(primary_key=True)
    chain = fields.BinaryField()
    created_at = fields.BigIntField()
    public_key = fields.TextField()
    signature = fields.TextField()

    class Meta:
        table = "checkpoint"


class Once(Model):
    """What may happen once: an idempotency key with its answer, or the nonce of a signed request."""

    id = Name(primary_key=True)
    request = fields.TextField()
    answer = fields.TextField()
    expires_at = fields.BigIntField(db_index=True)

    class Meta:
        table = "once"
