"""Search by words and by meaning: what is found, what is not, and what nobody may learn from it."""

from __future__ import annotations

import contextlib
import random
import shutil
import string
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core.searched import plain as plain_text
from ocean.core.searched import texts_of
from ocean.errors import OceanError
from ocean.index import snippets as snippets_
from ocean.index import vectors as vectors_
from ocean.index.analysis import STEMMED, Sought, stems
from ocean.index.embedder import normalised
from ocean.index.scope import Entry, Scope
from ocean.index.snippets import Marker, near
from ocean.services.data import records
from ocean.services.query import indexing as indexing_
from ocean.services.query.search import search
from ocean.store.reader import now
from tests.services.searching import found, indexed, save
from tests.services.test_find import plain

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def sea(ocean: Ocean) -> AsyncIterator[Ocean]:
    async with indexed(ocean):
        yield ocean


TEXTS = """
save docs @deploy title: "Deployment error" body: "The deployment to production failed with an error in the database migration."
save docs @start title: "Getting started" body: "How to get started: install it, start it, save your first record."
save docs @pasta title: "Cooking pasta" body: "Boil the spaghetti in salted water and serve it with tomato sauce."
save docs/deep @running body: "She was running through the forest while the foxes jumped."
save docs/deep @html page: "<html><style>body { color: teal }</style><script>let hidden = 1</script><p>Visible&nbsp;paragraph</p></html>"
save docs @list tags: ("alpha", "beta") nested: { inside: { far: "submarine" } } _texts: ("quoted words")
save docs @text "a plain text about lighthouses"
"""


async def test_words_are_found_by_their_stems_where_they_stand(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, TEXTS)
    for text, keys in {
        "deployment error": ["deploy"], "deployments failing": ["deploy"], "DATABASE": ["deploy"], "foxes": ["running"],
        "fox jump": ["running"],
        "submarine": ["list"], "beta": ["list"], "quoted": ["list"], "lighthouse": ["text"], "visible": ["html"], "teal": [], "hidden": [],
        '"salted water"': ["pasta"], '"water salted"': [], "spag*": ["pasta"], "start": ["start"],
    }.items():  # fmt: skip
        assert await found(sea, alice, "docs", text) == keys, text
    assert await found(sea, alice, "docs/deep", "spaghetti") == []
    assert set(await found(sea, alice, "docs", "spaghetti lighthouses")) == {"pasta", "text"}


async def test_typos_are_forgiven_by_the_length_of_a_word(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, TEXTS)
    for typed in ("spagheti", "spahgetti", "deploymnt", "deplyomnt", "lighthuose", "watre"):
        assert len(await found(sea, alice, "docs", typed)) == 1, typed
    assert await found(sea, alice, "docs", "fxo") == []  # three letters have to be right


async def test_a_title_counts_for_more(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, 'save t @body title: "Other" body: "harbour cat dog"; save t @title title: "harbour" body: "other cat dog"')
    assert await found(sea, alice, "t", "harbour") == ["title", "body"]


async def test_the_answer_has_the_seeds_shape_and_marks_the_words(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, TEXTS)
    answer = plain(await search(sea, alice, prefix="docs", text="deployments <failing>", wait=True))
    (result,) = answer["results"]
    assert set(answer) == {"results", "count", "searched", "time_ms", "mode"}
    assert set(result) == {"drop_id", "route", "key", "score", "payload", "created_at", "snippet"}
    assert (answer["searched"], answer["mode"], result["route"]) == (7, "text", "docs")
    assert result["score"] > 0
    assert "<mark>Deployment</mark>" in result["snippet"]
    assert "<mark>failed</mark>" in result["snippet"]


