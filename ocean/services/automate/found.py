"""Functions as they are found: which code, whose, and whether this caller may run it."""

from __future__ import annotations

from dataclasses import replace

from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core.access import Scoped
from ocean.core.functions import CODE, CONFIG, Function, function_of, lent
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.access.reading import may_see
from ocean.store.reader import now

_HOW = 'save {} @main "def main(ocean, request): return request"'


async def function_at(ocean: Ocean, route: str) -> Function | None:
    """The function of a folder, whoever may run it. Raises INVALID_VALUE where its `_config` can't be read."""
    main = await ocean.reader.entity(route, CODE)
    if main is None or not main.live(now()):
        return None
    config = await ocean.reader.entity(route, CONFIG)
    return function_of(main, config if config is not None and config.live(now()) else None)


async def runnable(ocean: Ocean, caller: Caller, route: str) -> Function:
    """The function of a folder that the caller may run: its author, or anyone where it is public.

    Raises NOT_FOUND; FORBIDDEN, KEY_REQUIRED where the caller may read the code, so that its being there is no secret.
    """
    route = check_route(route)
    function = await function_at(ocean, route)
    missing = OceanError("NOT_FOUND", f"There is no function {route!r}.", f"Save one: {_HOW.format(route)}")
    if function is None:
        raise missing
    if function.public:
        return function
    rules = await ocean.reader.rules(route)
    if caller.key == function.author and access.decide(route, caller.key, "entity", rules) != "deny":
        return function
    main = await ocean.reader.entity(route, CODE)
    if main is None or not may_see(caller, main, "entity", rules):
        raise missing
    caller.writer(f"The function {route!r} is its author's.", f'Send the author\'s key, or: save {route} @{CONFIG} execute: "public"')
    hint = f'Its author can let everyone run it, with the author\'s access: save {route} @{CONFIG} execute: "public"'
    raise OceanError("FORBIDDEN", f"The function {route!r} is another's: its code would act with your key.", hint)


async def sides(ocean: Ocean, caller: Caller, function: Function) -> tuple[Caller, Caller | None]:
    """Who the function acts as: with `ocean`, its author where it is public and else its caller; with `ocean.user` its caller in the
    folders that it declares."""
    own = replace(caller, idempotency=None, made=None)
    if not function.public:
        return own, own
    author = Caller(function.author)
    if caller.key is None:
        return author, None
    if caller.key == function.author and not isinstance(caller.key, Scoped):
        return author, own
    rules = {scope: await ocean.reader.rules(scope) for scope in function.scopes}
    key = lent(caller.key, function.author, function.scopes, rules)
    return author, Caller(key, caller.ip) if key is not None else None
