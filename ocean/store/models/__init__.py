"""The tables, by wing. Tortoise looks for them here."""

from ocean.store.models.accounts import Account, Handle, ScopedKey
from ocean.store.models.automate import Run
from ocean.store.models.columns import Body, Cell, Expiring, Name, Position
from ocean.store.models.domains import Authority, Certificate, Challenge, Domain, Ordering
from ocean.store.models.live import Browser, Delivery, Hook
from ocean.store.models.log import Checkpoint, DropRow, Head, Once, RecordRow, RuleRow
from ocean.store.models.mail import Feed, Invitation, Letter, Mailbox, MailDomain, Outgoing, SigningKey
from ocean.store.models.money import Balance, Book, Currency, Order, Posting, Purchase, Transfer
from ocean.store.models.projections import Blob, Entry, FieldCell, FieldIndex, LeaseRow, Mark

__all__ = (
    "Account",
    "Authority",
    "Balance",
    "Blob",
    "Body",
    "Book",
    "Browser",
    "Cell",
    "Certificate",
    "Challenge",
    "Checkpoint",
    "Currency",
    "Delivery",
    "Domain",
    "DropRow",
    "Entry",
    "Expiring",
    "Feed",
    "FieldCell",
    "FieldIndex",
    "Handle",
    "Head",
    "Hook",
    "Invitation",
    "LeaseRow",
    "Letter",
    "MailDomain",
    "Mailbox",
    "Mark",
    "Name",
    "Once",
    "Order",
    "Ordering",
    "Outgoing",
    "Position",
    "Posting",
    "Purchase",
    "RecordRow",
    "RuleRow",
    "Run",
    "ScopedKey",
    "SigningKey",
    "Transfer",
)