async def test_meaning_finds_what_shares_no_word(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, TEXTS)
    assert (await found(sea, alice, "docs", "preparing noodles for dinner", mode="vector"))[0] == "pasta"
    assert (await found(sea, alice, "docs", "noodles with sauce", mode="hybrid"))[0] == "pasta"
    for fusion in ("weighted", "rrf"):
        answer = plain(await search(sea, alice, prefix="docs", text="tomato sauce", mode="hybrid", fusion=fusion))
        scores = [result["score"] for result in answer["results"]]
        assert answer["results"][0]["key"] == "pasta"
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1


async def test_vectors_of_ones_own_of_any_dimension(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, 'save v/memory vector: (0.12, -0.34, 0.56, 0.78) text: "hello world"')
    await save(
        sea, alice, "save v/memory @b vector: (1, 0, 0, 0); save v/memory @c vector: (0, 1, 0, 0); save v/three @d vector: (1, 2, 3)"
    )
    assert await found(sea, alice, "v/memory", vector=[0.9, 0.1, 0, 0], top_k=2) == ["b", "c"]
    assert await found(sea, alice, "v", vector=[1, 2, 3]) == ["d"]
    assert await found(sea, alice, "v/memory", vector=[0.9, 0.1, 0, 0], min_score=0.9) == ["b"]
    await records.save(sea, alice, route="v/beside", key="e", payload={"t": 1}, vector=[1, 2, 3, 4, 5])
    assert await found(sea, alice, "v/beside", vector=[1, 2, 3, 4, 5]) == ["e"]
    for payload, vector in (("text", [1, 2]), ({}, [1]), ({}, ["x", "y"]), ({"vector": [1, 2]}, [1, 2])):
        with pytest.raises(OceanError) as caught:
            await records.save(sea, alice, route="v/beside", payload=payload, vector=vector)
        assert caught.value.code == "INVALID_VECTOR"
    for asked, code in (
        ({"vector": [1, 2]}, "DIMENSION_MISMATCH"), ({"vector": [1]}, "INVALID_VECTOR"), ({"vector": ["a", 1]}, "INVALID_VECTOR"),
        ({"vector": [0, 0]}, "INVALID_VECTOR"), ({}, "SEARCH_REQUIRED"), ({"text": "  "}, "INVALID_TEXT"), ({"text": 7}, "INVALID_TEXT"),
        ({"text": "a", "top_k": 1001}, "TOP_K_TOO_LARGE"), ({"text": "a", "top_k": 0}, "INVALID_VALUE"),
        ({"text": "a", "mode": "magic"}, "INVALID_VALUE"), ({"vector": [1, 2, 3], "mode": "text"}, "SEARCH_REQUIRED"),
        ({"text": "a", "fusion": "cold"}, "INVALID_VALUE"),
    ):  # fmt: skip
        with pytest.raises(OceanError) as caught:
            await search(sea, alice, prefix="v/memory", **asked)  # type: ignore[arg-type]
        assert caught.value.code == code, asked
    for prefix, asked, code in (
        ("none", {"text": "a"}, "NO_TEXT_CONTENT"), ("none", {"vector": [1, 2]}, "NO_VECTORS"), ("a//b", {"text": "a"}, "INVALID_PREFIX"),
    ):  # fmt: skip
        with pytest.raises(OceanError) as caught:
            await search(sea, alice, prefix=prefix, **asked)
        assert caught.value.code == code


async def test_what_changes_is_found_as_it_is(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, 'save w @a text: "first words"; save w text: "an event"; save w @gone text: "short lived" keep 1')
    assert await found(sea, alice, "w", "first") == ["a"]
    await save(sea, alice, 'update w @a text: "second words"')
    assert await found(sea, alice, "w", "first") == []
    assert await found(sea, alice, "w", "second") == ["a"]
    assert await found(sea, alice, "w", "event") == [None]
    await save(sea, alice, "find w where key missing then remove; remove w @a")
    assert await found(sea, alice, "w", "event second", where=parse("find w where text exists")[0].args["where"]) == []
    await save(sea, alice, 'save w @a text: "third"')
    assert await found(sea, alice, "w", "third") == ["a"]
    await save(sea, alice, "save v @a vector: (1, 0); save v @b vector: (0, 1); update v @a vector: (0, -1)")
    answer = plain(await search(sea, alice, prefix="v", vector=[1, 0], wait=True))
    assert (answer["searched"], {result["key"]: result["score"] for result in answer["results"]}) == (2, {"a": 0, "b": 0})
    await save(sea, alice, "remove v @a")
    assert await found(sea, alice, "v", vector=[0, -1]) == ["b"]


