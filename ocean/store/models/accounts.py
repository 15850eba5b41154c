"""Accounts, the names of keys, and keys for a part of what a key may."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Name


class Account(Model):
    """A key that belongs to an address of mail: its own, or one that it has for one audience alone. `secret` is wrapped."""

    key = Name(primary_key=True)
    email = Name()
    audience = Name()  # empty for the personal key; else whom it is shown to
    secret = fields.TextField()
    public_id = Name(unique=True)
    profile = fields.TextField()
    created_at = fields.BigIntField()

    class Meta:
        table = "account"
        unique_together = (("email", "audience"),)


class Handle(Model):
    """A name of an account. One that was given up still leads to who had it."""

    name = Name(primary_key=True)
    owner = Name(db_index=True)
    since = fields.BigIntField()  # the newest is the one that is shown

    class Meta:
        table = "handle"


class ScopedKey(Model):
    """A key that may do a part of what its owner may, known by its digest alone."""

    id = Name(primary_key=True)
    owner = Name()
    digest = Name(unique=True)
    label = fields.TextField()
    routes = fields.TextField()  # a list as JSON
    permissions = fields.TextField()  # too
    created_at = fields.BigIntField()
    expires_at = fields.BigIntField(null=True)

    class Meta:
        table = "scoped_key"
        indexes = [Index(fields=("owner", "created_at"), name="scoped_owner")]
