"""What records are found by beside their own rows, files, and who does what for all processes."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Name, Position


class Mark(Model):
    """A universal field of a record: what `primitives` looks for across all folders. A projection of `record`.

    `kind`: 0 a text, 1 a date (`low` to `high`, milliseconds), 2 an identifier (`name` its type, `text` its value), 3 a location (`low`
    its latitude, `high` its longitude), 4 an amount (`name` its unit, `low` its value), 5 a blob (`name` its type, `text` its address).
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    seq = fields.BigIntField(db_index=True)
    kind = fields.SmallIntField()
    name = Name(null=True)
    text = Name(null=True)
    role = Name(null=True)
    low = fields.FloatField(null=True)
    high = fields.FloatField(null=True)

    class Meta:
        table = "mark"
        indexes = [
            Index(fields=("kind", "low"), name="mark_low"),
            Index(fields=("kind", "text"), name="mark_text"),
        ]


class Entry(Model):
    """The value of an indexed field of a record: what a find that filters or sorts by it goes along. A projection of `record`."""

    id = fields.BigIntField(primary_key=True, generated=True)
    field = fields.BigIntField()  # the index
    rank = fields.SmallIntField()  # as `Dialect.rank` has it
    number = fields.FloatField(null=True)
    text = Name(null=True)
    seq = fields.BigIntField(db_index=True)

    class Meta:
        table = "entry"
        indexes = [Index(fields=("field", "rank", "number", "text", "seq"), name="entry_value")]


class FieldIndex(Model):
    """An index that was made because a field is often asked for, and dropped when nobody has asked for long."""

    id = fields.BigIntField(primary_key=True, generated=True)
    route = Name()
    field = Name()
    used_at = fields.BigIntField()

    class Meta:
        table = "field_index"
        unique_together = (("route", "field"),)


class FieldCell(Model):
    """A field whose plain value is kept beside each record of a folder, since questions often read it."""

    id = fields.BigIntField(primary_key=True, generated=True)
    route = Name()
    number = fields.SmallIntField()
    field = Name()
    used_at = fields.BigIntField()

    class Meta:
        table = "field_cell"
        unique_together = (("route", "number"),)


class Blob(Model):
    """A file's bytes, kept in the object store under its id."""

    id = Name(primary_key=True)
    owner = fields.TextField()
    route = Name()
    size = fields.BigIntField()
    type = fields.TextField()
    sha256 = fields.TextField()
    created_at = fields.BigIntField()

    class Meta:
        table = "blob"


class LeaseRow(Model):
    """What one process does at a time."""

    name = Name(primary_key=True)
    holder = fields.TextField()
    fence = fields.BigIntField()
    until = fields.BigIntField()
    position = Position()

    class Meta:
        table = "lease"
