"""What runs by itself, or for others: runs of functions."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Name


class Run(Model):
    """A run of a function that is known afterwards: a job, one that is paid for or asked for under a key, or one that failed."""

    id = Name(primary_key=True)
    route = Name()
    author = Name()
    caller = Name()  # empty where there was no key
    holder = Name()  # whom a limit counts for
    kind = fields.TextField()
    request = fields.TextField()  # of a job that is not over
    digest = fields.TextField()  # of the request that it was asked for with
    state = fields.TextField()
    result = fields.TextField()
    error = fields.TextField()
    printed = fields.TextField()
    held = fields.BigIntField()  # hundredths of an io that its caller paid and its author has not
    budget = fields.BigIntField(null=True)  # hundredths of an io that a job may spend
    hops = fields.SmallIntField()  # calls of functions by functions that stand behind it
    took = fields.IntField(null=True)  # milliseconds
    created_at = fields.BigIntField()
    due_at = fields.BigIntField()  # when it is taken for lost
    done_at = fields.BigIntField(null=True)

    class Meta:
        table = "run"
        indexes = [
            Index(fields=("state", "created_at"), name="run_state"),
            Index(fields=("route", "created_at"), name="run_route"),
            Index(fields=("holder", "state"), name="run_holder"),
            Index(fields=("done_at",), name="run_done"),
        ]
