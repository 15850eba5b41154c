"""Records by their words: BM25 over stems, a title's words for more, typos by edit distance (tantivy).

Scores are of what the reader may see: a word's rarity is counted within the scope. Only the average length of a text is the whole
store's, so much of what others write is told by it: how long their texts are on average, and no word of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import tantivy
from tantivy import Document, FieldType, Occur, Query

from ocean.index import analysis
from ocean.index.scope import MAX_SEQS, DamagedError, Entry, Hit, Scope

TITLE = 0.3  # what a word counts for that stands in the title, beside what it counts for anyway
TYPO = 0.5  # what a word counts for that is only like the one asked for
BEGUN = 0.7
PHRASE = 1.5
# What a text counts as longer than it is. BM25 holds a text's length against the average of the whole store: with nothing added, ten
# thousand short notes make long articles of another folder hard to rank (nDCG@10 on Cranfield 0.369, beside 40,000 short records 0.337;
# with this 0.373 and 0.369).
LONGER = " ".join(["\x00"] * 100)
HEAP = 30_000_000  # bytes that the writer gathers before it writes a segment
_POSITION = "\x00position"
_FIELDS = ("stem", "title")
_TOTAL = re.compile(r'"value": ([\d.]+),\s*"description": "N, ')
_SCOPES = 1000  # whose numbers of records are kept


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("within", tokenizer_name="raw", index_option="basic")  # each folder that it lies in
    builder.add_text_field("owner", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("word", tokenizer_name="words", index_option="position")
    builder.add_text_field("stem", tokenizer_name="pieces", index_option="freq")
    builder.add_text_field("title", tokenizer_name="words", index_option="freq")
    builder.add_unsigned_field("seq", indexed=True, fast=True)
    builder.add_unsigned_field("priced", indexed=True)
    builder.add_unsigned_field("expires", indexed=True, fast=True)
    return builder.build()


class WordIndex:
    """The index in a folder. Written by one thread at a time; searched by any."""

    def __init__(self, folder: Path) -> None:
        """Raises DamagedError."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._index = tantivy.Index(_schema(), str(folder))
            self._index.register_tokenizer("words", analysis.words())
            self._index.register_tokenizer("pieces", analysis.pieces())
            self._writer = self._index.writer(HEAP, 1)
            self._schema = self._index.schema
            self._view = View(self._index)
        except (ValueError, OSError) as fault:
            raise DamagedError(str(fault)) from fault

    @property
    def position(self) -> int:
        """The place in the log up to which it is true, on disk."""
        return self._view.position

    def apply(self, entries: Sequence[Entry], gone: Sequence[str], position: int) -> None:
        """Takes in what the log says up to `position`; on disk, and searched, when it returns."""
        for id_ in (*(entry.id for entry in entries), *gone, _POSITION):
            self._writer.delete_documents_by_term("id", id_)
        for entry in entries:
            if entry.text:
                self._writer.add_document(_document(entry))
        mark = Document()
        mark.add_text("id", _POSITION)
        mark.add_unsigned("seq", position)
        mark.add_text("stem", LONGER)  # it counts among the texts, as one like the others
        self._writer.add_document(mark)
        self._writer.commit()
        self._index.reload()
        self._view = View(self._index)

    def expire(self, now: int) -> None:
        """Takes out what has expired, with the next `apply`."""
        if self._view.expiring:
            self._writer.delete_documents_by_query(_expired(self._schema, now))

    def close(self) -> None:
        self._writer.wait_merging_threads()

    def search(self, question: analysis.Question, language: str, scope: Scope, most: int) -> tuple[list[Hit], int, analysis.Sought]:
        """The best `most` hits, how many records were searched, and what was looked for."""
        return self._view.search(question, language, scope, most)


