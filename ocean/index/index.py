"""The search index of a process: words and vectors in one folder, true up to a place in the log, and made again where they are damaged."""

from __future__ import annotations

import fcntl
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import pysqlite3

from ocean.index.embedder import Embedder, Vectors
from ocean.index.scope import DamagedError, Entry
from ocean.index.vectors import VectorIndex
from ocean.index.words import WordIndex

FORMAT = "4"  # moves when what is kept changes: an index of another format is made again
EMBEDDED = 8000  # characters of a text that its meaning is taken from
FOLDERS = 16  # of processes that share a data folder
log = logging.getLogger("ocean.index")
T = TypeVar("T")


class Index:
    """Words and vectors of records. `apply`, `settle` and `heal` are one thread's; the rest is anybody's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._lock_file = _own_folder(folder)
        self.embedder = Embedder()
        self._writing = threading.Lock()
        self._open()

    def _open(self) -> None:
        mark = self.folder / "format"
        if not mark.exists() or mark.read_bytes() != FORMAT.encode():  # whatever a broken disk left there
            self._clear()
            mark.write_text(FORMAT)
        try:
            self._load()
        except DamagedError as fault:
            log.warning("the search index is damaged, and is made again: %s", fault)
            self._clear()
            mark.write_text(FORMAT)
            self._load()

    def _load(self) -> None:
        self.words = WordIndex(self.folder / "words")
        self.vectors = VectorIndex(self.folder / "vectors")

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != "lock":
                path.unlink()

    @property
    def position(self) -> int:
        """The place in the log up to which both are true."""
        return min(int(self.words.position), int(self.vectors.position))

    def apply(self, entries: Sequence[Entry], gone: Sequence[str], position: int) -> None:
        """Takes in records and what was removed, up to a place in the log. Raises DamagedError."""
        texts = [entry for entry in entries if entry.text]
        embedded = self.embedder.embed([entry.text[:EMBEDDED] for entry in texts]) if texts else None
        by_id: dict[str, Vectors] = {entry.id: embedded[i] for i, entry in enumerate(texts)} if embedded is not None else {}
        with self._writing:
            sound(lambda: self.vectors.apply([(entry, by_id.get(entry.id)) for entry in entries], gone, position))
            sound(lambda: self.words.apply(entries, gone, position))

    def settle(self) -> bool:
        """One step of what is done when there is nothing else to do; whether there is more."""
        with self._writing:
            return self.vectors.settle()

    def expire(self, now: int) -> None:
        """Takes out what has expired: of the words with the next `apply`."""
        with self._writing:
            sound(lambda: self.vectors.expire(now))
            sound(lambda: self.words.expire(now))

    def heal(self) -> None:
        """Begins anew, from nothing."""
        with self._writing:
            self.vectors.close()
            self._clear()
            self._open()

    def close(self) -> None:
        with self._writing:
            self.words.close()
            self.vectors.close()
        self._lock_file.close()

    def embed(self, text: str) -> Vectors:
        found: Vectors = self.embedder.embed([text])[0]
        return found


def sound(work: Callable[[], T]) -> T:
    """What `work` gives. Raises DamagedError where the index's files are at fault; a full disk is not."""
    try:
        return work()
    except (ValueError, OSError, pysqlite3.DatabaseError) as fault:  # tantivy has no exceptions of its own
        if "space left" in str(fault) or "full" in str(fault):
            raise
        raise DamagedError(repr(fault)[:300]) from fault
    except BaseException as fault:
        if type(fault).__name__ != "PanicException":  # of Rust code, which is no Exception
            raise
        raise DamagedError(repr(fault)[:300]) from fault


def in_use(folder: Path) -> bool:
    """Whether a process has the index of a folder open."""
    if not (folder / "lock").exists():
        return False
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _own_folder(folder: Path) -> tuple[Path, IO[Any]]:
    """A folder of this process alone: others on the same data have theirs beside it."""
    for number in range(FOLDERS):
        own = folder if number == 0 else folder.with_name(f"{folder.name}-{number + 1}")
        own.mkdir(parents=True, exist_ok=True)
        file = (own / "lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        return own, file
    raise RuntimeError(f"{FOLDERS} processes search on {folder.parent} already.")
