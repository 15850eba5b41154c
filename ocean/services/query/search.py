"""search: records by words, by meaning, or by both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson

from grammar.conditions import Condition
from ocean.context import Caller, Ocean
from ocean.core.drop import Drop, show_time
from ocean.core.payloads import loads
from ocean.core.routes import check_prefix
from ocean.core.searched import check_vector, language_of, texts_of
from ocean.errors import OceanError
from ocean.index import analysis
from ocean.index.embedder import Vectors, normalised
from ocean.index.index import Index, sound
from ocean.index.scope import MAX_SEQS, DamagedError, Hit, Scope
from ocean.index.snippets import Marker
from ocean.index.vectors import BUILT_IN
from ocean.services.access import reading
from ocean.services.query import facets as faceting
from ocean.services.query.scope import RECORDS, folder_of, run, scan_of, visible_by
from ocean.store.engine import SCAN_BYTES
from ocean.store.purchases import places_of
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.pipeline import Pipeline
from ocean.store.reader import now

MODES = ("text", "vector", "hybrid")
FUSIONS = ("weighted", "rrf")
MAX_TOP = 1000
MAX_TEXT = 4000  # characters of a question
CANDIDATES = 100  # of each half of a hybrid search, at least
SLACK = 10  # hits beyond those that are wanted, where some have gone meanwhile
MAX_MARKED = 256 * 1024  # characters of a record that is looked into for a snippet
_RRF = 60  # Cormack, Clarke, Buettcher 2009
MARKED_AT_ONCE = 64 * 1024  # characters of an answer that are marked on the loop
AT_ONCE = 30  # records that are read at once
_FEW_CLOSED = 20  # folders
_FEW_WORDS = 8  # a question of more is answered in a thread


async def search(
    ocean: Ocean, caller: Caller, *, prefix: str, text: Any = None, vector: Any = None, mode: str | None = None, fusion: str = "weighted",
    top_k: int = 10, min_score: float | None = None, where: Condition | None = None, language: str | None = None, wait: bool = False,
    facets: list[str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`{results, searched, time_ms, mode}`, the best `top_k` of a folder and all beneath, each with its `score` and, of words, a `snippet`.

    `min_score` is on the mode's own scale: BM25 for text, the cosine for vector, 0 to 1 for hybrid. `facets` are fields, of which it is
    counted how many of what was found have each value: of all that the words are in, or of the nearest where there are no words.
    Raises SEARCH_REQUIRED, INVALID_TEXT, INVALID_VECTOR, TOP_K_TOO_LARGE, NO_TEXT_CONTENT, NO_VECTORS, DIMENSION_MISMATCH.
    """
    started = time.perf_counter()
    asked = _Asked(text, vector, mode, fusion, top_k, language or "en")
    counted = faceting.check(facets) if facets is not None else []
    route = _route(prefix)
    if wait:
        await ocean.indexing.written()
    try:
        for more in (0, SLACK):
            asked.most += more
            scope, seen = await _scope(ocean, caller, route, where)
            hits, searched, sought = await _hits(ocean, caller, asked, scope)
            hits = [hit for hit in hits if min_score is None or hit.score >= min_score]
            there = await _records(ocean, caller, seen, hits, top_k)
            if not len(there) < top_k <= len(hits):  # else some have gone, or were closed, since the index took them in
                break
    except DamagedError:
        ocean.indexing.distrust()
        raise OceanError("SERVER_BUSY", "The search index was damaged, and is being made anew.", "Try again in a moment.") from None
    if not searched and where is None:
        _nothing(ocean, asked, scope)
    marker = Marker(sought, asked.words.begun) if sought.stems or asked.words.begun else None
    results = await _all_shown(ocean, caller, there, marker)
    answer: dict[str, Any] = {"results": results, "count": len(results), "searched": searched, "mode": asked.mode}
    if counted:
        places = await _places(ocean, caller, asked, scope, hits)
        answer["facets"] = await faceting.facets(ocean, caller, route, counted, places)
        answer["facets_of"] = len(places)  # so many of the best were counted
    return {**answer, "time_ms": round((time.perf_counter() - started) * 1000, 2)}