class View:
    """The index as it is at one moment: a search begins and ends with the same."""

    def __init__(self, index: tantivy.Index) -> None:
        self._schema = index.schema
        self._searcher = index.searcher()
        self.position, self._total = self._read_position()
        self._counted: dict[tuple[object, ...], int] = {}  # records of scopes that were asked about
        self._count = self._searcher.num_docs - (self.position > 0)
        self._priced = self._searcher.doc_freq("priced", 1) > 0
        self.expiring = self._searcher.search(Query.exists_query("expires"), 1, count=False).hits != []

    def _read_position(self) -> tuple[int, int]:
        """The position, and how many documents tantivy reckons a word's rarity by: removed ones too, as long as they lie there."""
        query = Query.term_query(self._schema, "id", _POSITION)
        hits = self._searcher.search(query, 1, count=False).hits
        if not hits:
            return 0, 0
        address = hits[0][1]
        seq = self._searcher.fast_field_values("seq", [address])[0]
        total = _TOTAL.search(query.explain(self._searcher, address).to_json())
        return int(seq or 0), int(float(total[1])) if total else self._searcher.num_docs

    def _count_in(self, scope: Scope) -> int:
        """How many records of a scope have words."""
        if self.expiring or scope.seqs is not None or len(self._counted) > _SCOPES:
            return _total(self._searcher, self._restriction(scope))
        name = (scope.route, scope.closed, scope.who if self._priced or scope.own else None, scope.own, scope.bought)
        if name not in self._counted:
            self._counted[name] = _total(self._searcher, self._restriction(scope))
        return self._counted[name]

    def search(self, question: analysis.Question, language: str, scope: Scope, most: int) -> tuple[list[Hit], int, analysis.Sought]:
        searched = self._count_in(scope)
        if not searched:
            return [], 0, analysis.Sought()
        restriction = self._restriction(scope) if searched != self._count else None  # where all there is may be found
        asked = _Asked(self._searcher, self._schema, restriction, searched, self._total)
        wanted = asked.of(question, language)
        if restriction is not None:  # else only the best need be scored
            wanted = Query.boolean_query([(Occur.Must, restriction), (Occur.Must, wanted)])
        found = self._searcher.search(wanted, most, count=False).hits
        seqs = self._searcher.fast_field_values("seq", [address for _, address in found])
        return [Hit(int(seq or 0), float(score)) for (score, _), seq in zip(found, seqs, strict=True)], searched, asked.sought

    def _restriction(self, scope: Scope) -> Query:
        """What may be found at all. It adds nothing to a score."""

        def term(field: str, value: object) -> Query:
            return Query.term_query(self._schema, field, value, "basic")

        parts = [(Occur.Must, term("within", scope.route))]
        parts += [(Occur.MustNot, term("within", folder)) for folder in scope.closed]
        mine = term("owner", scope.who) if scope.who is not None else None
        if scope.own:
            parts.append((Occur.Must, mine or Query.empty_query()))
        elif self._priced:
            free = Query.boolean_query([(Occur.Must, Query.all_query()), (Occur.MustNot, term("priced", 1))])
            held = Query.term_set_query(self._schema, "seq", list(scope.bought)) if scope.bought else None
            parts.append((Occur.Must, Query.boolean_query([(Occur.Should, q) for q in (free, mine, held) if q is not None])))
        if self.expiring:
            parts.append((Occur.MustNot, _expired(self._schema, scope.now)))
        if scope.seqs is not None:
            parts.append((Occur.Must, Query.term_set_query(self._schema, "seq", list(scope.seqs[:MAX_SEQS]))))
        return Query.const_score_query(Query.boolean_query(parts), 0.0)


def _expired(schema: tantivy.Schema, now: int) -> Query:
    return Query.range_query(schema, "expires", FieldType.Unsigned, 0, now)


