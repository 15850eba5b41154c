"""Records by vectors: exact over up to EXACT candidates, beyond by HNSW and by a sketch of all, the scope kept inside each.

A graph alone misses what lies apart from a mass of records that are nearly alike (160,000 lines of orders: recall 0.45, whatever it was
given to look at); the first half of the numbers, compared with all, finds it, since the embedder's vectors are made to be cut short.

Each kind of vector is a space of its own: the embedder's, and the writers' own of each number of dimensions. All lie in one SQLite file,
from which the rest is made again at a start.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
import pysqlite3
from numpy.typing import NDArray

from ocean.index.embedder import Vectors, normalised
from ocean.index.scope import DamagedError, Entry, Hit, Scope

BUILT_IN = 0  # the space of the embedder's vectors; of a writer's own the space is their number of dimensions
EXACT = 131_072  # candidates that are compared one by one: some 10 ms
OWN_EXACT = 4 * EXACT  # of writers' own vectors, of which nobody knows whether a part of their numbers tells anything
SKETCH = 128  # numbers of a vector that all of more candidates are compared by, and
AGAIN = 1000  # how many of the best by them are compared whole
FEW = 16_384  # rows that are compared before a thread has begun with it
STEP = 64  # rows that join a graph while no question is answered
_M, _BUILD, _LOOK = 16, 160, 256  # of HNSW: links of a point, width while building, width while looking
# With row ids: a row is longer than such a table without them keeps on a page, and would take a page of its own beside.
_TABLES = """
CREATE TABLE IF NOT EXISTS vector (
  seq INTEGER NOT NULL, space INTEGER NOT NULL, id TEXT NOT NULL, route TEXT NOT NULL, owner TEXT NOT NULL, priced INTEGER NOT NULL,
  expires_at INTEGER, body BLOB NOT NULL, PRIMARY KEY (seq, space));
CREATE INDEX IF NOT EXISTS vector_id ON vector (id);
CREATE INDEX IF NOT EXISTS vector_expiry ON vector (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL);
INSERT OR IGNORE INTO position VALUES (1, 0);
"""
NEVER = 2**62


class Names:
    """Texts by number, and the folders that lie in a folder."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._beneath: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._number)

    def of(self, name: str) -> int:
        number = self._number.get(name)
        if number is None:
            number = self._number[name] = len(self._number)
            segments = name.split("/")
            for depth in range(1, len(segments) + 1):
                self._beneath.setdefault("/".join(segments[:depth]), []).append(number)
        return number

    def known(self, name: str) -> int:
        """Its number, or one that nothing has."""
        return self._number.get(name, -1)

    def beneath(self, folder: str) -> list[int]:
        """The folder itself and all beneath it, of those that are known."""
        return self._beneath.get(folder, [])


