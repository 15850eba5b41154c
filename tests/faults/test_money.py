"""Money moved by many while the server is killed: nothing is lost, made, or moved twice. OCEAN_MOVES makes it longer."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from ocean import settings
from ocean.context import Ocean
from ocean.core import keys
from ocean.services.money import credits
from ocean.store.ledger import faults
from tests.conftest import Running, start, stop
from tests.faults.test_faults import child, healthy

MOVES = int(os.environ.get("OCEAN_MOVES", "3000"))
CLIENTS = 64
PRICED = 20  # records for sale


class Story:
    """What all clients did: each answer that said that something was done, by what was asked for it."""

    def __init__(self, running: Running, people: list[keys.Pair], offers: list[str]) -> None:
        self.running, self.people, self.offers = running, people, offers
        self.left = MOVES
        self.done: Counter[str] = Counter()
        self.told: dict[str, str] = {}  # transaction -> the request that it answered
        self.moved = asyncio.Event()

    async def client(self, number: int) -> None:
        chance = random.Random(number)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while self.left > 0:
                self.left -= 1
                name = f"{number}-{self.left}"
                await self._until_answered(session, name, *self._move(chance))
                self.moved.set()

    def _move(self, chance: random.Random) -> tuple[str, str, str, dict[str, Any]]:
        """A kind, who asks, the address and the body; some of what is asked can't be done."""
        who, other = chance.sample(self.people, 2)
        kind = chance.choice(["send", "send", "buy", "mint", "transfer", "burn"])
        amount = chance.choice([1, 3, 10, 100_000_000])
        if kind == "buy":
            return kind, who.secret, f"/purchase/{chance.choice(self.offers)}", {}
        if kind == "send":
            return kind, who.secret, "/io/send", {"to": other.public, "amount": amount}
        body = {"currency": "coin", "amount": amount, **({} if kind == "burn" else {"to": other.public})}
        return kind, self.people[0].secret if kind == "mint" else who.secret, f"/values/{kind}", body

    async def _until_answered(self, session: aiohttp.ClientSession, name: str, kind: str, secret: str, path: str, body: Any) -> None:
        headers = {"x-ocean-key": secret, "idempotency-key": name}
        while True:
            try:
                async with session.post(self.running.api + path, json=body or None, headers=headers) as answer:
                    if answer.status >= 500:
                        continue
                    told = await answer.json()
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.02)  # it is being started again
                continue
            if answer.status == 200 and "already" not in told:
                self.done[kind] += 1
                if "txn_id" in told:
                    assert told["txn_id"] not in self.told, (name, self.told[told["txn_id"]])
                    self.told[told["txn_id"]] = name
            return


async def _with(running: Running, work: Any) -> Any:
    ocean = await Ocean.open(settings.load({"OCEAN_DATA": str(running.data)}))
    try:
        return await work(ocean)
    finally:
        await ocean.close()


def test_sums_are_exact_though_the_server_is_killed_again_and_again(tmp_path: Path) -> None:
    running = start(tmp_path / "data")
    people = [keys.generate() for _ in range(40)]
    seller = keys.generate()
    try:
        asyncio.run(_with(running, lambda ocean: _rich(ocean, [pair.public for pair in people])))
        saves = [
            running.post("/drop", {"route": "shop", "key": str(i), "payload": i, "price": i + 1}, seller.secret).json()
            for i in range(PRICED)
        ]
        running.post("/values/create", {"id": "coin", "name": "Coin", "symbol": "CON", "max_supply": 10**9}, people[0].secret)
        story = Story(running, people, [one["drop_id"] for one in saves])
        asyncio.run(_played(story))
        found = asyncio.run(_with(running, lambda ocean: faults(ocean.engine)))
        kinds = asyncio.run(_with(running, _counted))
    finally:
        stop(running)
    assert found == []
    assert kinds["transfer io", "plain"] == story.done["send"]
    assert kinds["transfer io", "bought"] == story.done["buy"] > 0
    assert kinds["mint coin", "plain"] == story.done["mint"] > 0
    assert kinds["burn coin", "plain"] == story.done["burn"]
    assert kinds["transfer coin", "plain"] == story.done["transfer"]


async def _rich(ocean: Ocean, people: list[str]) -> None:
    await asyncio.gather(*(credits.grant(ocean, key, 1_000_000) for key in people))


async def _played(story: Story) -> None:
    """All clients at once, and a kill each time a part of the moves is done; the sums are looked at after each."""
    clients = [asyncio.create_task(story.client(number)) for number in range(CLIENTS)]
    kills = max(2, min(20, MOVES // 50_000))
    for kill in range(1, kills + 1):
        while story.left > MOVES - kill * MOVES // (kills + 1):
            story.moved.clear()
            await story.moved.wait()
        killed = child(story.running, "api")
        os.kill(killed, signal.SIGKILL)
        assert await _with(story.running, lambda ocean: faults(ocean.engine)) == []
        while killed == await asyncio.to_thread(_api, story.running):
            await asyncio.sleep(0.05)
    await asyncio.gather(*clients)


def _api(running: Running) -> int:
    """The API process, once there is one."""
    healthy(running)
    return child(running, "api")


async def _counted(ocean: Ocean) -> Counter[tuple[str, str]]:
    about = "CASE WHEN about LIKE '%drop_id%' THEN 'bought' ELSE 'plain' END"
    rows = await ocean.engine.scan(f"SELECT kind || ' ' || currency, {about}, count(*) FROM transfer GROUP BY 1, 2")
    return Counter({(row[0], row[1]): row[2] for row in rows})
