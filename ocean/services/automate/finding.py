"""Functions as they are found: which code, whose, whether this caller may run it, and as whom it acts then."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core.functions import CODE, CONFIG, Function, function_of, is_lent, lent
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.access.reading import may_see
from ocean.store.reader import now

_HOW = 'Save one: save {} @main "def main(ocean, request): return request"'


@dataclass(frozen=True, slots=True)
class Sides:
    """Who a function acts as with `ocean`, and with `ocean.user`: None where nobody called with a key, or nothing is lent."""

    own: Caller
    user: Caller | None


async def function_at(ocean: Ocean, route: str) -> Function | None:
    """The function of a folder, whoever may run it."""
    main = await ocean.reader.entity(route, CODE)
    if main is None or not main.live(now()):
        return None
    config = await ocean.reader.entity(route, CONFIG)
    return function_of(main, config if config is not None and config.live(now()) else None)


async def runnable(ocean: Ocean, caller: Caller, route: str) -> Function:
    """The function of a folder that the caller may run: its author, or anyone where it is public.

    Raises NOT_FOUND; FORBIDDEN, KEY_REQUIRED where the caller may read the code, so that its being there is no secret; FUNCTION_ERROR
    where its author can't run it as it is.
    """
    route = check_route(route)
    function = await function_at(ocean, route)
    missing = OceanError("NOT_FOUND", f"There is no function {route!r}.", _HOW.format(route))
    if function is None:
        raise missing
    if function.public:
        return function
    rules = await ocean.reader.rules(route)
    if caller.key == function.author and access.decide(route, caller.key, "entity", rules) != "deny":
        if function.fault:
            raise OceanError("FUNCTION_ERROR", function.fault, _HOW.format(route))
        return function
    main = await ocean.reader.entity(route, CODE)
    if main is None or not may_see(caller, main, "entity", rules):
        raise missing
    caller.writer(f"The function {route!r} is its author's.", f'Send the author\'s key, or: save {route} @{CONFIG} execute: "public"')
    hint = f'Its author can let everyone run it, with the author\'s access: save {route} @{CONFIG} execute: "public"'
    raise OceanError("FORBIDDEN", f"The function {route!r} is another's: its code would act with your key.", hint)


async def sides(ocean: Ocean, caller: Caller, function: Function) -> Sides:
    """A private one acts as its caller. A public one acts as its author, and with `ocean.user` as its caller in the folders that it
    declares: for its author too, so that what works for one works for all."""
    own = replace(caller, idempotency=None, made=None)
    if not function.public:
        return Sides(own, own)
    author = Caller(function.author)
    if caller.key is None:
        return Sides(author, None)
    rules = {scope: await ocean.reader.rules(scope) for scope in function.scopes}
    key = lent(caller.key, function.author, function.scopes, rules)
    return Sides(author, Caller(key, caller.ip) if key is not None else None)


async def not_lent(ocean: Ocean, function: Function) -> list[str]:
    """The declared folders that are not the author's own: nothing is lent of them."""
    return [scope for scope in function.scopes if not is_lent(scope, function.author, await ocean.reader.rules(scope))]
