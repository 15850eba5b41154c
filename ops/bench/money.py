"""Transfers through HTTP: many keys that send to one another, each on disk before it is answered."""

from __future__ import annotations

import asyncio

from ocean import settings
from ocean.context import Ocean
from ocean.core import keys
from ocean.services.money import credits
from ocean.store.ledger import faults
from ops.bench.probes import Wrk
from ops.bench.table import Row
from tests.conftest import Running

PEOPLE = 200
RICH = 10_000_000


def transfers(wrk: Wrk, running: Running) -> list[Row]:
    people = [keys.generate() for _ in range(PEOPLE)]
    asyncio.run(_grant(running, [pair.public for pair in people]))
    secrets = ", ".join(f"'{pair.secret}'" for pair in people)
    publics = ", ".join(f"'{pair.public}'" for pair in people)
    script = f"""
local secrets, publics = {{{secrets}}}, {{{publics}}}
request = function()
  local from = math.random(#secrets)
  local to = from % #publics + 1
  local headers = {{["x-ocean-key"] = secrets[from], ["content-type"] = "application/json"}}
  return wrk.format("POST", "/io/send", headers, '{{"to":"' .. publics[to] .. '","amount":1}}')
end
"""
    rate = wrk(running.api, script=script, warm=1)
    if asyncio.run(_faults(running)):
        raise SystemExit("the ledger does not hold")
    return [Row("transfers of io a second, through HTTP, synced", rate, None, None, 1500)]


async def _open(running: Running) -> Ocean:
    return await Ocean.open(settings.load({"OCEAN_DATA": str(running.data)}))


async def _grant(running: Running, people: list[str]) -> None:
    ocean = await _open(running)
    try:
        await asyncio.gather(*(credits.grant(ocean, key, RICH) for key in people))
    finally:
        await ocean.close()


async def _faults(running: Running) -> list[str]:
    ocean = await _open(running)
    try:
        return await faults(ocean.engine)
    finally:
        await ocean.close()
