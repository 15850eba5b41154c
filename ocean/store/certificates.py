"""Certificates, the orders for them, and what an authority looks for meanwhile; as rows."""

from __future__ import annotations

from typing import NamedTuple

from ocean.store.domains import LIVE, MOVES
from ocean.store.engine import Engine, Step, Steps
from ocean.store.leases import Lease, holds

_CERTIFICATE = (
    "name, chain, secret, begins_at, ends_at, renew_at, ask_at, order_url, order_secret, ordered_at, attempts, due_at, error, changed"
)
_NEXT = "SELECT coalesce(max(changed), 0) + 1 FROM certificate"
HTTP, TLS_ALPN = "http-01", "tls-alpn-01"


class Certificate(NamedTuple):
    """Times in milliseconds since the epoch. `secret` and `order_secret` are wrapped; `chain` is PEM, empty before the first."""

    name: str
    chain: str = ""
    secret: str = ""
    begins_at: int | None = None
    ends_at: int | None = None
    renew_at: int | None = None
    ask_at: int | None = None
    order_url: str = ""
    order_secret: str = ""
    ordered_at: int | None = None
    attempts: int = 0
    due_at: int | None = None
    error: str = ""
    changed: int = 0

    def holds(self, moment: int) -> bool:
        return bool(self.chain) and self.ends_at is not None and moment < self.ends_at


class Challenge(NamedTuple):
    """`answer` is the key authorisation (RFC 8555, 8.1); `until` when it is forgotten."""

    token: str
    name: str
    kind: str
    answer: str
    until: int


async def _certificates(engine: Engine, tail: str, args: tuple[object, ...]) -> list[Certificate]:
    return [Certificate(*row) for row in await engine.rows(f"SELECT {_CERTIFICATE} FROM certificate {tail}", args)]


async def certificate(engine: Engine, name: str) -> Certificate | None:
    return next(iter(await _certificates(engine, "WHERE name = ?", (name,))), None)


async def certificates_of(engine: Engine, owner: str) -> dict[str, Certificate]:
    """Those of the names that a key has live."""
    found = await _certificates(engine, "WHERE name IN (SELECT name FROM domain WHERE owner = ? AND state = ?)", (owner, LIVE))
    return {one.name: one for one in found}


async def news(engine: Engine, since: int, limit: int = 1000) -> list[Certificate]:
    """What changed after `since`, in order; those that were forgotten too, without a chain."""
    return await _certificates(engine, "WHERE changed > ? ORDER BY changed LIMIT ?", (since, limit))


async def wanting(engine: Engine, moment: int, limit: int) -> list[str]:
    """Live names that have no certificate, or one that is to be renewed, and are not to wait: those that have none come first, and of
    each owner the one that waits longest."""
    rows = await engine.rows(
        "SELECT name FROM (SELECT d.name, d.owner, CASE WHEN coalesce(c.chain, '') = '' THEN 0 ELSE 1 END AS has, "
        "coalesce(c.due_at, d.proven_at, 0) AS since, "
        "row_number() OVER (PARTITION BY d.owner ORDER BY coalesce(c.due_at, d.proven_at, 0), d.name) AS n "
        "FROM domain d LEFT JOIN certificate c ON c.name = d.name WHERE d.state = ? AND d.failing_at IS NULL AND (c.name IS NULL OR "
        "((c.chain = '' OR c.renew_at IS NULL OR c.renew_at <= ?) AND (c.due_at IS NULL OR c.due_at <= ?)))) w "
        "ORDER BY has, n, since, name LIMIT ?",
        (LIVE, moment, moment, limit),
    )
    return [str(name) for (name,) in rows]


async def asking(engine: Engine, moment: int, limit: int) -> list[Certificate]:
    """Those whose authority is to be asked when to renew them."""
    return await _certificates(engine, "WHERE chain <> '' AND ask_at <= ? ORDER BY ask_at LIMIT ?", (moment, limit))


async def ordered_since(engine: Engine, moment: int, name: str) -> tuple[int, int]:
    """How many orders were begun since a moment: of all, and for names of the owner of `name`."""
    ((everybody, owners),) = await engine.rows(
        "SELECT count(*), coalesce(sum(CASE WHEN d.owner = (SELECT owner FROM domain WHERE name = ? AND state = ?) THEN 1 ELSE 0 END), 0) "
        "FROM certificate c LEFT JOIN domain d ON d.name = c.name AND d.state = ? WHERE c.ordered_at > ?",
        (name, LIVE, LIVE, moment),
    )
    return int(everybody), int(owners)


