"""Which index serves a question best, or whether a scan does: by how many records each way would look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grammar import Stage
from grammar.conditions import AllOf, Condition, Test
from ocean.store.entries import Range, Spread, among, ranges
from ocean.store.query.fragments import Sql
from ocean.store.query.logical import tests_of

LOOKUP = 3.0  # what a record costs that an index leads to, where one in a scan costs 1
GUESS = 0.2  # the part of the records that a condition lets through of which nothing is known
EVERY = Sql("e.rank >= 0")  # entry of an index


@dataclass(frozen=True, slots=True)
class Along:
    """An index to go along: the entries of `field` that pass `bounds`; `ordered`, if the question is sorted by it."""

    field: str
    index: int
    bounds: Sql
    ordered: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks of every record, before anything else is done with those that pass."""

    tests: tuple[Test, ...] = ()  # that all have to be passed
    others: int = 0  # conditions beside, of which nothing is known
    sort: str | None = None  # the one field that it is sorted by first
    sorted: bool = False  # by whatever
    wanted: int | None = None  # how many are enough; None for all

    @property
    def fields(self) -> list[str]:
        """Those that an index could serve."""
        return list(dict.fromkeys([*(test.field for test in self.tests), *([self.sort] if self.sort else [])]))


def asked(stages: Sequence[Stage], otherwise: int) -> Asked:
    """What the first stages ask; `otherwise` is how many are wanted where no stage says it."""
    tests: list[Test] = []
    others = skip = 0
    sort: str | None = None
    sorted_ = False
    for stage in stages:
        if stage.name == "where" and not sorted_:
            parts = _all_of(stage.args["where"])
            tests += [part for part in parts if isinstance(part, Test) and part.operator in _INDEXABLE]
            others += sum(not (isinstance(part, Test) and part.operator in _INDEXABLE) for part in parts)
        elif stage.name == "sort" and not sorted_:
            sorted_ = True
            sort = stage.args["sort"][0]["field"] if len(stage.args["sort"]) == 1 else None
        elif stage.name == "skip":
            skip += stage.args["n"]
        elif stage.name in ("limit", "first"):
            return Asked(tuple(tests), others, sort, sorted_, skip + stage.args.get("n", 1))
        elif stage.name != "pick":
            return Asked(tuple(tests), others, sort, sorted_)
    return Asked(tuple(tests), others, sort, sorted_, skip + otherwise)


_INDEXABLE = ("=", "in", ">", ">=", "<", "<=", "between")


def _all_of(condition: Condition) -> list[Condition]:
    return [test for part in condition.parts for test in _all_of(part)] if isinstance(condition, AllOf) else [condition]


def reads_texts(stages: Sequence[Stage]) -> bool:
    """Whether whole texts are read, each of which may be long: by contains, ends with or matches."""
    return any(
        test.operator in ("contains", "ends with", "matches") for s in stages if s.name == "where" for test in tests_of(s.args["where"])
    )


@dataclass(frozen=True, slots=True)
class Way:
    """How a question is answered: along an index or by a scan, and about how many records that looks at, None where nothing is known."""

    along: Along | None = None
    looks: float | None = None


def choose(question: Asked, indexed: dict[str, int], spreads: dict[int, Spread], *, walks: bool) -> Way:
    """The best way for a question, of the folder's ready indexes. `walks`: an index can be gone along in its order.

    Where nothing is known of how an index's values are spread, an equality goes along it, then any other test.
    """
    served = [
        (test, found) for test in question.tests if test.field in indexed and (found := ranges(test.operator, test.value)) is not None
    ]
    ways = _narrowed(served)
    others = question.others + len(question.tests) - len(served)  # tests that no index tells of
    known = {field: spread for field, index in indexed.items() if (spread := spreads.get(index)) is not None}
    exact = {field for field, spread in known.items() if spread.exact}  # those whose order is that of the values
    sort = question.sort if question.sort in exact and walks else None
    if any(test.field not in known for test, _ in ways):
        ways.sort(key=lambda way: way[0].operator not in ("=", "in"))
        return Way(_along(ways[0], indexed, sort))
    if not known:
        early = question.wanted is not None and not question.sorted
        return Way(looks=(question.wanted or 0) / _passing(question.others + len(question.tests)) if early else None)
    return _cheapest(question, ways, others, indexed, known, sort)


def _narrowed(ways: list[tuple[Test, list[Range]]]) -> list[tuple[Test, list[Range]]]:
    """Tests of one field as one way: an index is gone along between two bounds, not from one of them to the end."""
    found: list[tuple[Test, list[Range]]] = []
    for test, ranges_ in ways:
        for at, (other, theirs) in enumerate(found):
            both = theirs[0].narrowed(ranges_[0]) if test.field == other.field and len(ranges_) == len(theirs) == 1 else None
            if both is not None:
                found[at] = (test if test.operator == "=" else other, [both])
                break
        else:
            found.append((test, ranges_))
    return found


def _passing(conditions: int) -> float:
    """Which part of the records passes conditions of which nothing is known; hardly any, but never none."""
    return max(GUESS**conditions, 1e-9)


def _along(way: tuple[Test, list[Range]], indexed: dict[str, int], sort: str | None) -> Along:
    test, found = way
    return Along(test.field, indexed[test.field], among(found), ordered=sort == test.field)


def _cheapest(
    question: Asked, ways: list[tuple[Test, list[Range]]], others: int, indexed: dict[str, int], known: dict[str, Spread],
    sort: str | None,
) -> Way:  # fmt: skip
    size = max(spread.count for spread in known.values())
    shares = [known[test.field].share(found) for test, found in ways]
    passes = _passing(others)
    for share in shares:
        passes *= share
    passes = max(passes, 1 / max(size, 1))  # one at least, for all that is known

    def until_enough(records: float, part: float) -> float:
        """How many of some records are looked at until enough have passed, where a part of them does."""
        return records if question.wanted is None else min(records, question.wanted / part)

    best: Along | None = None
    least = float(size) if question.sorted else until_enough(size, passes)
    for way, share in zip(ways, shares, strict=True):
        along = _along(way, indexed, sort)
        matching = size * share
        cost = LOOKUP * (until_enough(matching, min(1.0, passes / share)) if along.ordered else matching)
        if cost < least:
            best, least = along, cost
    if sort is not None and (cost := LOOKUP * until_enough(size, passes)) < least:
        best, least = Along(sort, indexed[sort], EVERY, ordered=True), cost
    return Way(best, least)