class _Asked:
    """What is searched for, checked."""

    def __init__(self, text: Any, vector: Any, mode: str | None, fusion: str, top_k: int, language: str) -> None:
        if text is None and vector is None:
            raise OceanError("SEARCH_REQUIRED", "Nothing is searched for.", "Give 'text', 'vector', or both.")
        if text is not None and (not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT):
            raise OceanError("INVALID_TEXT", f"'text' is what is searched for, 1 to {MAX_TEXT} characters.")
        if vector is not None:
            check_vector(vector)
        self.mode = mode or ("text" if vector is None else "vector" if text is None else "hybrid")
        if self.mode not in MODES:
            raise OceanError("INVALID_VALUE", f"There is no mode {self.mode[:40]!r}.", f"Modes: {', '.join(MODES)}.")
        if fusion not in FUSIONS:
            raise OceanError("INVALID_VALUE", f"There is no fusion {fusion[:40]!r}.", f"Fusions: {', '.join(FUSIONS)}.")
        if self.mode != "vector" and text is None:
            raise OceanError("SEARCH_REQUIRED", f"The mode {self.mode!r} wants 'text'.")
        if top_k > MAX_TOP:
            raise OceanError("TOP_K_TOO_LARGE", f"At most {MAX_TOP} results are given.", f"top_k is {top_k}.")
        if top_k < 1:
            raise OceanError("INVALID_VALUE", "top_k is 1 or more.")
        self.text: str | None = text
        self.words = analysis.read(text) if text is not None else analysis.Question((), (), ())
        self.fusion, self.most = fusion, top_k
        try:
            self.language = analysis.language_code(language)
        except ValueError as fault:
            known = ", ".join(sorted(set(analysis.STEMMED)))
            raise OceanError("INVALID_VALUE", f"{fault}: 'language' is a code such as en or de.", f"With stems: {known}.") from None
        self.space = BUILT_IN if vector is None else len(vector)
        self.own: Vectors | None = normalised(np.array([vector], dtype=np.float32))[0] if vector is not None else None

    def vector(self, index: Index) -> Vectors:
        return self.own if self.own is not None else index.embed(self.text or "")

    @property
    def short(self) -> bool:
        words = len(self.words.words) + 2 * len(self.words.begun) + sum(map(len, self.words.phrases))
        return words <= _FEW_WORDS and self.most <= CANDIDATES


def _route(prefix: str) -> str:
    try:
        return check_prefix(prefix)[0]
    except OceanError as fault:
        raise OceanError("INVALID_PREFIX", fault.message, fault.hint) from None


async def _scope(ocean: Ocean, caller: Caller, route: str, where: Condition | None) -> tuple[Scope, Sql]:
    """What the index is asked among, and the condition on `record r` that decides: of one look at what the caller may see."""
    verdict, closed = await reading.allowed(ocean, caller, route, "search")
    seqs: list[int] | None = None
    if where is not None:
        folder = await folder_of(ocean, f"{route}/*")
        pipeline = Pipeline(ocean.engine.dialect, await scan_of(ocean, caller, folder, "search"))
        pipeline.where(where)
        pipeline.limit(MAX_SEQS + 1)
        seqs = [int(row[0]) for row in await run(ocean, caller, pipeline.seqs())]
        if len(seqs) > MAX_SEQS:
            raise OceanError("LIMIT_REACHED", f"The filter leaves more than {MAX_SEQS} records.", "Narrow it, or leave it out.")
    bought = await places_of(ocean.engine, caller.key, route) if caller.key is not None else []
    seen = joined(" AND ", [visible_by(ocean, caller, route, verdict, closed, deep=True), reading.affordable(caller)])
    return Scope(route, tuple(closed), caller.key, verdict == "own", now(), seqs, tuple(bought)), seen


async def _hits(ocean: Ocean, caller: Caller, asked: _Asked, scope: Scope) -> tuple[list[Hit], int, analysis.Sought]:
    index = ocean.indexing.index
    few = asked.mode == "text" or index.vectors.few(asked.space)
    if asked.short and few and scope.seqs is None and len(scope.closed) <= _FEW_CLOSED:  # over before a thread has begun with it
        return sound(lambda: _find(index, asked, scope))
    async with ocean.turns.of(*caller.holders):
        return await asyncio.to_thread(lambda: sound(lambda: _find(index, asked, scope)))


async def _places(ocean: Ocean, caller: Caller, asked: _Asked, scope: Scope, hits: Sequence[Hit]) -> list[int]:
    """Places of all that was found, the best of them where they are many."""
    if asked.words.empty or asked.mode == "vector":
        return [hit.seq for hit in hits]
    index = ocean.indexing.index
    async with ocean.turns.of(*caller.holders):
        search = partial(index.words.search, asked.words, asked.language, scope, faceting.MAX_COUNTED)
        found, _, _ = await asyncio.to_thread(sound, search)
    return [hit.seq for hit in found]


def _find(index: Index, asked: _Asked, scope: Scope) -> tuple[list[Hit], int, analysis.Sought]:
    """The best hits, how many records were searched, what was looked for."""
    if asked.mode == "text":
        return index.words.search(asked.words, asked.language, scope, asked.most)
    vector = asked.vector(index)
    most = asked.most if asked.mode == "vector" else max(CANDIDATES, asked.most)
    near, measured = index.vectors.search(asked.space, vector, scope, most)
    if asked.mode == "vector":
        return near, measured, analysis.Sought()
    worded, searched, sought = index.words.search(asked.words, asked.language, scope, most)
    if asked.fusion == "rrf":
        return _by_ranks(worded, near)[: asked.most], max(searched, measured), sought
    cosines = index.vectors.scores(asked.space, vector, [hit.seq for hit in worded])
    return _by_scores(worded, near, cosines)[: asked.most], max(searched, measured), sought


