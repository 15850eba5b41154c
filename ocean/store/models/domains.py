"""Domains of sites, and what authorities give for them."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Name


class Domain(Model):
    """A claim to a domain, of one key. `changed` grows with each change of any, so that what is kept in memory can be kept true."""

    id = Name(primary_key=True)  # the name and the owner
    name = Name()
    owner = Name()
    route = Name()
    state = fields.TextField()
    created_at = fields.BigIntField()
    proven_at = fields.BigIntField(null=True)  # when it was live for the first time
    failing_at = fields.BigIntField(null=True)  # since when what was proven does not hold
    due_at = fields.BigIntField(null=True)  # when it is looked at next
    attempts = fields.IntField()
    error = fields.TextField()
    changed = fields.BigIntField()
    round = fields.IntField()  # grows when what proved it is to prove it no more

    class Meta:
        table = "domain"
        indexes = [
            Index(fields=("name", "state"), name="domain_name"),
            Index(fields=("owner", "created_at"), name="domain_owner"),
            Index(fields=("route",), name="domain_route"),
            Index(fields=("due_at",), name="domain_due"),
            Index(fields=("changed", "id"), name="domain_changed"),
        ]


class Certificate(Model):
    """The certificate of a name and the order for its next one. `secret` and `order_secret` are private keys, wrapped."""

    name = Name(primary_key=True)
    chain = fields.TextField()
    secret = fields.TextField()
    begins_at = fields.BigIntField(null=True)
    ends_at = fields.BigIntField(null=True)
    renew_at = fields.BigIntField(null=True)
    ask_at = fields.BigIntField(null=True)  # when the authority is asked next when to renew
    order_url = fields.TextField()
    order_secret = fields.TextField()
    directory = Name()  # the authority's that it is of, or is ordered from
    attempts = fields.IntField()
    due_at = fields.BigIntField(null=True)  # when it is tried next, after a failure
    error = fields.TextField()
    changed = fields.BigIntField()

    class Meta:
        table = "certificate"
        indexes = [Index(fields=("changed", "name"), name="certificate_changed"), Index(fields=("ask_at",), name="certificate_asking")]


class Ordering(Model):
    """An order that was begun for a name, and for whom: they are counted."""

    id = Name(primary_key=True)
    name = Name()
    owner = Name()
    begun_at = fields.BigIntField(db_index=True)

    class Meta:
        table = "ordering"


class Challenge(Model):
    """What a certificate authority looks for at a name of ours, while an order is under way."""

    token = Name(primary_key=True)
    name = Name()
    kind = fields.TextField()
    answer = fields.TextField()
    until = fields.BigIntField()

    class Meta:
        table = "challenge"


class Authority(Model):
    """Our account at a certificate authority. `secret` is its key, wrapped."""

    directory = Name(primary_key=True)
    secret = fields.TextField()
    account = fields.TextField()

    class Meta:
        table = "authority"
