"""Functions: a folder's record `main` is the code, its record `_config` says who else may run it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocean.core import money
from ocean.core.access import PERMISSIONS, Rules, Scoped, owners, private_owner
from ocean.core.changes import Op
from ocean.core.drop import Drop
from ocean.core.payloads import loads
from ocean.core.routes import ancestors, check_route, covers
from ocean.errors import OceanError

CODE, CONFIG = "main", "_config"
MAX_CODE = 256 * 1024  # characters
MAX_SCOPES = 20
_EXECUTE = ("public", "private")


@dataclass(frozen=True, slots=True)
class Function:
    """`author` wrote the code as it is now, and is who it acts for where it is `public`; `price` in hundredths of an io."""

    route: str
    author: str
    code: str
    drop_id: str
    configured: bool = False
    public: bool = False
    scopes: tuple[str, ...] = ()
    price: int = 0


def function_of(main: Drop, config: Drop | None) -> Function | None:
    """The function of two live records; None where `main` holds no code. A `_config` of anyone but who wrote the code counts for nothing:
    neither can be slipped under the other. Raises INVALID_VALUE for a `_config` of the author's that can't be read."""
    code = loads(main.payload or "null")
    if not isinstance(code, str) or len(code) > MAX_CODE:
        return None
    found = Function(main.route, main.source, code, main.drop_id)
    if config is None or config.source != main.source:
        return found
    said = loads(config.body())
    return _configured(found, said) if isinstance(said, dict) and said.keys() & {"execute", "scopes", "price"} else found


def _configured(found: Function, said: Mapping[str, Any]) -> Function:
    where = f"The record {found.route!r} @{CONFIG}"
    execute = said.get("execute", "private")
    if execute not in _EXECUTE:
        raise OceanError("INVALID_VALUE", f"{where}: 'execute' is one of {', '.join(_EXECUTE)}.")
    scopes = said.get("scopes", [])
    if not isinstance(scopes, list) or len(scopes) > MAX_SCOPES or not all(isinstance(one, str) for one in scopes):
        raise OceanError("INVALID_VALUE", f"{where}: 'scopes' is a list of at most {MAX_SCOPES} folders.")
    price = said.get("price")
    return Function(
        found.route, found.author, found.code, found.drop_id, True, execute == "public",
        tuple(check_route(one) for one in scopes), money.price_of(price) if price is not None and price != 0 else 0,
    )  # fmt: skip


def lent(caller: str, author: str, scopes: Sequence[str], rules: Mapping[str, Rules]) -> Scoped | None:
    """Who a public function acts as with `ocean.user`: its caller, in those of the declared folders that are its author's own.

    A folder that is the caller's, or of somebody else who lets the caller in, is not lent by naming it: whoever calls a function has not
    said that it may go there. `rules` holds those of each scope.
    """
    open_ = [scope for scope in scopes if private_owner(scope) is None and owners(ancestors(scope), rules[scope])[-1] == author]
    if not isinstance(caller, Scoped):
        return Scoped.of(caller, f"run {author}", open_, PERMISSIONS, None) if open_ else None
    pairs = [(ours, theirs) for ours in open_ for theirs in caller.routes]
    within = [ours if covers(theirs, ours) else theirs for ours, theirs in pairs if covers(theirs, ours) or covers(ours, theirs)]
    return Scoped.of(str(caller), f"run {caller.id}", within, sorted(caller.permissions), caller.expires_at) if within else None


def check_scoped(op: Op) -> None:
    """What a scoped key saves is never code, nor what opens a function to others: either would act with all that the key itself may.
    Raises FORBIDDEN."""
    text = (op.payload or "").lstrip()
    code = op.key == CODE and text.startswith('"')
    opens = op.key == CONFIG and (_names(op.changes) or (text.startswith("{") and _names(loads(text))))
    if code or opens:
        raise OceanError(
            "FORBIDDEN", f"A scoped key saves no functions: {op.route!r} @{op.key} would act with all that its maker may.",
            "Use the key that made it, or another key for the record.",
        )  # fmt: skip


def _names(said: Any) -> bool:
    return isinstance(said, Mapping) and bool(said.keys() & {"execute", "scopes", "price"})