async def test_a_filter_is_as_in_find(sea: Ocean, alice: Caller) -> None:
    ops = [
        {"route": "f", "key": f"k{i:03}", "payload": {"text": "same words", "n": i, "kind": "even" if i % 2 == 0 else "odd"}}
        for i in range(300)
    ]
    await records.bulk(sea, alice, ops=ops)
    answer = plain(await execute(sea, alice, parse('search f "words" where n < 10 and kind = "odd" top 50 wait')))
    assert {result["key"] for result in answer["results"]} == {f"k00{i}" for i in (1, 3, 5, 7, 9)}
    assert answer["searched"] == 5
    for mode in ("vector", "hybrid"):
        answer = plain(await search(sea, alice, prefix="f", text="words", mode=mode, where=parse("find f where n >= 297")[0].args["where"]))
        assert {result["key"] for result in answer["results"]} == {"k297", "k298", "k299"}


async def test_what_may_not_be_read_is_neither_found_nor_counted(sea: Ocean, alice: Caller, bob: Caller) -> None:
    await save(
        sea,
        alice,
        'save open @a text: "treasure map"; save open/closed @b text: "treasure chest"; save open/closed @c text: "treasure treasure"',
    )
    await save(sea, alice, f"share open/closed with @{alice.key} mode shared")
    await save(sea, alice, 'save open @priced text: "treasure for sale" price 5')
    await save(sea, alice, 'save inbox @x text: "treasure of hers"')
    await save(sea, alice, f"share inbox with @{alice.key} mode writeonly")
    for mode in ("text", "vector", "hybrid"):
        mine = plain(await search(sea, alice, prefix="open", text="treasure", mode=mode, wait=True))
        theirs = plain(await search(sea, bob, prefix="open", text="treasure", mode=mode, wait=True))
        assert ({r["key"] for r in mine["results"]}, mine["searched"]) == ({"a", "b", "c", "priced"}, 4)
        assert ({r["key"] for r in theirs["results"]}, theirs["searched"]) == ({"a"}, 1)
        with pytest.raises(OceanError) as caught:
            await search(sea, bob, prefix="open/closed", text="treasure", mode=mode)
        assert caught.value.code == "FORBIDDEN"
    before = plain(await search(sea, bob, prefix="open", text="treasure map", wait=True))["results"]
    await records.bulk(
        sea, alice, ops=[{"route": "open/closed", "key": f"more{i}", "payload": {"text": "map treasure"}} for i in range(50)]
    )
    after = plain(await search(sea, bob, prefix="open", text="treasure map", wait=True))["results"]
    # How rare a word is is told by what bob may see; only how long a text is on average is told by all.
    assert [r["score"] for r in after] == pytest.approx([r["score"] for r in before], rel=0.02)


async def test_who_only_writes_finds_their_own(sea: Ocean, alice: Caller, bob: Caller) -> None:
    await save(sea, alice, 'save _box @a text: "lantern of alice"')
    await save(sea, alice, 'save _memory @a text: "lantern of alice"')
    await save(sea, bob, 'save _memory @b text: "lantern of bob"')
    for mode in ("text", "vector", "hybrid"):
        assert await found(sea, bob, "_memory", "lantern", mode=mode) == ["b"]
    assert await found(sea, bob, "_box", "lantern") == ["a"]


