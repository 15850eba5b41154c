"""The search index after kills: it agrees with the log, record by record."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.conftest import start, stop
from tests.faults.test_faults import ROUNDS, Load, child, healthy


class Words(Load):
    """Saves records that each have a word of their own."""

    def body(self, number: int) -> dict[str, object]:
        return {"route": "load", "key": f"{self.prefix}-{number}", "payload": {"text": f"w{self.prefix}x{number}y common"}}


def test_a_kill_at_any_moment_leaves_an_index_that_agrees_with_the_log(tmp_path: Path, secret: str) -> None:
    running = start(tmp_path)
    loads = [Words(running, secret, f"a{n}") for n in range(3)]
    try:
        for load in loads:
            load.start()
        for round_ in range(ROUNDS):
            loads[0].reach(len(loads[0].acknowledged) + 5 + round_ % 7)
            os.kill(child(running, "api"), signal.SIGKILL)
            healthy(running)
        for load in loads:
            load.ended.set()
            load.join()
        healthy(running)
        acknowledged = [key for load in loads for key in load.acknowledged]
        there = {record["key"]: record["payload"]["text"] for record in _all(running.api, secret)}
        assert set(acknowledged) <= set(there)
        whole = running.post("/search", {"prefix": "load", "text": "common", "top_k": 1000, "wait": True}, secret).json()
        assert whole["searched"] == len(there)
        for key, text in there.items():
            found = running.post("/search", {"prefix": "load", "text": text.split()[0], "top_k": 5}, secret).json()
            assert [result["key"] for result in found["results"]] == [key]
    finally:
        for load in loads:
            load.ended.set()
        assert stop(running) == 0


def _all(api: str, secret: str) -> list[dict[str, dict[str, str]]]:
    import requests

    found: list[dict[str, dict[str, str]]] = []
    cursor = None
    while True:
        params = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
        page = requests.get(f"{api}/entities/load", params=params, headers={"x-ocean-key": secret}, timeout=20).json()
        found += page["entities"]
        cursor = page.get("next_cursor")
        if cursor is None:
            return found