def _document(entry: Entry) -> Document:
    found = Document()
    found.add_text("id", entry.id)
    segments = entry.route.split("/")
    for depth in range(1, len(segments) + 1):
        found.add_text("within", "/".join(segments[:depth]))
    found.add_text("owner", entry.owner)
    found.add_unsigned("seq", entry.seq)
    if entry.priced:
        found.add_unsigned("priced", 1)
    if entry.expires_at is not None:
        found.add_unsigned("expires", entry.expires_at)
    text = analysis.parted(entry.text)
    found.add_text("word", text)
    stems = analysis.stems(entry.language)
    found.add_pre_tokenized_text("stem", stems.pre_tokenize(text))
    found.add_text("stem", f"{LONGER} {analysis.foreign_stems(text, entry.language)}")
    if entry.title:
        title = analysis.parted(entry.title)
        found.add_pre_tokenized_text("title", stems.pre_tokenize(title))
        if other := analysis.foreign_stems(title, entry.language):
            found.add_pre_tokenized_text("title", analysis.pieces().pre_tokenize(other))
    return found


class _Asked:
    """A question made for one scope: each word weighs what it is worth there."""

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema, restriction: Query | None, searched: int, total: int) -> None:
        self._searcher, self._schema, self._restriction, self._searched = searcher, schema, restriction, searched
        self._total = total
        self.sought = analysis.Sought()

    def of(self, question: analysis.Question, language: str) -> Query:
        parts: list[tuple[Occur, Query]] = []
        for word in question.words:
            parts += [(Occur.Should, query) for query in self._word(word, analysis.stems_of(word, language))]
        for begun in question.begun:
            found = Query.fuzzy_term_query(self._schema, "word", begun, distance=0, prefix=True)
            parts.append((Occur.Should, Query.boost_query(found, BEGUN * self._rarity(self._count(found)))))
        for phrase in question.phrases:
            found = Query.phrase_query(self._schema, "word", list(phrase))
            parts.append((Occur.Must, Query.const_score_query(found, PHRASE * self._rarity(self._count(found)))))
            for word in phrase:
                for stem in analysis.stems_of(word, language):
                    self.sought.stems.add(stem)
                    parts += [(Occur.Should, query) for query in self._exact(stem)]
        return Query.boolean_query(parts)

    def _word(self, word: str, stems: list[str]) -> list[Query]:
        self.sought.stems.update(stems)
        exact = [query for stem in stems for query in self._exact(stem)]
        return exact or self._like(word)

    def _exact(self, stem: str) -> list[Query]:
        """The stem in texts and in titles, where the scope has it."""
        found: list[Query] = []
        for field in _FIELDS:
            query = Query.term_query(self._schema, field, stem, "freq")
            frequency = self._searcher.doc_freq(field, stem)
            here = frequency if self._restriction is None or not frequency else self._count(query)
            if not here:
                if field == "stem":
                    return []
                continue
            weight = (TITLE if field == "title" else 1.0) * self._weight(here, frequency)
            found.append(Query.boost_query(query, weight) if weight != 1.0 else query)
        return found

    def _like(self, word: str) -> list[Query]:
        """Words that are a letter or two away: none of a short word, one of a word of 4 to 7 letters, two of a longer one."""
        for distance in range(1, 0 if len(word) < 4 else 2 if len(word) < 8 else 3):
            query = Query.fuzzy_term_query(self._schema, "word", word, distance=distance, transposition_cost_one=True)
            if here := self._count(query):
                self.sought.like[word] = distance
                return [Query.boost_query(query, TYPO * self._rarity(here))]
        return []

    def _count(self, query: Query) -> int:
        if self._restriction is None:
            return _total(self._searcher, query)
        return _total(self._searcher, Query.boolean_query([(Occur.Must, self._restriction), (Occur.Must, query)]))

    def _rarity(self, here: int) -> float:
        """The inverse document frequency of BM25, within the scope."""
        return _rarity(here, self._searched)

    def _weight(self, here: int, everywhere: int) -> float:
        """What makes of a rarity that was counted everywhere the one within the scope."""
        return 1.0 if self._restriction is None else self._rarity(here) / _rarity(everywhere, self._total)


def _rarity(documents: int, of: int) -> float:
    return math.log(1 + (of - documents + 0.5) / (documents + 0.5))


def _total(searcher: tantivy.Searcher, query: Query) -> int:
    """How many records a query finds."""
    return int(searcher.search(query, 1, count=True).count or 0)  # type: ignore[attr-defined]