async def test_languages_have_their_stems(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, 'save l @de lang: "de" text: "Die Häuser am Fluss"; save l @fr lang: "fr" text: "les chevaux mangeaient"')
    assert await found(sea, alice, "l", "haus", language="de") == ["de"]
    assert await found(sea, alice, "l", "manger", language="fr") == ["fr"]


async def test_the_index_is_made_again_where_it_is_damaged_or_gone(ocean: Ocean, alice: Caller) -> None:
    folder = ocean.data / indexing_.FOLDER
    async with indexed(ocean):
        await save(ocean, alice, TEXTS)
        assert await found(ocean, alice, "docs", "submarine") == ["list"]
    for spoil in (
        lambda: shutil.rmtree(folder),
        lambda: [path.write_bytes(b"nonsense") for path in (folder / "words").glob("meta.json")],
        lambda: [_halve(path) for path in (folder / "words").iterdir() if path.suffix in (".idx", ".term", ".fast")],
        lambda: (folder / "vectors" / "vectors.db").write_bytes(b"nonsense" * 1000),
        lambda: (folder / "format").write_text("0"),
    ):  # fmt: skip
        spoil()
        async with indexed(ocean):
            assert await _in_time(ocean, alice) == ["list"]
            assert (await found(ocean, alice, "docs", "noodles", mode="vector"))[0] == "pasta"


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


async def _in_time(ocean: Ocean, who: Caller) -> list[Any]:
    """What is found once the index is whole again: it may say SERVER_BUSY meanwhile."""
    for _ in range(5):
        try:
            return await found(ocean, who, "docs", "submarine")
        except OceanError as fault:
            if fault.code != "SERVER_BUSY":
                raise
    raise AssertionError("the index did not heal")


async def test_an_index_that_was_closed_goes_on_from_where_it_stood(ocean: Ocean, alice: Caller) -> None:
    async with indexed(ocean):
        await save(ocean, alice, TEXTS)
        await ocean.indexing.written()
    await save(ocean, alice, 'save docs @late text: "written while nobody looked"; remove docs @pasta')
    async with indexed(ocean):
        assert ocean.indexing.index.position > 0
        assert await found(ocean, alice, "docs", "nobody") == ["late"]
        assert await found(ocean, alice, "docs", "spaghetti") == []


@pytest.mark.parametrize(
    "markup", ["<p>a <![foo[ bar]]>", "<p>x</p>" + "<a " * 33_000, "<!--" * 25_000, "<p>x</p>" + "<a x='" * 10_000, "<script>" * 9_000]
)
def test_markup_is_read_in_one_walk_however_broken(markup: str) -> None:
    """One such record once stopped the index for good, or held whoever met it for minutes."""
    begun = time.monotonic()
    texts_of({"title": markup, "text": [markup, markup]})
    assert time.monotonic() - begun < 2


def test_markup_is_left_out_and_text_is_not() -> None:
    assert plain_text("<STYLE>x</STYLE><p>Caf&eacute; <b>au</b> lait</p><!-- no --><script src=x>y</script >z") == "Café au lait z"
    assert plain_text("a < b and c > d") == "a < b and c > d"
    assert plain_text("<p>1 < 2</p>") == "1 < 2"


