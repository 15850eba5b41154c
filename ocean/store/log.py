"""The log's one writer: whoever waits shares a commit, and is answered after it."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pysqlite3

from ocean.core.drop import ACCESS, Drop
from ocean.core.transition import Op, plan
from ocean.errors import OceanError
from ocean.store.sqlite import Transaction, connect, ensure_head

BATCH = 256
log = logging.getLogger("ocean.store.log")


@dataclass(slots=True)
class Write:
    """Changes that happen together or not at all, by one key."""

    ops: list[Op]
    who: str
    idempotency: tuple[str, str] | None = None  # (key, digest of the request)
    done: asyncio.Future[list[dict[str, Any]]] | None = None
    result: list[dict[str, Any]] = field(default_factory=list)
    fault: Exception | None = None


def _result(drop: Drop | None, op: Op, value: int | None) -> dict[str, Any]:
    if op.kind == "add":
        return {"route": op.route, "key": op.key, "field": op.counter, "value": value}
    assert drop is not None
    if op.kind in ("remove", "unpublish"):
        return {"deleted": True, "drop_id": drop.drop_id}
    record = drop.to_json()
    record.pop("payload")
    if op.kind in ("update", "access"):
        record["payload"] = orjson.loads(drop.body())
    return record


class Log:
    """`append` in front, a thread behind. At most `limit` writes wait; beyond that SERVER_BUSY."""

    def __init__(self, database: Path, limit: int = 10_000) -> None:
        self._connection = connect(database, read_only=False)
        ensure_head(self._connection)
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._limit = limit
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self.moved = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    async def append(self, write: Write) -> list[dict[str, Any]]:
        """One result for each op, once committed. Raises what the plan refused, SERVER_BUSY or STORAGE_FULL."""
        if self._closed or self._queue.qsize() >= self._limit:
            raise OceanError("SERVER_BUSY", "The write queue is full.", "Try again in a moment.")
        write.done = self._loop.create_future()
        self._queue.put(write)
        return await asyncio.shield(write.done)

    async def close(self) -> None:
        """Answers what was accepted, then stops."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch, last = [first], False
            while len(batch) < BATCH:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    last = True
                    break
                batch.append(item)
            try:
                self._commit(batch)
            except Exception as fault:
                self._rollback(batch, fault)
            self._loop.call_soon_threadsafe(self._answer, batch)
            if last:
                return

    def _commit(self, batch: list[Write]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        transaction = Transaction(self._connection)
        for write in batch:
            self._connection.execute("SAVEPOINT write")
            before = (transaction.seq, transaction.revision, transaction.access_seq, transaction.chain)
            try:
                write.result = self._perform(write, transaction)
            except (OceanError, ArithmeticError, ValueError, TypeError, KeyError) as fault:
                write.fault = fault
                self._connection.execute("ROLLBACK TO write")
                transaction.seq, transaction.revision, transaction.access_seq, transaction.chain = before
                transaction._rules.clear()
            self._connection.execute("RELEASE write")
        transaction.close()
        self._connection.execute("COMMIT")

    def _perform(self, write: Write, transaction: Transaction) -> list[dict[str, Any]]:
        if write.idempotency:
            row = self._connection.execute("SELECT request, answer FROM idempotency WHERE id = ?", (write.idempotency[0],)).fetchone()
            if row and row[0] != write.idempotency[1]:
                raise OceanError("CONFLICT", "This Idempotency-Key was used for another request.", "Use a new one.")
            if row:
                return list(orjson.loads(row[1]))
        results: list[dict[str, Any]] = []
        for index, op in enumerate(write.ops):
            try:
                changes = plan(op, write.who, transaction)
            except OceanError as fault:
                if len(write.ops) > 1:
                    fault.details["index"] = index
                raise
            drops = [transaction.apply(change, write.who) for change in changes]
            own = next((i for i, c in enumerate(changes) if c.kind != ACCESS or op.kind == "access"), 0)
            results.append(_result(drops[own], op, changes[own].value))
        if write.idempotency:
            self._connection.execute(
                "INSERT INTO idempotency (id, request, answer, created_at) VALUES (?,?,?,?)",
                (*write.idempotency, orjson.dumps(results).decode(), transaction.now),
            )
        return results

    def _rollback(self, batch: list[Write], fault: Exception) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        full = isinstance(fault, pysqlite3.OperationalError) and ("full" in str(fault) or "I/O" in str(fault))
        log.error("a batch of %d writes failed: %r", len(batch), fault)
        for write in batch:
            write.fault = (
                OceanError("STORAGE_FULL", "The disk is full: nothing was written.", "Free space; reads go on.")
                if full
                else OceanError("INTERNAL_ERROR", "The write failed and nothing was written.")
            )

    def _answer(self, batch: list[Write]) -> None:
        for write in batch:
            done = write.done
            if done is None or done.done():  # the client has gone; the write stands
                continue
            if write.fault is None:
                done.set_result(write.result)
            else:
                done.set_exception(write.fault)
                done.exception()  # seen, even if the caller has gone
        self.moved.set()
        self.moved = asyncio.Event()