class Space:
    """Vectors of one kind, in rows; what a row is of stands beside it."""

    def __init__(self, dimensions: int, exact: int) -> None:
        self.dimensions = dimensions
        self.exact = exact  # candidates that are compared one by one
        self.size = 0
        self._room(1024)
        self.row_of: dict[int, int] = {}
        self._free: list[int] = []
        self._graph: Any = None
        self._in_graph = 0

    def _room(self, rows: int) -> None:
        columns: dict[str, tuple[Any, Any]] = {
            "seq": (np.int64, 0), "route": (np.int32, -1), "owner": (np.int32, -1), "priced": (np.bool_, False),
            "expires": (np.int64, 0), "live": (np.bool_, False),
        }  # fmt: skip
        matrix = np.zeros((rows, self.dimensions), dtype=np.float32)
        if self.size:
            matrix[: self.size] = self.matrix[: self.size]
        self.matrix: Vectors = matrix
        for name, (kind, empty) in columns.items():
            grown = np.full(rows, empty, dtype=kind)
            if self.size:
                grown[: self.size] = getattr(self, name)[: self.size]
            setattr(self, name, grown)

    seq: NDArray[Any]
    route: NDArray[Any]
    owner: NDArray[Any]
    priced: NDArray[Any]
    expires: NDArray[Any]
    live: NDArray[Any]

    def put(self, seq: int, route: int, owner: int, priced: bool, expires_at: int | None, vector: Vectors) -> None:
        if self.size == len(self.matrix):
            self._room(self.size * 2)
        row = self.size
        self.size += 1
        self.matrix[row] = vector
        self.seq[row], self.route[row], self.owner[row], self.priced[row] = seq, route, owner, priced
        self.expires[row], self.live[row] = NEVER if expires_at is None else expires_at, True
        self.row_of[seq] = row

    def drop(self, seq: int) -> None:
        row = self.row_of.pop(seq, None)
        if row is not None:
            self.live[row] = False
            self.matrix[row] = 0  # nothing is left of what it said
            if self._graph is not None and row < self._in_graph:
                self._graph.mark_deleted(row)

    def settle(self) -> bool:
        """Brings the graph nearer to the rows, by STEP of them; whether there is more to do.

        It is made anew, and the rows without gaps, where much of it is of records that are gone.
        """
        if self.size > 2048 and len(self.row_of) < self.size * 0.6:
            self._pack()
        if len(self.row_of) <= self.exact:
            self._graph, self._in_graph = None, 0
            return False
        if self._graph is None:
            self._graph = hnswlib.Index(space="ip", dim=self.dimensions)
            self._graph.init_index(max_elements=len(self.matrix), M=_M, ef_construction=_BUILD, random_seed=1)
            self._graph.set_num_threads(1)
            self._in_graph = 0
        elif self._graph.get_max_elements() < self.size:
            self._graph.resize_index(len(self.matrix))
        end = min(self.size, self._in_graph + STEP)
        rows = [row for row in range(self._in_graph, end) if self.live[row]]
        if rows:
            self._graph.add_items(self.matrix[rows], rows)
        self._in_graph = end
        return end < self.size

    def _pack(self) -> None:
        rows = np.flatnonzero(self.live[: self.size])
        for name in ("matrix", "seq", "route", "owner", "priced", "expires", "live"):
            column = getattr(self, name)
            column[: len(rows)] = column[rows]
        self.live[len(rows) : self.size] = False
        self.matrix[len(rows) : self.size] = 0
        self.size = len(rows)
        self.row_of = {int(seq): row for row, seq in enumerate(self.seq[: self.size])}
        self._graph, self._in_graph = None, 0

    def nearest(self, vector: Vectors, candidates: NDArray[Any], most: int) -> list[Hit]:
        """The best of the candidate rows by cosine, best first."""
        if len(candidates) <= self.exact:
            return self._exactly(vector, candidates, most)
        near = self._exactly(vector, self._sketched(vector, candidates, most), most)
        if self._graph is not None:
            known = {hit.seq for hit in near}
            near += [hit for hit in self._by_graph(vector, candidates, most) if hit.seq not in known]
        return sorted(near, key=lambda hit: -hit.score)[:most]

    def _exactly(self, vector: Vectors, candidates: NDArray[Any], most: int) -> list[Hit]:
        scores = self._cosines(vector, candidates)
        best = _best(scores, most)
        return [Hit(int(self.seq[candidates[i]]), float(scores[i])) for i in best[np.argsort(-scores[best], kind="stable")]]

    def _sketched(self, vector: Vectors, candidates: NDArray[Any], most: int) -> NDArray[Any]:
        """The best candidates by the first SKETCH numbers alone."""
        found: NDArray[Any] = candidates[_best(self._cosines(vector[:SKETCH], candidates), AGAIN + most)]
        return found

    def _cosines(self, vector: Vectors, candidates: NDArray[Any]) -> NDArray[Any]:
        """Of the candidates, by as many numbers as the vector has; of all rows where they are many: to take some out costs more."""
        rows: Vectors = self.matrix[: self.size, : len(vector)]
        found: NDArray[Any]
        if len(candidates) * 4 < self.size:
            found = rows[candidates] @ vector
            return found
        found = rows @ vector
        if len(candidates) < self.size:
            found = found[candidates]
        return found

    def _by_graph(self, vector: Vectors, candidates: NDArray[Any], most: int) -> list[Hit]:
        """What the graph finds of the candidates; nothing where it would have to look at too many for it."""
        allowed = np.zeros(self.size, dtype=np.bool_)
        allowed[candidates] = True
        wanted = min(self._in_graph, int(most * self.size / len(candidates) * 1.5) + 10)
        self._graph.set_ef(max(_LOOK, int(wanted * 1.5)))
        try:
            rows, distances = self._graph.knn_query(vector, k=wanted)
        except RuntimeError:  # fewer points are left than that
            return []
        kept = [(int(row), 1 - float(distance)) for row, distance in zip(rows[0], distances[0], strict=True) if allowed[row]]
        return [Hit(int(self.seq[row]), score) for row, score in kept[:most]]

    def scores(self, vector: Vectors, seqs: Sequence[int]) -> dict[int, float]:
        """The cosines of some records, those that have a vector here."""
        rows = [(seq, row) for seq in seqs if (row := self.row_of.get(seq)) is not None]
        if not rows:
            return {}
        found = self.matrix[[row for _, row in rows]] @ vector
        return {seq: float(score) for (seq, _), score in zip(rows, found, strict=True)}


def _best(scores: NDArray[Any], most: int) -> NDArray[Any]:
    """Where the highest scores stand, in no order."""
    return np.argpartition(-scores, most)[:most] if len(scores) > most else np.arange(len(scores))