async def test_a_record_that_can_not_be_read_stops_nobody(sea: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(body: Any) -> str:
        if "poison" in str(body):
            raise RuntimeError
        return "en"

    monkeypatch.setattr(indexing_, "language_of", broken)
    await save(sea, alice, 'save p @a text: "poison"; save p @b text: "wholesome"')
    assert await found(sea, alice, "p", "wholesome") == ["b"]


async def test_a_search_that_meets_damage_leaves_the_healing_to_the_follower(sea: Ocean, alice: Caller) -> None:
    """Healing beside the follower once left an index that was empty and said that it was whole."""
    for i in range(5):
        await save(sea, alice, f'save d @k{i} text: "common number{i}"')
        sea.indexing.distrust()
        with contextlib.suppress(OceanError):  # it is being made anew, or was a moment ago and is behind
            await search(sea, alice, prefix="d", text="common")
    assert len(await found(sea, alice, "d", "common")) == 5


async def test_the_best_hits_are_given_where_all_are_too_large(sea: Ocean, alice: Caller) -> None:
    """Hits were once cut by their places in the log, not by their scores."""
    filler = "filler " * 140_000
    ops = [{"route": "l", "key": f"k{i:02}", "payload": {"text": "needle" + " needle" * (i == 19), "big": filler}} for i in range(20)]
    for op in ops:
        await records.bulk(sea, alice, ops=[op])
    assert (await found(sea, alice, "l", "needle", top_k=3))[0] == "k19"
    with pytest.raises(OceanError) as caught:
        await search(sea, alice, prefix="l", text="needle", top_k=20, wait=True)
    assert caught.value.code == "LIMIT_REACHED"


async def test_texts_without_spaces_are_found_by_their_signs(sea: Ocean, alice: Caller) -> None:
    """A sentence was one word, which nobody asks for."""
    await save(
        sea,
        alice,
        'save east @ja text: "日本語のテキスト検索" lang: "ja"\n'
        'save east @zh text: "今天的天气很好, weather"; save east @ko text: "서울의 봄"',
    )
    for asked, key in (("日本", "ja"), ("テキスト", "ja"), ("天气", "zh"), ("weather", "zh"), ("서울", "ko"), ("春", None), ("気天", None)):
        answer = await search(sea, alice, prefix="east", text=asked, wait=True)
        assert [hit["key"] for hit in answer["results"]] == ([key] if key else []), asked
    answer = plain(await search(sea, alice, prefix="east", text="テキスト", wait=True))
    assert "日本語の<mark>テキスト</mark>検索" in answer["results"][0]["snippet"]


async def test_a_word_as_it_stands_is_found_whatever_the_language(sea: Ocean, alice: Caller) -> None:
    for key, text, lang in (("de", "Die Häuser stehen am Fluss", "de"), ("none", "Die Häuser stehen", None), ("en", "Hauser GmbH", "en")):
        await records.save(sea, alice, route="lg", key=key, payload={"text": text, **({"lang": lang} if lang else {})})
    for asked in ({}, {"language": "de"}):
        found = (await search(sea, alice, prefix="lg", text="Häuser", wait=True, **asked))["results"]
        assert {one["key"] for one in found} == {"de", "none", "en"}
        assert all("<mark>H" in one["snippet"] for one in found)


async def test_what_a_typo_found_is_marked(sea: Ocean, alice: Caller) -> None:
    for key, text in (("ascii", "The invoice of a mountain hut in Oslo"), ("beyond", "Über die invoice of a mountain, Oslo")):
        await records.save(sea, alice, route="typo", key=key, payload={"text": text})
    for typed, word in (("invoise", "invoice"), ("oslo mountian", "mountain"), ("invocie", "invoice")):
        results = (await search(sea, alice, prefix="typo", text=typed, wait=True))["results"]
        assert len(results) == 2
        assert all(f"<mark>{word}</mark>" in found_["snippet"] for found_ in results)


def test_a_text_of_many_wanted_words_is_marked_in_one_walk() -> None:
    text = " ".join(f"aa{a}{b}" for a in string.ascii_letters for b in string.ascii_letters)[:20_000]
    begun, all_begin = time.process_time(), Marker(Sought(), ("aa",))
    for _ in range(5):
        assert "<mark>aa" in (all_begin.snippet(text, "en") or "")
    alike = Marker(Sought(like={f"aabb{letter}cc": 2 for letter in string.ascii_lowercase}), ())
    for number in range(5):
        alike.snippet(" ".join(f"aabb{number}{a}{b}" for a in string.ascii_letters for b in string.ascii_letters), "en")
    assert time.process_time() - begun < 1


def test_stems_are_kept_for_so_many_words_whatever_languages_are_named() -> None:
    marker = Marker(Sought({"nothing"}), ())
    for number in range(60):
        words_there = " ".join(f"n{number}x{other}" for other in range(2_000))
        marker.snippet(words_there, f"q{number % 10}")
    kept = snippets_._stems_of("")
    assert len(kept.of) < 20_000
    assert snippets_._stems_of.cache_info().currsize < len(STEMMED) + 2


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.integers(0, 2))
def test_words_are_near_as_all_ways_of_changing_them_have_it(word: str, other: str, most: int) -> None:
    reached = {word}
    for _ in range(most):
        reached |= {changed for one in reached for changed in _changed(one)}
    assert near(word, other, 1) == (other in {word, *_changed(word)})
    assert near(word, other, most) <= (other in reached)  # the same letters are not changed twice


