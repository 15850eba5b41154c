"""Certificates, the orders for them, and what an authority looks for meanwhile; as rows.

An order is known by its key, wrapped (`order_secret`): what comes late of another, or of one that was forgotten, changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import uuid_utils

from ocean.store.domains import LIVE, MOVES, PLACE, forgotten
from ocean.store.engine import Engine, Step, Steps
from ocean.store.leases import Lease, holds

_CERTIFICATE = (
    "name, chain, secret, begins_at, ends_at, renew_at, ask_at, order_url, order_secret, directory, attempts, due_at, error, changed"
)
HTTP, TLS_ALPN = "http-01", "tls-alpn-01"
_DAY = 86_400_000  # milliseconds


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
    directory: str = ""
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


async def news(engine: Engine, after: tuple[int, str], limit: int) -> list[Certificate]:
    """What changed behind a place, `(changed, name)`, in order; those that were forgotten too, without a chain."""
    return await _certificates(engine, "WHERE (changed, name) > (?, ?) ORDER BY changed, name LIMIT ?", (*after, limit))


async def wanting(engine: Engine, moment: int, limit: int) -> list[tuple[str, str]]:
    """`(name, owner)` of live names that have no certificate, or one that is to be renewed, and are not to wait: of each owner the one that
    waits longest, and among these those that have none first."""
    rows = await engine.scan(
        "SELECT name, owner FROM (SELECT d.name, d.owner, CASE WHEN coalesce(c.chain, '') = '' THEN 0 ELSE 1 END AS has, "
        "coalesce(c.due_at, d.proven_at, 0) AS since, "
        "row_number() OVER (PARTITION BY d.owner ORDER BY coalesce(c.due_at, d.proven_at, 0), d.name) AS n "
        "FROM domain d LEFT JOIN certificate c ON c.name = d.name WHERE d.state = ? AND d.failing_at IS NULL AND (c.name IS NULL OR "
        "((c.chain = '' OR c.renew_at IS NULL OR c.renew_at <= ?) AND (c.due_at IS NULL OR c.due_at <= ?)))) w "
        "ORDER BY n, has, since, name LIMIT ?",
        (LIVE, moment, moment, limit),
    )
    return [(str(name), str(owner)) for name, owner in rows]


async def asking(engine: Engine, moment: int, limit: int) -> list[Certificate]:
    """Those whose authority is to be asked when to renew them."""
    return await _certificates(engine, "WHERE ask_at <= ? AND chain <> '' ORDER BY ask_at LIMIT ?", (moment, limit))


async def ordered(engine: Engine, since: int, *, owner: str | None = None, name: str | None = None) -> int:
    """How many orders were begun since a moment: of all, for one key, for one name."""
    given = [(column, value) for column, value in (("owner", owner), ("name", name)) if value is not None]
    where = "".join(f" AND {column} = ?" for column, _ in given)
    ((count,),) = await engine.rows(f"SELECT count(*) FROM ordering WHERE begun_at > ?{where}", (since, *(value for _, value in given)))
    return int(count)


def begun(order: Certificate, owner: str, moment: int, due_at: int, lease: Lease) -> Steps:
    """An attempt begins, for a new order or one that is under way (`order_url`, `order_secret`); if all ends here, it is tried again at
    `due_at`. It is counted, since authorities count."""
    yield from holds(lease)
    yield Step("DELETE FROM ordering WHERE begun_at < ?", [(moment - _DAY,)])
    yield Step("INSERT INTO ordering (id, name, owner, begun_at) VALUES (?,?,?,?)", [(str(uuid_utils.uuid7()), order.name, owner, moment)])
    yield Step(
        "INSERT INTO certificate (name, chain, secret, order_url, order_secret, directory, attempts, due_at, error, changed) "
        "VALUES (?,'','',?,?,?,1,?,'',0) ON CONFLICT (name) DO UPDATE SET order_url = excluded.order_url, "
        "order_secret = excluded.order_secret, directory = excluded.directory, "
        "attempts = certificate.attempts + 1, due_at = excluded.due_at",
        [(order.name, order.order_url, order.order_secret, order.directory, due_at)],
    )


def placed(order: Certificate, order_url: str, lease: Lease) -> Steps:
    """The authority has the order: whoever comes after can go on with it."""
    yield from holds(lease)
    yield Step("UPDATE certificate SET order_url = ? WHERE name = ? AND order_secret = ?", [(order_url, order.name, order.order_secret)])


def failed(order: Certificate, error: str, due_at: int, lease: Lease, *, over: bool) -> Steps:
    """What was tried came to nothing; the certificate there is stays. `over`: the order is no more."""
    yield from holds(lease)
    cleared = ", order_url = '', order_secret = ''" if over else ""
    yield Step(
        f"UPDATE certificate SET error = ?, due_at = ?{cleared} WHERE name = ? AND order_secret = ?",
        [(error, due_at, order.name, order.order_secret)],
    )
    yield Step("DELETE FROM challenge WHERE name = ?", [(order.name,)])


def put_off(name: str, error: str, due_at: int, lease: Lease) -> Steps:
    """Nothing is tried before `due_at`."""
    yield from holds(lease)
    yield Step(
        "INSERT INTO certificate (name, chain, secret, order_url, order_secret, directory, attempts, due_at, error, changed) "
        "VALUES (?,'','','','','',0,?,?,0) ON CONFLICT (name) DO UPDATE SET error = excluded.error, due_at = excluded.due_at",
        [(name, due_at, error)],
    )


def issued(order: Certificate, chain: str, times: tuple[int, int, int], moment: int, lease: Lease, kept: list[str]) -> Steps:
    """The certificate of an order; `times` are when it begins, ends, and is to be renewed. It lives a third of what is left of its life,
    or a day, before another is ordered, whatever anybody says. `kept` gets the name, unless the name was given up meanwhile."""
    yield Step(MOVES, [()])
    yield from holds(lease)
    ((changed,),) = yield Step(PLACE, [()], reads=True)
    rows = yield Step(
        "UPDATE certificate SET chain = ?, secret = order_secret, begins_at = ?, ends_at = ?, renew_at = ?, ask_at = ?, order_url = '', "
        "order_secret = '', attempts = 0, due_at = ?, error = '', changed = ? WHERE name = ? AND order_secret = ? RETURNING name",
        [(chain, *times, moment, moment + min(_DAY, (times[1] - moment) // 3), changed, order.name, order.order_secret)], reads=True,
    )  # fmt: skip
    kept.extend(name for (name,) in rows)
    yield Step("DELETE FROM challenge WHERE name = ?", [(order.name,)])


def asked(found: Certificate, renew_at: int, ask_at: int, lease: Lease) -> Steps:
    """When to renew this very certificate, and when to ask again; nothing where somebody has said so since it was read."""
    yield from holds(lease)
    yield Step(
        "UPDATE certificate SET renew_at = ?, ask_at = ? WHERE name = ? AND changed = ? AND ask_at = ?",
        [(renew_at, ask_at, found.name, found.changed, found.ask_at)],
    )


def useless(names: list[str], lease: Lease) -> Steps:
    """Certificates whose keys can't be read any more: as if there were none."""
    yield Step(MOVES, [()])
    yield from holds(lease)
    ((changed,),) = yield Step(PLACE, [()], reads=True)
    for name in names:
        yield from forgotten(name, changed)


