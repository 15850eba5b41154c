"""Commands of money: io, what it buys, and values."""

from __future__ import annotations

from ocean.commands.command import Arg, Command, Twin
from ocean.services.money import credits, purchases, topups, values

_AMOUNT = Arg("amount", "any", required=True)
_TO = Arg("to", "text", required=True)
_PAGE = (Arg("limit", "integer", "query"), Arg("offset", "integer", "query"))
_CURRENCY = Arg("currency", "text", required=True)
_ASKED = Arg("currency", "text", "query", required=True)
_ID = Arg("id", "text", "path", required=True)
_LIMITS = "[limit LIMIT:integer] [offset OFFSET:integer]"

COMMANDS = (
    Command("io send", ("io send AMOUNT:integer to TO:text",), "Send io to a @handle, an address of mail, a public_id or a key.",
            'io send 100 to "CLIENT_KEY"', credits.send, (Twin("POST", "/io/send", (_TO, _AMOUNT)),),
            answer="ok: true, sent: number, to: person, fee: number, net: number, remaining: number, txn_id: text"),
    Command("ledger", (f"ledger {_LIMITS}",), "What you gave and got, newest first.", "ledger limit 10", credits.lines,
            (Twin("GET", "/ledger", _PAGE),), answer="entries: entry[], count: integer"),
    Command("io topup", (), "Buy io with money: `url` is where it is paid; with `app`, what an app pays with by itself.", "",
            topups.topup, (Twin("POST", "/io/topup", (_AMOUNT, Arg("app", "flag"), Arg("next", "text")), 201),),
            answer="order: text, amount: integer, cost: integer, currency: text, url?: text|null, client_secret?: text|null"),
    Command("io orders", ("io orders",), "What io you began to buy, and what came of it.", "io orders", topups.orders,
            (Twin("GET", "/io/orders", _PAGE),), answer="orders: order[], count: integer"),
    Command("offer", ("offer DROP_ID:text",), "What a priced record costs, what is shown of it, and whether you have it.",
            'offer "drop-id-here"', purchases.offer,
            (Twin("GET", "/purchase/<drop_id>", (Arg("drop_id", "text", "path", required=True),)),), answer="offer"),
    Command("purchase", ("purchase DROP_ID:text",), "Buy a priced record, with all its later versions.", 'purchase "drop-id-here"',
            purchases.purchase, (Twin("POST", "/purchase/<drop_id>", (Arg("drop_id", "text", "path", required=True),)),),
            answer="purchased"),
    Command("purchases", (f"purchases {_LIMITS}",), "What you have bought, newest first.", "purchases", purchases.bought,
            (Twin("GET", "/purchases", _PAGE),), answer="purchases: sale[], count: integer"),
    Command("earnings", (f"earnings {_LIMITS}",), "What your records and functions earned, and each sale, newest first.", "earnings",
            purchases.earnings, (Twin("GET", "/earnings", _PAGE),),
            answer="sales: sale[], sold: integer, reads: integer, runs: integer, gross: number, fees: number, net: number"),
    Command("refund", ("refund ID:text",), "Give a buyer the price of a sale back; the record is priced for them again.",
            'refund "sale-id-here"', purchases.refund, (Twin("POST", "/earnings/<id>/refund", (_ID,)),),
            answer="ok: true, id: text, refunded: number, already?: true"),
    Command(
        "value create",
        ("value create ID:text name NAME:text symbol SYMBOL:text [max_supply MAX_SUPPLY:integer] [decimals DECIMALS:integer] "
         "[scope SCOPE:text]",),
        "Make a value: a currency or a token of your own.",
        'value create "silver" name "Silver" symbol "SLV" max_supply 1000000 decimals 2 scope "private"', values.create,
        (Twin("POST", "/values/create", (
            Arg("id", "text", required=True), Arg("name", "text", required=True), Arg("symbol", "text", required=True),
            Arg("scope", "text"), Arg("max_supply", "integer"), Arg("decimals", "integer")), 201),), answer="new_value"
    ),
    Command("value mint", ("value mint CURRENCY:text AMOUNT:integer [to TO:text]",), "Make more of a value of yours, for you or another.",
            'value mint "gold" 500 to "CLIENT_KEY"', values.mint, (Twin("POST", "/values/mint", (_CURRENCY, _AMOUNT, Arg("to", "text"))),),
            answer="ok: true, currency: text, minted: integer, to: text, supply: integer, warning?: text"),
    Command("value transfer", ("value transfer CURRENCY:text AMOUNT:integer to TO:text",), "Send of a value; the fee is on top.",
            'value transfer "gold" 100 to "CLIENT_KEY"', values.transfer,
            (Twin("POST", "/values/transfer", (_CURRENCY, _AMOUNT, _TO)),),
            answer="ok: true, currency: text, transferred: integer, to: text, fee: integer, paid: integer, balance: integer, txn_id: text, "
                   "warning?: text"),
    Command("value burn", ("value burn CURRENCY:text AMOUNT:integer",), "Take an amount of your own out of the world.",
            'value burn "gold" 50', values.burn, (Twin("POST", "/values/burn", (_CURRENCY, _AMOUNT)),),
            answer="ok: true, currency: text, burned: integer, balance: integer, supply: integer"),
    Command("value balance", ("value balance CURRENCY:text [of HOLDER:text]",), "What you, or somebody, has of a value.",
            'value balance "gold"', values.balance, (Twin("GET", "/values/balance", (_ASKED, Arg("holder", "text", "query"))),),
            answer="currency: text, holder: text, balance: integer, decimals: integer"),
    Command("value supply", ("value supply CURRENCY:text",), "How much there is of a value, and may be.", 'value supply "gold"',
            values.supply, (Twin("GET", "/values/supply", (_ASKED,)),),
            answer="currency: text, supply: integer, max_supply: integer|null"),
    Command("value currencies", ("value currencies [of CREATOR:text]",), "All values, or those that one key made.", "value currencies",
            values.currencies, (Twin("GET", "/values/currencies", (Arg("creator", "text", "query"), *_PAGE)),),
            answer="currencies: value[], count: integer"),
    Command("value", (), "A value, with what there is of it.", "", values.currency, (Twin("GET", "/values/currency/<id>", (_ID,)),),
            answer="supplied_value"),
    Command("value holders", (f"value holders CURRENCY:text {_LIMITS}",), "Who has a value, those with most first.",
            'value holders "gold"', values.holders, (Twin("GET", "/values/holders", (_ASKED, *_PAGE)),),
            answer="currency: text, holders: holding[], count: integer"),
    Command("value ledger", (f"value ledger ID:text {_LIMITS}",), "All that was done with a value, newest first.",
            'value ledger "gold"', values.lines, (Twin("GET", "/values/ledger/<id>", (_ID, *_PAGE)),),
            answer="currency: text, entries: value_line[], count: integer"),
)  # fmt: skip
