"""Batches of an import on their way to the server: one after the other, the next is read meanwhile, and none behind one that is refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from ocean.cli import show
from ocean.cli.client import Client
from ocean.cli.reading import Batch
from ocean.core.payloads import dumps

AHEAD = 2  # batches that wait to be sent


class RefusedError(Exception):
    """The server did not take a batch, all of which is left out."""

    def __init__(self, batch: Batch, answer: dict[str, Any]) -> None:
        super().__init__()
        self.batch = batch
        self.answer = answer

    def told(self, route: str) -> str:
        fault = self.answer.get("error")
        index = fault.get("index") if isinstance(fault, dict) else None
        where = f"Record {self.batch.numbers[index]}: " if isinstance(index, int) else ""
        saved = f"The first {self.batch.first} records of the file are in {route}, and none behind them."
        return f"{where}{show.error(self.answer)}\n{saved} Mend the file, then go on with --skip {self.batch.first}."


class HalfError(Exception):
    """Another import of the same file into the same folder was not ended, and the file, or how it is read, is another by now."""

    def __init__(self, records: int) -> None:
        super().__init__()
        self.records = records


class Sending:
    """One import: it remembers how far it came, so that the same one begun again goes on there.

    `name` tells it from imports of other files, or into other folders; `content` is what the file holds and how it is read.
    """

    def __init__(
        self, client: Client, name: Sequence[object], content: Sequence[object], *, anew: bool = False, instead: bool = False
    ) -> None:
        """Begun `anew`, or gone on with; raises HalfError where what was begun is not this, unless this is done `instead`."""
        whole = "\n".join(map(str, (*name, client.url, hashlib.sha256(client.key.encode()).hexdigest())))
        self._client = client
        self._state = Path.home() / ".cache" / "ocean" / "imports" / hashlib.sha256(whole.encode()).hexdigest()[:40]
        self._content = hashlib.sha256("\n".join(map(str, content)).encode()).hexdigest()
        self._run, self.landed, self._records = self._begun(anew=anew, instead=instead)
        self._thread = ThreadPoolExecutor(1)
        self._under_way: deque[tuple[int, Batch, Future[None]]] = deque()
        self._refused: RefusedError | None = None

    def _begun(self, *, anew: bool, instead: bool) -> tuple[str, int, int]:
        """The import that this one goes on with: how many batches of it have landed, and records; or a new one."""
        found = None
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._state.read_text())
        if isinstance(found, dict) and not anew:
            if found["content"] == self._content:
                return found["run"], found["landed"], found["records"]
            if found["records"] and not instead:
                raise HalfError(found["records"])
        return secrets.token_hex(16), 0, 0

    def _note(self) -> None:
        self._state.parent.mkdir(parents=True, exist_ok=True)
        aside = self._state.with_suffix(".part")
        aside.write_text(json.dumps({"content": self._content, "run": self._run, "landed": self.landed, "records": self._records}))
        aside.replace(self._state)

    def send(self, number: int, batch: Batch) -> None:
        """Raises RefusedError where an earlier one was refused."""
        body = dumps({"ops": batch.ops, "brief": True}).encode() if batch.ops else b""
        if not self._under_way:
            self._note()
        self._under_way.append((number, batch, self._thread.submit(self._send, number, batch, body)))
        self._land(AHEAD)

    def end(self) -> None:
        """Waits for what is under way; the import is over. Raises RefusedError."""
        self._land(0)
        self._state.unlink(missing_ok=True)

    def _land(self, most: int) -> None:
        while len(self._under_way) > most:
            number, batch, landing = self._under_way.popleft()
            landing.result()
            self.landed, self._records = number + 1, batch.first + batch.records
            self._note()

    def _send(self, number: int, batch: Batch, body: bytes) -> None:
        if self._refused is not None:  # what is behind it waits for it
            raise self._refused
        if not body:
            return
        headers = {"content-type": "application/json", "idempotency-key": f"import-{self._run}-{number}"}
        answer, ok = self._client.ask("POST", "/bulk", data=body, headers=headers)
        if not ok and not _done_before(answer):
            self._refused = RefusedError(batch, answer)
            raise self._refused

    def __enter__(self) -> Sending:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(cancel_futures=True)


def _done_before(answer: dict[str, Any]) -> bool:
    """Whether the batch had landed, and nobody heard of it: records that expire have less time left by now, so its bytes are others."""
    fault = answer.get("error")
    return isinstance(fault, dict) and fault.get("reused") is True
