"""Money, decided purely: amounts, fees, transfers, values, orders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.core import money, topups, values
from ocean.core.money import FEES, IO, ISSUE, MOST, Transfer, settled
from ocean.core.topups import News, Order
from ocean.core.values import Value
from ocean.errors import OceanError

BAD: list[Any] = [0, -1, 1.0, 1.5, "1", True, False, None, [], {}, 2**53, -(2**63), float("inf"), float("nan"), "1e3", 10**30]
GOLD = Value("gold", "Gold", "GLD", "me", "public", None, 0, 0)
ORDER = Order("o", "me", 10_000, 100, "usd", 0, "", "", None, 0, 0, 0)


def code(work: Any) -> str:
    with pytest.raises(OceanError) as caught:
        work()
    return caught.value.code


@pytest.mark.parametrize("amount", BAD, ids=repr)
def test_what_is_no_whole_number_above_nothing_is_no_amount(amount: Any) -> None:
    assert code(lambda: money.whole_io(amount)) == "INVALID_VALUE"
    assert code(lambda: money.whole(amount, "gold")) == "INVALID_VALUE"


@pytest.mark.parametrize(("price", "hundredths"), [(5, 500), (0.01, 1), (9.99, 999), (10**10, 10**12)])
def test_a_price_is_kept_in_hundredths(price: float, hundredths: int) -> None:
    assert money.price_of(price) == hundredths


@pytest.mark.parametrize("price", [0, -1, 0.001, True, "5", None, float("inf"), float("nan"), 10**11])
def test_what_is_no_price(price: Any) -> None:
    assert code(lambda: money.price_of(price)) == "INVALID_VALUE"


def test_a_hundredth_of_a_whole_number_is_exact_and_the_rest_is_rounded_to_the_sellers_side() -> None:
    assert [money.io_fee(amount * 100, 100) for amount in (1, 5, 100)] == [1, 5, 100]
    assert money.io_fee(1, 100) == 0
    assert money.io_fee(555, 100) == 5


def test_the_fee_of_a_value_is_a_thousandth_rounded_up() -> None:
    assert [money.value_fee(amount, 1) for amount in (1, 100, 1000, 1001)] == [1, 1, 1, 2]
    assert money.value_fee(5, 0) == 0


@given(
    st.integers(1, 10**9), st.integers(0, 10**9), st.sampled_from(["a", "b", FEES, ISSUE]), st.sampled_from(["a", "b", FEES]),
    st.sampled_from(["a", "b", FEES]), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9),
)  # fmt: skip
def test_a_transfer_makes_and_loses_nothing(
    amount: int, fee: int, payer: str, payee: str, collector: str, a: int, b: int, fees: int
) -> None:  # fmt: skip
    before = {"a": a, "b": b, FEES: fees, ISSUE: -(a + b + fees)}
    transfer = Transfer("transfer", IO, payer, payee, amount, fee, collector)
    assert sum(transfer.postings().values()) == 0
    try:
        after = {**before, **settled(transfer, before)}
    except OceanError:
        return
    assert sum(after.values()) == 0
    assert all(amount >= 0 for holder, amount in after.items() if holder != ISSUE)


def test_what_a_transfer_is_refused_for() -> None:
    there = {"a": 10, "b": MOST, FEES: 0}
    assert code(lambda: settled(Transfer("t", IO, "a", "b", 11), there)) == "RATE_LIMITED"
    assert code(lambda: settled(Transfer("t", "gold", "a", "b", 11), there)) == "INSUFFICIENT_BALANCE"
    assert code(lambda: settled(Transfer("t", IO, "a", "a", 1), there)) == "INVALID_VALUE"
    assert code(lambda: settled(Transfer("t", IO, "a", "b", 0), there)) == "INVALID_VALUE"
    assert code(lambda: settled(Transfer("t", IO, "a", "b", 5, 6), there)) == "INVALID_VALUE"
    assert code(lambda: settled(Transfer("t", IO, "a", "b", 1), there)) == "INVALID_VALUE"  # it holds as much as may be


def test_what_goes_to_who_takes_the_fee_is_one_posting() -> None:
    transfer = Transfer("t", IO, "a", FEES, 100, 1)
    assert transfer.postings() == {"a": -100, FEES: 100}
    assert settled(transfer, {"a": 100, FEES: 0}) == {"a": 0, FEES: 100}


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("id", "Gold!", "INVALID_VALUE"), ("id", "", "INVALID_VALUE"), ("id", "io", "CONFLICT"), ("symbol", "IO", "CONFLICT"),
        ("symbol", "gld", "INVALID_VALUE"), ("name", " ", "INVALID_VALUE"), ("name", "a\nb", "INVALID_VALUE"),
        ("scope", "secret", "INVALID_VALUE"), ("decimals", 19, "INVALID_VALUE"), ("decimals", -1, "INVALID_VALUE"),
        ("max_supply", 0, "INVALID_VALUE"), ("max_supply", 2**53, "INVALID_VALUE"),
    ],
)  # fmt: skip
def test_what_a_value_may_not_be(field: str, value: Any, wanted: str) -> None:
    assert code(lambda: values.check(replace(GOLD, **{field: value}))) == wanted
    assert values.check(GOLD) == GOLD


def test_who_mints_how_much() -> None:
    values.check_minter(GOLD, "me", 5, 0)
    assert code(lambda: values.check_minter(GOLD, "you", 5, 0)) == "FORBIDDEN"
    assert code(lambda: values.check_minter(replace(GOLD, max_supply=10), "me", 6, 5)) == "LIMIT_REACHED"
    assert code(lambda: values.check_minter(GOLD, "me", 1, MOST)) == "LIMIT_REACHED"


def test_who_is_sent_a_private_value() -> None:
    private = replace(GOLD, scope="private")
    values.check_receiver(GOLD, "you", False)
    values.check_receiver(private, "me", False)
    values.check_receiver(private, "you", True)
    assert code(lambda: values.check_receiver(private, "you", False)) == "FORBIDDEN"
    assert values.is_name("recipientKey")
    assert not values.is_name("a b")


def event(kind: str, **thing: Any) -> dict[str, Any]:
    return {"id": "evt_1", "type": kind, "data": {"object": {"currency": "usd", "metadata": {"order": "o"}, **thing}}}


@pytest.mark.parametrize(
    ("told", "news"),
    [
        (
            event("checkout.session.completed", payment_status="paid", amount_total=100, payment_intent="pi"),
            News("o", "pi", "usd", paid=100),
        ),
        (event("checkout.session.completed", payment_status="unpaid", amount_total=100), None),
        (event("payment_intent.succeeded", id="pi", amount_received=100), News("o", "pi", "usd", paid=100)),
        (event("payment_intent.succeeded", id="pi", amount_received="100"), News("o", "pi", "usd", paid=-1)),
        (event("charge.refunded", payment_intent="pi", amount_refunded=40), News("o", "pi", "usd", refunded=40)),
        (event("charge.refunded", payment_intent=None, metadata=None, amount_refunded=True), News("", "", "usd", refunded=-1)),
        (event("charge.dispute.funds_withdrawn", payment_intent="pi", metadata={}, amount=100), News("", "pi", "usd", refunded=100)),
        (event("customer.created"), None),
        ({"type": "x"}, None),
        ({"type": "x", "data": {"object": []}}, None),
    ],
)  # fmt: skip
def test_what_an_event_says(told: dict[str, Any], news: News | None) -> None:
    assert topups.news_of(told) == news


def test_an_order_is_paid_once_and_refunded_more_and_more_in_whatever_order() -> None:
    paid, part, whole = News("o", "pi", "usd", paid=100), News("o", "pi", "usd", refunded=40), News("o", "pi", "usd", refunded=100)
    for told in ([paid, part, whole], [whole, part, paid], [part, paid, whole, paid, part]):
        order = ORDER
        for news in told:
            order = topups.after(order, news, 7) or order
        assert (order.paid_at, order.refunded, order.intent, order.due) == (7, 100, "pi", 0)
    assert topups.after(ORDER, part, 7) == replace(ORDER, refunded=40, intent="pi")
    done = topups.after(replace(ORDER, refunded=40), paid, 7)
    assert done is not None
    assert done.due == 6000
    assert ORDER.due == 0


@pytest.mark.parametrize(
    "news",
    [
        News("o", "pi", "eur", paid=100), News("o", "pi", "usd", paid=99), News("o", "pi", "usd", paid=-1), News("o", "pi", "usd"),
        News("o", "pi", "usd", refunded=101), News("o", "pi", "usd", refunded=-1), News("o", "other", "usd", paid=100),
    ],
)  # fmt: skip
def test_news_that_do_not_fit_an_order_change_nothing(news: News) -> None:
    assert topups.after(replace(ORDER, intent="pi"), news, 7) is None


@pytest.mark.parametrize(("text", "hundredths"), [("0", 0), ("5", 500), ("0.25", 25), ("1.5", 150), ("999999999.99", 99_999_999_999)])
def test_a_number_of_io_that_is_written_out(text: str, hundredths: int) -> None:
    assert money.read_io(text) == hundredths


@pytest.mark.parametrize("text", ["", "-1", "1e9", "x", "0.001", "1.", ".5", "9" * 30, "٣", " 1"])
def test_what_is_no_number_of_io(text: str) -> None:
    assert code(lambda: money.read_io(text)) == "INVALID_VALUE"
