"""Run by test_faults in a mount namespace of its own: fills a disk of 12 MB, and frees it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).parents[2]))

from ocean.core import keys
from tests.conftest import check, start, stop


def main(folder: Path) -> None:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(folder)], check=True)
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * 6_000_000)
    running = start(folder / "data")
    secret = keys.generate().secret
    acknowledged = 0
    refused = None
    for i in range(400):
        answer = running.post("/drop", {"route": "fill", "key": f"k{i}", "payload": {"text": "x" * 50_000}}, secret)
        if answer.status_code != 201:
            refused = answer
            break
        acknowledged += 1
    assert refused is not None, "the disk did not fill"
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "STORAGE_FULL"), refused.text
    assert acknowledged > 10
    for _ in range(3):
        assert requests.get(f"{running.api}/entity/fill?key=k0", timeout=9).json()["payload"]["text"] == "x" * 50_000
    upload = requests.post(running.api + "/blob", data=b"x" * 8_000_000, headers={"x-blob-route": "f", "x-ocean-key": secret}, timeout=30)
    assert (upload.status_code, upload.json()["error"]["code"]) == (507, "STORAGE_FULL"), upload.text
    ballast.unlink()
    again = running.post("/drop", {"route": "fill", "key": "again", "payload": 1}, secret)
    assert again.status_code == 201, again.text
    assert stop(running) == 0
    drops, fault = check(folder / "data")
    assert fault is None, fault
    assert drops == acknowledged + 2


main(Path(sys.argv[1]))
