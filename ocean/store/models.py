"""The tables. The log (`drops`) is the truth; `record` and `rule` are its newest state and can be rebuilt from it."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class Name(fields.Field[str], str):  # type: ignore[misc]
    """A route or a key: compared byte by byte, so that `x/` to `x0` is just what lies beneath `x`."""

    SQL_TYPE = "TEXT"

    class _db_postgres:  # noqa: N801 - the names that the ORM looks for
        SQL_TYPE = 'TEXT COLLATE "C"'


class Position(fields.Field[int], int):
    """A place in the log; on SQLite the row's own id."""

    SQL_TYPE = "INTEGER"

    class _db_postgres:  # noqa: N801
        SQL_TYPE = "BIGINT"


class Expiring(Index):
    """Rows that expire, few among many.

    No such index may name a column that hot statements compare with a bound value: SQLite then prepares them anew each time.
    """

    def __init__(self, *, fields: tuple[str, ...] | list[str], name: str) -> None:
        super().__init__(fields=fields, name=name)
        self.extra = " WHERE expires_at IS NOT NULL"


class Body(fields.Field[Any]):
    """A structured payload in the engine's own binary JSON, for conditions to look into."""

    SQL_TYPE = "BLOB"

    class _db_postgres:  # noqa: N801
        SQL_TYPE = "JSONB"


class Cell(fields.Field[Any]):
    """A field's plain value, as SQLite keeps any; other engines have no use for it."""

    SQL_TYPE = "BLOB"

    class _db_postgres:  # noqa: N801
        SQL_TYPE = "BYTEA"


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
            Index(fields=("route", "seq"), name="record_route"),
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


class Checkpoint(Model):
    """The head of the chain at a place, signed by a server."""

    seq = Position(primary_key=True)
    chain = fields.BinaryField()
    created_at = fields.BigIntField()
    public_key = fields.TextField()
    signature = fields.TextField()

    class Meta:
        table = "checkpoint"


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

    class Meta:
        table = "delivery"
        unique_together = (("queue", "place"),)
        indexes = [
            Index(fields=("state", "queue", "place"), name="delivery_waiting"),
            Index(fields=("done_at",), name="delivery_done"),
            Index(fields=("owner", "state"), name="delivery_owner"),
        ]


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


class LeaseRow(Model):
    """What one process does at a time."""

    name = Name(primary_key=True)
    holder = fields.TextField()
    fence = fields.BigIntField()
    until = fields.BigIntField()
    position = Position()

    class Meta:
        table = "lease"


class Once(Model):
    """What may happen once: an idempotency key with its answer, or the nonce of a signed request."""

    id = Name(primary_key=True)
    request = fields.TextField()
    answer = fields.TextField()
    expires_at = fields.BigIntField(db_index=True)

    class Meta:
        table = "once"


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