def _changed(word: str) -> set[str]:
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    less = {a + b[1:] for a, b in cuts if b}
    turned = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    others = {a + letter + b[1:] for a, b in cuts if b for letter in "abc"}
    return less | turned | others | {a + letter + b for a, b in cuts for letter in "abc"}


async def test_scripts_without_spaces_are_found_by_a_part(sea: Ocean, alice: Caller) -> None:
    for key, text in (("th", "สวัสดีครับทุกคน"), ("ja", "こんにちは世界"), ("km", "សួស្តីពិភពលោក")):
        await records.save(sea, alice, route="signs", key=key, payload={"text": text})
    for key, text in (("th", "สวัสดี"), ("ja", "世界"), ("km", "ពិភពលោក")):
        assert [one["key"] for one in (await search(sea, alice, prefix="signs", text=text, wait=True))["results"]] == [key]


async def test_what_only_looks_like_markup_is_text(sea: Ocean, alice: Caller) -> None:
    text = (
        "Use List<String> and vector<int> v; write to <ann@example.com> about a<b. <b>bold</b> <script>hidden()</script> <?php gone ?> end"
    )
    await records.save(sea, alice, route="txt", key="t", payload={"text": text})
    for word in ("String", "int", "ann@example.com", "bold", "end"):
        assert (await search(sea, alice, prefix="txt", text=f'"{word}"', wait=True))["count"] == 1, word
    for word in ("hidden", "script", "gone"):
        assert (await search(sea, alice, prefix="txt", text=f'"{word}"', wait=True))["count"] == 0, word


async def test_a_language_is_a_code_or_a_name_and_nothing_else(sea: Ocean, alice: Caller) -> None:
    await save(sea, alice, 'save lang @de title: "Die H\u00e4user" lang: "de"')
    for language in ("de", "de-AT", "German"):
        assert (await search(sea, alice, prefix="lang", text="Haus", language=language, wait=True))["count"] == 1
    with pytest.raises(OceanError, match="is no language"):
        await search(sea, alice, prefix="lang", text="Haus", language="klingon")


async def test_a_broken_mark_of_the_index_stops_no_start(ocean: Ocean, alice: Caller) -> None:
    """Bytes that are no text made the process end, and start again, for ever."""
    async with indexed(ocean):
        await save(ocean, alice, 'save docs @a text: "harbour"')
    (ocean.data / "index" / "format").write_bytes(bytes(range(256)))
    async with indexed(ocean):
        assert (await search(ocean, alice, prefix="docs", text="harbour", wait=True))["count"] == 1


