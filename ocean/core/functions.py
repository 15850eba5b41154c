"""Functions: a folder's record `main` is the code, its record `_config` says who else may run it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ocean.core import money
from ocean.core.access import PERMISSIONS, Rules, Scoped, owners, private_owner
from ocean.core.changes import Op
from ocean.core.drop import Drop
from ocean.core.payloads import loads, structured
from ocean.core.routes import ancestors, check_route, covers
from ocean.errors import OceanError

CODE, CONFIG = "main", "_config"
MAX_CODE = 256 * 1024  # characters
MAX_SCOPES = 20
_EXECUTE = ("public", "private")
_OURS = frozenset(("execute", "scopes", "price"))  # fields of a `_config` that are about functions


@dataclass(frozen=True, slots=True)
class Function:
    """`author` wrote the code as it is now, and is who it acts for where it is `public`; `price` in hundredths of an io. `fault`: why it
    can't be run, for its author; to others it is a private one."""

    route: str
    author: str
    code: str
    drop_id: str
    public: bool = False
    scopes: tuple[str, ...] = ()
    price: int = 0
    fault: str = ""

    def is_of(self, key: str | None) -> bool:
        """Whether a key is its author's own: with a scoped one its author is a stranger, who is told no more."""
        return key == self.author and not isinstance(key, Scoped)


def function_of(main: Drop, config: Drop | None) -> Function:
    """The function of two live records. A `_config` of anyone but who wrote the code counts for nothing: neither can be slipped under the
    other. Counters count for nothing too: whoever may write to the folder can move them."""
    code = loads(main.payload or "null")
    found = Function(main.route, main.source, "", main.drop_id)
    if not isinstance(code, str):
        return replace(found, fault=f"The record {main.route!r} @{CODE} is no text: a function's code is one.")
    if len(code) > MAX_CODE:
        return replace(found, fault=f"The code in {main.route!r} has more than {MAX_CODE // 1024} K characters.")
    found = replace(found, code=code)
    said = loads(config.payload or "null") if config is not None and config.source == main.source else None
    if not isinstance(said, dict):
        return found
    try:
        execute, scopes, price = settings_of(main.route, said)
    except OceanError as fault:
        return replace(found, fault=fault.message)
    return replace(found, public=execute == "public", scopes=scopes, price=price)


def settings_of(route: str, said: Mapping[str, Any]) -> tuple[str, tuple[str, ...], int]:
    """`(execute, scopes, price)` of what a `_config` says, or changes of it. Raises INVALID_VALUE, INVALID_ROUTE."""
    where = f"The record {route!r} @{CONFIG}"
    execute = said.get("execute") or "private"
    if execute not in _EXECUTE:
        raise OceanError("INVALID_VALUE", f"{where}: 'execute' is one of {', '.join(_EXECUTE)}.")
    scopes = said.get("scopes") or []
    if not isinstance(scopes, list) or len(scopes) > MAX_SCOPES or not all(isinstance(one, str) for one in scopes):
        hint = 'scopes: ("myapp/users")'
        raise OceanError("INVALID_VALUE", f"{where}: 'scopes' is a list of at most {MAX_SCOPES} folders.", hint)
    price = said.get("price") or 0
    return execute, tuple(check_route(one) for one in scopes), money.price_of(price) if price != 0 else 0


def lent(caller: str, author: str, scopes: Sequence[str], rules: Mapping[str, Rules]) -> Scoped | None:
    """Who a public function acts as with `ocean.user`: its caller, in those of the declared folders that are its author's own.

    A folder that is the caller's, or of somebody else who lets the caller in, is not lent by naming it: whoever calls a function has not
    said that it may go there. `rules` holds those of each scope.
    """
    open_ = [scope for scope in scopes if is_lent(scope, author, rules[scope])]
    if not isinstance(caller, Scoped):
        return Scoped.of(caller, f"run {author}", open_, PERMISSIONS, None) if open_ else None
    pairs = [(ours, theirs) for ours in open_ for theirs in caller.routes]
    within = [ours if covers(theirs, ours) else theirs for ours, theirs in pairs if covers(theirs, ours) or covers(ours, theirs)]
    return Scoped.of(str(caller), f"run {caller.id}", within, sorted(caller.permissions), caller.expires_at) if within else None


def is_lent(scope: str, author: str, rules: Rules) -> bool:
    """Whether a declared folder is the author's own: what is in force of `scopes`."""
    return private_owner(scope) is None and owners(ancestors(scope), rules)[-1] == author


def check(op: Op, who: str) -> None:
    """A write that says what a function is. Raises INVALID_VALUE where a `_config` could not be read.

    What a scoped key saves is never code, nor what opens a function to others: either would act with all that the key itself may. Raises
    FORBIDDEN.
    """
    if op.key not in (CODE, CONFIG):
        return
    text = (op.payload or "").lstrip()
    said = loads(structured(text)) if op.key == CONFIG and op.kind == "save" else op.changes  # a text that is an object may come to be one
    ours = op.key == CONFIG and isinstance(said, dict) and bool(said.keys() & _OURS)
    if ours:
        settings_of(op.route, said)
    if isinstance(who, Scoped) and (ours or (op.key == CODE and op.kind == "save" and text.startswith('"'))):
        raise OceanError(
            "FORBIDDEN", f"A scoped key saves no functions: {op.route!r} @{op.key} would act with all that its maker may.",
            "Use the key that made it, or another key for the record.",
        )  # fmt: skip
