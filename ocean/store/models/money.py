"""The ledger, what was bought, and orders."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from ocean.store.models.columns import Name, Position


class Book(Model):
    """The one row that all that moves money locks first: the newest transaction."""

    id = Position(primary_key=True)  # always 1
    seq = fields.BigIntField()

    class Meta:
        table = "book"


class Transfer(Model):
    """A transaction of the ledger: `amount` is what the payer gives, `fee` and the rest of it what others get. Only ever added."""

    seq = Position(primary_key=True)
    txn_id = Name(unique=True)
    currency = Name()  # io, in hundredths; or a value, in its smallest unit
    kind = fields.TextField()
    payer = Name()
    payee = Name()
    amount = fields.BigIntField()
    fee = fields.BigIntField()
    about = fields.TextField()  # what it is for, as JSON
    created_at = fields.BigIntField()

    class Meta:
        table = "transfer"
        indexes = [Index(fields=("currency", "seq"), name="transfer_currency")]


class Posting(Model):
    """What a transaction does to one account: those of one transaction come to nothing together. Only ever added."""

    id = Position(primary_key=True)  # four times the place of the transaction, and which of its postings
    account = Name()  # the currency, a space, the holder
    seq = Position()  # of the transaction
    amount = fields.BigIntField()
    balance = fields.BigIntField()  # after it

    class Meta:
        table = "posting"
        unique_together = (("account", "seq"),)


class Balance(Model):
    """What an account holds: the sum of its postings."""

    account = Name(primary_key=True)
    currency = Name()
    holder = Name()
    amount = fields.BigIntField()

    class Meta:
        table = "balance"
        indexes = [
            Index(fields=("currency", "amount", "holder"), name="balance_currency"),
            Index(fields=("holder",), name="balance_holder"),
        ]


class Purchase(Model):
    """What a key has bought: `item` is a record in all its versions (route, space, key), or an event (its drop id)."""

    id = Name(primary_key=True)  # of the transaction
    buyer = Name()
    item = Name()
    seller = Name()  # whose the record was
    route = Name()
    key = Name(null=True)
    drop_id = Name()
    amount = fields.BigIntField()
    fee = fields.BigIntField()
    collector = Name()  # whom the fee went to
    created_at = fields.BigIntField()
    refunded_at = fields.BigIntField(null=True)

    class Meta:
        table = "purchase"
        indexes = [
            Index(fields=("buyer", "item"), name="purchase_buyer"),
            Index(fields=("seller", "item", "id"), name="purchase_seller"),
        ]


class Order(Model):
    """A top-up: io that is bought with money. Its amounts are ours, never those of a caller."""

    id = Name(primary_key=True)
    owner = Name()
    io = fields.BigIntField()  # hundredths
    cents = fields.BigIntField()  # of the currency
    currency = fields.TextField()
    app = fields.SmallIntField()  # whether an app takes it to its end
    session = Name()  # the checkout session, or empty
    intent = Name()  # the payment intent, once it is known, or empty
    paid_at = fields.BigIntField(null=True)
    refunded = fields.BigIntField()  # cents
    credited = fields.BigIntField()  # hundredths that stand in the ledger for it
    created_at = fields.BigIntField()

    class Meta:
        table = "topup"
        indexes = [Index(fields=("owner", "created_at"), name="topup_owner"), Index(fields=("intent",), name="topup_intent")]


class Currency(Model):
    """A value that a key has made."""

    id = Name(primary_key=True)
    name = fields.TextField()
    symbol = Name(unique=True)
    creator = Name()
    scope = fields.TextField()
    max_supply = fields.BigIntField(null=True)
    decimals = fields.SmallIntField()
    created_at = fields.BigIntField()

    class Meta:
        table = "currency"
        indexes = [Index(fields=("creator", "created_at"), name="currency_creator")]