def test_what_lies_apart_from_a_mass_of_like_vectors_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph alone found less than half of it, however far it looked; now all are compared by the first half of their numbers, too."""
    monkeypatch.setattr(vectors_, "EXACT", 500)
    monkeypatch.setattr(vectors_, "AGAIN", 50)
    chance = np.random.default_rng(3)
    mass = chance.normal(size=(1, 256)) + 0.05 * chance.normal(size=(4000, 256))
    apart = chance.normal(size=(20, 1, 256)) + 0.05 * chance.normal(size=(20, 12, 256))
    points = normalised(np.concatenate([mass, apart.reshape(-1, 256)]).astype(np.float32))
    index = vectors_.VectorIndex(tmp_path)
    index.apply([(Entry(str(i), i + 1, "v", "o", False, None, "", "", "en"), point) for i, point in enumerate(points)], [], 1)
    while index.settle():
        pass
    for scope in (Scope("v", (), None, False, now(), None), Scope("v", (), None, False, now(), list(range(2001, 4241)))):
        for group in range(20):
            query = points[4000 + group * 12]
            hits, _ = index.search(0, query, scope, 12)
            assert {hit.seq for hit in hits} == {4001 + group * 12 + i for i in range(12)}
    index.close()


async def test_facets_count_what_was_found_and_may_be_seen(sea: Ocean, alice: Caller, bob: Caller) -> None:
    ops = [
        {"route": "shop", "key": f"k{n}", "payload": {"text": "green tea" if n % 2 else "black tea", "kind": f"kind{n % 3}", "n": n}}
        for n in range(60)
    ]
    await records.bulk(sea, alice, ops=[*ops, {"route": "shop", "key": "none", "payload": {"text": "green"}}])
    await save(sea, alice, 'save shop/closed @x text: "green" kind: "hidden"; save shop @priced text: "green" kind: "dear" price 5')
    await save(sea, alice, f"share shop/closed with @{alice.key} mode shared")
    answer = plain(await search(sea, bob, prefix="shop", text="green", top_k=3, facets=["kind", "nothing"], wait=True))
    assert len(answer["results"]) == 3
    assert answer["facets"]["nothing"] == []
    assert sorted((one["value"], one["count"]) for one in answer["facets"]["kind"]) == [("kind0", 10), ("kind1", 10), ("kind2", 10)]
    mine = plain(await search(sea, alice, prefix="shop", text="green", facets=["kind"], wait=True))["facets"]["kind"]
    assert {(one["value"], one["count"]) for one in mine} > {("hidden", 1), ("dear", 1)}
    near = plain(await search(sea, bob, prefix="shop", text="green", mode="vector", top_k=5, facets=["kind"], wait=True))
    assert sum(one["count"] for one in near["facets"]["kind"]) <= 16
    told = await execute(sea, bob, parse('search shop "tea" where n < 6 facets kind'))
    assert [one["count"] for one in told["facets"]["kind"]] == [2, 2, 2]
    for wrong in ([], ["a"] * 11, [5]):
        with pytest.raises(OceanError) as caught:
            await search(sea, bob, prefix="shop", text="green", facets=wrong)  # type: ignore[arg-type]
        assert caught.value.code == "INVALID_VALUE"


@pytest.mark.parametrize("language", sorted(set(STEMMED)))
def test_a_word_begins_as_its_stem_does_or_with_what_a_stemmer_takes_away(language: str) -> None:
    """What snippets leave unlooked at: words that begin otherwise than what is looked for."""
    chance = random.Random(7)
    ends = ["", "ing", "ed", "ies", "ly", "ness", "sses", "ische", "heit", "lar", "ler", "mente", "ation", "ying", "t", "d"]
    made = ["".join(chance.choices(string.ascii_letters, k=chance.randrange(1, 6))) + chance.choice(ends) for _ in range(3000)]
    for word in [*made, "generalized", "german", "gekocht", "dying", "skies", "ugly"]:
        for stem in stems(language).analyze(word):
            assert word[0].lower() in (stem[0], snippets_._TAKEN), (word, stem)
    marker = Marker(Sought(set(stems(language).analyze("gekocht"))), ())
    assert marker.snippet("Er heeft gekocht.", language) == "Er heeft <mark>gekocht</mark>."
