"""Searches: beside raw tantivy on the same texts, recall beside exact search, how soon a record is found, relevance on Cranfield."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import tantivy

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.followers import indexer
from ocean.index.embedder import normalised
from ocean.index.scope import Entry, Scope
from ocean.index.vectors import VectorIndex
from ocean.services.data import records
from ocean.services.query.indexing import Indexing
from ocean.services.query.search import search
from ocean.store.reader import now
from ocean.store.schema import migrate
from ops.bench.queries import caught_up
from ops.bench.table import Row
from tests.conftest import Running

MANY = 50_000
QUESTIONS = 300
CRANFIELD = Path(__file__).resolve().parents[3] / "shared" / "data" / "cranfield"
_SYLLABLES = ["ka", "lo", "mi", "ru", "ten", "sha", "vo", "pel", "dra", "qui", "nor", "bes", "tal", "fi", "gum", "zor"]


def rows(folder: Path) -> list[Row]:
    """In one process, without HTTP."""
    return asyncio.run(_beside(folder)) + _recall(folder / "vectors")


def _texts() -> tuple[list[str], list[str]]:
    """Short texts, and questions of two of their words; words are as rare as words are."""
    chance = random.Random(4)
    words = sorted({"".join(chance.choice(_SYLLABLES) for _ in range(chance.choice([2, 3, 3, 4]))) for _ in range(20_000)})
    weights = [1 / (rank + 10) for rank in range(len(words))]
    texts = [" ".join(chance.choices(words, weights, k=12)) for _ in range(MANY)]
    return texts, [" ".join(chance.sample(text.split(), 2)) for text in chance.sample(texts, QUESTIONS)]


async def _beside(folder: Path) -> list[Row]:
    folder.mkdir(parents=True)
    values = settings.load({"OCEAN_DATA": str(folder)})
    await migrate(settings.store_url(values))
    ocean = await Ocean.open(values)
    ocean.searching = Indexing(ocean.data, ocean.engine, ocean.reader)
    await ocean.searching.open()
    follower = asyncio.get_running_loop().create_task(indexer.run(ocean))
    try:
        return await _measured(ocean, *_texts())
    finally:
        follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await follower
        await ocean.close()


async def _measured(ocean: Ocean, texts: list[str], questions: list[str]) -> list[Row]:
    who = Caller(keys.generate().public)
    begun = time.perf_counter()
    for start in range(0, MANY, 5000):
        ops = [{"route": "s", "key": f"k{i}", "payload": {"text": texts[i]}} for i in range(start, start + 5000)]
        await records.bulk(ocean, who, ops=ops)
    saved = time.perf_counter() - begun
    await _caught_up(ocean)
    indexed = time.perf_counter() - begun
    while ocean.indexing.index.settle():
        await asyncio.sleep(0)
    raw = _raw(texts)
    typed = [_mistyped(question) for question in questions]

    async def ask(text: str, mode: str = "text") -> None:
        await search(ocean, who, prefix="s", text=text, mode=mode)

    words = await _median(questions, ask)
    typos = await _median(typed, ask)
    vectors = await _median(questions, lambda text: ask(text, "vector"))
    both = await _median(questions, lambda text: ask(text, "hybrid"))
    bare = statistics.median([_timed(raw, question) for question in questions])
    return [
        Row("search by words in 50,000, ms", words, "raw tantivy, with snippets", bare, 3, most=True),
        Row("the same with a typo, ms", typos, "raw tantivy, no typo", bare, 6, most=True),
        Row("by both, ms", both, "the slower half", max(words, vectors), 3, most=True),
        Row("seconds to index 50,000", indexed, "to save them", saved, 3, most=True),
        Row("found after a save, at 1,000 a second, worst of 50, ms", await _found_after(ocean, who), None, None, 500, most=True),
    ]


async def _caught_up(ocean: Ocean) -> None:
    head, _ = await ocean.reader.head()
    while ocean.indexing.index.position < head:
        await asyncio.sleep(0.02)


async def _median(questions: list[str], ask: Callable[[str], Awaitable[None]]) -> float:
    times = []
    for question in questions:
        begun = time.perf_counter()
        await ask(question)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def _mistyped(question: str) -> str:
    """One word with two letters turned round."""
    first, second = question.split()
    at = len(first) // 2
    return f"{first[: at - 1]}{first[at]}{first[at - 1]}{first[at + 1 :]} {second}"


def _raw(texts: list[str]) -> tantivy.Index:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=True, tokenizer_name="en_stem")
    index = tantivy.Index(builder.build(), tempfile.mkdtemp())
    writer = index.writer(50_000_000, 1)
    for text in texts:
        writer.add_document(tantivy.Document(text=text))
    writer.commit()
    index.reload()
    return index


def _timed(index: tantivy.Index, question: str) -> float:
    searcher = index.searcher()
    begun = time.perf_counter()
    query = index.parse_query(question, ["text"])
    marks = tantivy.SnippetGenerator.create(searcher, query, index.schema, "text")
    for _, address in searcher.search(query, 10).hits:
        marks.snippet_from_doc(searcher.doc(address)).to_html()
    return (time.perf_counter() - begun) * 1000


async def _found_after(ocean: Ocean, who: Caller) -> float:
    """The longest that one of 50 records waited to be found, while a thousand a second are saved."""
    stop = asyncio.Event()

    async def load() -> None:
        number, begun = 0, time.perf_counter()
        while not stop.is_set():
            await asyncio.gather(
                *(records.save(ocean, who, route="load", payload={"text": f"load number {number + i}"}) for i in range(20))
            )
            number += 20
            await asyncio.sleep(max(0.0, begun + number / 1000 - time.perf_counter()))

    task = asyncio.get_running_loop().create_task(load())
    worst = 0.0
    for i in range(50):
        await records.save(ocean, who, route="seen", key=f"k{i}", payload={"text": f"beacon{i}x"})
        begun = time.perf_counter()
        while True:
            with contextlib.suppress(Exception):
                if (await search(ocean, who, prefix="seen", text=f"beacon{i}x"))["count"]:
                    break
            await asyncio.sleep(0.01)
        worst = max(worst, (time.perf_counter() - begun) * 1000)
    stop.set()
    await task
    return worst


def _recall(folder: Path) -> list[Row]:
    """Recall at 10 of 50,000 vectors of 256 numbers in clusters, whole and under a filter that leaves a hundredth."""
    chance = np.random.default_rng(7)
    centres = chance.normal(size=(500, 256))
    points = normalised((centres[chance.integers(0, 500, MANY)] + 0.7 * chance.normal(size=(MANY, 256))).astype(np.float32))
    index = VectorIndex(folder)
    for start in range(0, MANY, 5000):
        found = [(Entry(str(i), i + 1, "v", "o", False, None, "", "", "en"), points[i]) for i in range(start, start + 5000)]
        index.apply(found, [], start + 5000)
    while index.settle():
        pass
    few = sorted(int(i) + 1 for i in chance.choice(MANY, MANY // 100, replace=False))
    measured = []
    for name, seqs in (("recall at 10 of 50,000 vectors", None), ("the same under a filter of 1 %", few)):
        scope = Scope("v", (), None, False, now(), seqs)
        among = np.array(few) - 1 if seqs else np.arange(MANY)
        hits = 0
        for query in normalised((centres[:200] + 0.7 * chance.normal(size=(200, 256))).astype(np.float32)):
            exact = set(among[np.argsort(-(points[among] @ query))[:10]] + 1)
            hits += len(exact & {hit.seq for hit in index.search(0, query, scope, 10)[0]})
        measured.append(Row(name, hits / 2000, None, None, 0.97))
    index.close()
    return measured


def relevance(running: Running) -> list[Row]:
    """nDCG@10 through POST /search, beside the baselines that were measured with the collection."""
    if not CRANFIELD.exists():
        print(f"{CRANFIELD} is not here: relevance is left out")
        return []
    documents = [json.loads(line) for line in (CRANFIELD / "documents.jsonl").open()]
    questions = [json.loads(line) for line in (CRANFIELD / "queries.jsonl").open()]
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (CRANFIELD / "judgements.tsv").open():
        question, document, grade = line.strip().split("\t")
        if grade.isdigit():
            grades[question][document] = int(grade)
    secret = keys.generate().secret
    for start in range(0, len(documents), 200):
        ops: list[dict[str, Any]] = [
            {"op": "save", "route": "cranfield", "key": str(d["id"]), "payload": {"title": d["title"], "text": d["text"]}}
            for d in documents[start : start + 200]
        ]
        assert running.post("/bulk", {"ops": ops}, secret).ok
    found = []
    caught_up(running)
    for mode, target in (("text", 0.357), ("hybrid", 0.374)):
        total = 0.0
        for question in questions:
            body = {"prefix": "cranfield", "text": question["text"], "mode": mode, "top_k": 10, "wait": True}
            answer = running.post("/search", body, secret).json()
            total += _ndcg([result["key"] for result in answer["results"]], grades[str(question["id"])])
        found.append(Row(f"nDCG@10 on Cranfield, {mode}", total / len(questions), None, None, target))
    return found


def _ndcg(keys_: list[str], grades: dict[str, int]) -> float:
    def gain(values: list[int]) -> float:
        return sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(values[:10]))

    best = gain(sorted(grades.values(), reverse=True))
    return gain([grades.get(key, 0) for key in keys_]) / best if best else 0.0