def of_another(directory: str, moment: int, lease: Lease) -> Steps:
    """Orders and certificates of another authority than the one there is now: the orders are no more, the certificates are renewed."""
    yield from holds(lease)
    yield Step(
        "UPDATE certificate SET order_url = '', order_secret = '', renew_at = ?, ask_at = NULL, attempts = 0, due_at = NULL "
        "WHERE directory <> ? AND directory <> ''",
        [(moment, directory)],
    )


def put(challenge: Challenge, moment: int, lease: Lease) -> Steps:
    """The answer that the authority will find; every process hears of it."""
    yield Step(MOVES, [()])
    yield from holds(lease)
    yield Step("DELETE FROM challenge WHERE until < ?", [(moment,)])
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


def with_account(directory: str, secret: str, address: str, instead_of: str = "") -> Steps:
    """The first key that is kept stays, but for one that it is kept `instead_of`; the address is of the account that it has."""
    yield Step("DELETE FROM authority WHERE directory = ? AND secret = ?", [(directory, instead_of)])
    yield Step(
        "INSERT INTO authority (directory, secret, account) VALUES (?,?,?) ON CONFLICT (directory) DO UPDATE SET "
        "account = CASE WHEN authority.secret = excluded.secret THEN excluded.account ELSE authority.account END",
        [(directory, secret, address)],
    )