class VectorIndex:
    """All spaces. Written by one thread at a time; hnswlib takes no question meanwhile, so both hold the lock."""

    def __init__(self, folder: Path) -> None:
        """Raises DamagedError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._routes, self._owners = Names(), Names()
        self.spaces: dict[int, Space] = {}
        try:
            self._file = pysqlite3.connect(str(folder / "vectors.db"), isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")  # what is lost is read from the log again
            self._file.execute("PRAGMA secure_delete=ON")
            self._file.executescript(_TABLES)
            ((self.position,),) = self._file.execute("SELECT seq FROM position")
            for seq, space, route, owner, priced, expires_at, body in self._file.execute(
                "SELECT seq, space, route, owner, priced, expires_at, body FROM vector"
            ):
                self._put(seq, space, route, owner, bool(priced), expires_at, np.frombuffer(body, dtype="<f4"))
        except (pysqlite3.Error, ValueError) as fault:
            raise DamagedError(str(fault)) from fault

    def _put(self, seq: int, space: int, route: str, owner: str, priced: bool, expires_at: int | None, vector: Vectors) -> None:
        known = self.spaces.get(space)
        if known is None:
            known = self.spaces[space] = Space(len(vector), EXACT if space == BUILT_IN else OWN_EXACT)
        known.put(seq, self._routes.of(route), self._owners.of(owner), priced, expires_at, vector)

    def apply(self, entries: Sequence[tuple[Entry, Vectors | None]], gone: Sequence[str], position: int) -> None:
        """Takes in records with the embedder's vectors of them, up to a place in the log."""
        rows = []
        for entry, embedded in entries:
            own = normalised(np.array([entry.vector], dtype=np.float32))[0] if entry.vector else None
            for space, vector in ((BUILT_IN, embedded), (len(entry.vector or ()), own)):
                if vector is not None and vector.any():
                    rows.append((entry, space, vector))
        self._file.execute("BEGIN IMMEDIATE")
        try:
            ids = json.dumps([*(entry.id for entry, _ in entries), *gone])
            old = list(self._file.execute("SELECT seq, space FROM vector WHERE id IN (SELECT value FROM json_each(?))", (ids,)))
            self._file.executemany("DELETE FROM vector WHERE seq = ? AND space = ?", old)
            self._file.executemany(
                "INSERT INTO vector (seq, space, id, route, owner, priced, expires_at, body) VALUES (?,?,?,?,?,?,?,?)",
                [
                    (e.seq, space, e.id, e.route, e.owner, int(e.priced), e.expires_at, vector.astype("<f4").tobytes())
                    for e, space, vector in rows
                ],
            )
            self._file.execute("UPDATE position SET seq = ?", (position,))
            self._file.execute("COMMIT")
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        with self._lock:
            for seq, space in old:
                self.spaces[space].drop(seq)
            for e, space, vector in rows:
                self._put(e.seq, space, e.route, e.owner, e.priced, e.expires_at, vector)
        self.position = position

    def settle(self) -> bool:
        """One step of bringing the graphs up to date; whether there is more to do. Searches go on between steps."""
        more = False
        for known in list(self.spaces.values()):
            with self._lock:
                more = known.settle() or more
        return more

    def expire(self, now: int) -> None:
        """Takes out what has expired."""
        old = list(self._file.execute("SELECT seq, space FROM vector WHERE expires_at <= ?", (now,)))
        if old:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("DELETE FROM vector WHERE seq = ? AND space = ?", old)
            self._file.execute("COMMIT")
            with self._lock:
                for seq, space in old:
                    self.spaces[space].drop(seq)

    def search(self, space: int, vector: Vectors, scope: Scope, most: int) -> tuple[list[Hit], int]:
        """The best `most` hits in a space, and how many records were searched."""
        known = self.spaces.get(space)
        if known is None:
            return [], 0
        with self._lock:
            candidates = self._candidates(known, scope)
            return known.nearest(vector, candidates, most), len(candidates)

    def few(self, space: int) -> bool:
        """Whether a search of a space is over in a moment."""
        return space not in self.spaces or self.spaces[space].size <= FEW

    def scores(self, space: int, vector: Vectors, seqs: Sequence[int]) -> dict[int, float]:
        """The cosines of some records."""
        known = self.spaces.get(space)
        if known is None:
            return {}
        with self._lock:
            return known.scores(vector, seqs)

    def dimensions_in(self, scope: Scope) -> list[int]:
        """The numbers of dimensions of writers' own vectors that a scope has."""
        with self._lock:
            return [space for space, known in self.spaces.items() if space != BUILT_IN and len(self._candidates(known, scope))]

    def _candidates(self, space: Space, scope: Scope) -> NDArray[Any]:
        """The rows that may be found."""
        if scope.seqs is not None:
            rows = np.array([row for seq in scope.seqs if (row := space.row_of.get(seq)) is not None], dtype=np.int64)
        else:
            rows = np.arange(space.size)
        allowed = np.zeros(len(self._routes) + 1, dtype=np.bool_)  # the last is for -1
        allowed[self._routes.beneath(scope.route)] = True
        for folder in scope.closed:
            allowed[self._routes.beneath(folder)] = False
        mine = space.owner[rows] == self._owners.known(scope.who or "")
        mask = space.live[rows] & allowed[space.route[rows]] & (space.expires[rows] > scope.now)
        held = np.isin(space.seq[rows], scope.bought) if scope.bought else mine
        mask &= mine if scope.own else ~space.priced[rows] | mine | held
        return rows[mask] if not mask.all() else rows

    def close(self) -> None:
        self._file.close()