def _by_ranks(*lists: list[Hit]) -> list[Hit]:
    """Reciprocal rank fusion, so that the first of all lists has 1."""
    best = len(lists) / (_RRF + 1)
    scores: dict[int, float] = {}
    for hits in lists:
        for rank, hit in enumerate(hits, 1):
            scores[hit.seq] = scores.get(hit.seq, 0.0) + 1 / (_RRF + rank) / best
    return _sorted(scores)


def _by_scores(worded: list[Hit], near: list[Hit], cosines: dict[int, float]) -> list[Hit]:
    """Half and half, each brought to 0 to 1 over all that either has found; cosines are known of those found by words alone, too."""
    words = {hit.seq: hit.score for hit in worded}
    meanings = {**cosines, **{hit.seq: hit.score for hit in near}}
    low_word, low_meaning = min(words.values(), default=0.0), min(meanings.values(), default=0.0)
    word_range = (max(words.values(), default=0.0) - low_word) or 1.0
    meaning_range = (max(meanings.values(), default=0.0) - low_meaning) or 1.0
    scores = {}
    for seq in {**words, **meanings}:
        word = (words[seq] - low_word) / word_range if len(words) > 1 and seq in words else float(seq in words)
        meaning = (meanings[seq] - low_meaning) / meaning_range if len(meanings) > 1 and seq in meanings else float(seq in meanings)
        scores[seq] = (word + meaning) / 2
    return _sorted(scores)


def _sorted(scores: dict[int, float]) -> list[Hit]:
    return [Hit(seq, score) for seq, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


async def _records(ocean: Ocean, caller: Caller, seen: Sql, hits: Sequence[Hit], wanted: int) -> list[tuple[Hit, Drop]]:
    """The best hits with their records as they are now, of those that `seen` leaves: what is gone meanwhile is not among them.

    The index narrows, this decides. Read by the score, some at a time: where all are too large for one answer, the best are there.
    """
    if not hits:
        return []
    found: list[tuple[Hit, Drop]] = []
    size = 0
    first = min(wanted, AT_ONCE)  # most often nothing has gone
    for start, end in [(0, first), *((at, at + AT_ONCE) for at in range(first, len(hits), AT_ONCE))]:
        some = hits[start:end]
        places = sql(f"r.seq IN ({','.join('?' * len(some))})")._replace(values=tuple(hit.seq for hit in some))
        rows = await run(ocean, caller, sql(f"{RECORDS} WHERE {{}}", joined(" AND ", [places, seen])), brief=True)
        drops = {row[0]: Drop(*row) for row in rows}
        found += [(hit, drops[hit.seq]) for hit in some if hit.seq in drops]
        size += sum(len(drop.payload or "") for drop in drops.values())
        if len(found) >= wanted:
            break
        if size > SCAN_BYTES:
            raise OceanError("LIMIT_REACHED", f"The answer is over {SCAN_BYTES // 2**20} MB.", f"Ask for less: top_k {len(found) // 2}.")
    return found[:wanted]


def _nothing(ocean: Ocean, asked: _Asked, scope: Scope) -> None:
    """Says what there is nothing of."""
    where = f"in {scope.route!r} that this key may search"
    hint = "It is being indexed: ask with wait." if ocean.indexing.behind else "Save records with text first."
    if asked.mode == "vector":
        if asked.own is not None and (others := ocean.indexing.index.vectors.dimensions_in(scope)):
            there = ", ".join(map(str, others))
            raise OceanError("DIMENSION_MISMATCH", f"The vector has {len(asked.own)} dimensions; those in {scope.route!r} have {there}.")
        raise OceanError("NO_VECTORS", f"There are no vectors {where}.", hint)
    raise OceanError("NO_TEXT_CONTENT", f"There are no texts {where}.", hint)


async def _all_shown(ocean: Ocean, caller: Caller, there: list[tuple[Hit, Drop]], marker: Marker | None) -> list[dict[str, Any]]:
    def work() -> list[dict[str, Any]]:
        return [_shown(drop, hit, marker) for hit, drop in there]

    if marker is None or sum(len(drop.payload or "") for _, drop in there) <= MARKED_AT_ONCE:
        return work()
    async with ocean.turns.of(*caller.holders):
        return await asyncio.to_thread(work)


def _shown(drop: Drop, hit: Hit, marker: Marker | None) -> dict[str, Any]:
    found: dict[str, Any] = {"drop_id": drop.drop_id, "route": drop.route}
    if drop.key is not None:
        found["key"] = drop.key
    text = drop.body()
    found |= {"score": round(hit.score, 4), "payload": orjson.Fragment(text.encode()), "created_at": show_time(drop.created_at)}
    if marker is not None and len(text) <= MAX_MARKED:
        body = loads(text)
        marked = marker.snippet(texts_of(body)[1], language_of(body))
        if marked is not None:
            found["snippet"] = marked
    return found