def begun(name: str, secret: str, moment: int, due_at: int, lease: Lease) -> Steps:
    """An order is about to be made; if all ends here, it is tried again at `due_at`. An order that is under way keeps its key."""
    yield from holds(lease)
    yield Step(
        "INSERT INTO certificate (name, chain, secret, order_url, order_secret, ordered_at, attempts, due_at, error, changed) "
        "VALUES (?,'','','',?,?,1,?,'',0) ON CONFLICT (name) DO UPDATE SET order_secret = "
        "CASE WHEN certificate.order_url = '' THEN excluded.order_secret ELSE certificate.order_secret END, "
        "ordered_at = excluded.ordered_at, attempts = certificate.attempts + 1, due_at = excluded.due_at",
        [(name, secret, moment, due_at)],
    )


def placed(name: str, order_url: str, lease: Lease) -> Steps:
    """The authority has the order: whoever comes after can go on with it."""
    yield from holds(lease)
    yield Step("UPDATE certificate SET order_url = ? WHERE name = ?", [(order_url, name)])


def failed(name: str, error: str, due_at: int, lease: Lease, *, over: bool) -> Steps:
    """What was tried came to nothing; the certificate there is stays. `over`: the order is no more."""
    yield from holds(lease)
    cleared = ", order_url = '', order_secret = ''" if over else ""
    yield Step(
        "INSERT INTO certificate (name, chain, secret, order_url, order_secret, attempts, due_at, error, changed) "
        "VALUES (?,'','','','',0,?,?,0) "
        f"ON CONFLICT (name) DO UPDATE SET error = excluded.error, due_at = excluded.due_at{cleared}",
        [(name, due_at, error)],
    )
    yield Step("DELETE FROM challenge WHERE name = ?", [(name,)])


def issued(name: str, chain: str, times: tuple[int, int, int], ask_at: int, lease: Lease) -> Steps:
    """The certificate of the order that was under way; `times` are when it begins, ends, and is to be renewed. Nothing where the name was
    given up meanwhile."""
    yield Step(MOVES, [()])
    yield from holds(lease)
    ((changed,),) = yield Step(_NEXT, [()], reads=True)
    yield Step(
        "UPDATE certificate SET chain = ?, secret = order_secret, begins_at = ?, ends_at = ?, renew_at = ?, ask_at = ?, order_url = '', "
        "order_secret = '', attempts = 0, due_at = NULL, error = '', changed = ? WHERE name = ? AND order_secret <> ''",
        [(chain, *times, ask_at, changed, name)],
    )
    yield Step("DELETE FROM challenge WHERE name = ?", [(name,)])


def asked(found: Certificate, renew_at: int, ask_at: int, lease: Lease) -> Steps:
    """What the authority says of when to renew this very certificate."""
    yield from holds(lease)
    yield Step(
        "UPDATE certificate SET renew_at = ?, ask_at = ? WHERE name = ? AND changed = ? AND chain <> ''",
        [(renew_at, ask_at, found.name, found.changed)],
    )


def put(challenge: Challenge, lease: Lease) -> Steps:
    """The answer that the authority will find; every process hears of it."""
    yield Step(MOVES, [()])
    yield from holds(lease)
    yield Step("DELETE FROM challenge WHERE until < ?", [(challenge.until - 7 * 86_400_000,)])
    yield Step(
        "INSERT INTO challenge (token, name, kind, answer, until) VALUES (?,?,?,?,?) ON CONFLICT (token) DO UPDATE SET "
        "name = excluded.name, kind = excluded.kind, answer = excluded.answer, until = excluded.until",
        [tuple(challenge)],
    )


async def challenges(engine: Engine, kind: str, moment: int) -> list[Challenge]:
    rows = await engine.rows("SELECT token, name, kind, answer, until FROM challenge WHERE kind = ? AND until > ?", (kind, moment))
    return [Challenge(*row) for row in rows]


async def challenge(engine: Engine, token: str) -> Challenge | None:
    rows = await engine.rows("SELECT token, name, kind, answer, until FROM challenge WHERE token = ? AND kind = ?", (token, HTTP))
    return Challenge(*rows[0]) if rows else None


async def account(engine: Engine, directory: str) -> tuple[str, str] | None:
    """`(secret, account)` at an authority: its key, wrapped, and its address once it is made."""
    rows = await engine.rows("SELECT secret, account FROM authority WHERE directory = ?", (directory,))
    return (rows[0][0], rows[0][1]) if rows else None


def with_account(directory: str, secret: str, address: str) -> Steps:
    """The first key that is kept stays; the address is of the account that it has."""
    yield Step(
        "INSERT INTO authority (directory, secret, account) VALUES (?,?,?) ON CONFLICT (directory) DO UPDATE SET "
        "account = CASE WHEN authority.secret = excluded.secret THEN excluded.account ELSE authority.account END",
        [(directory, secret, address)],
    )
