"""A real MariaDB server for the tests, on a socket of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


class MariaDB:
    """`run` gives rows of text; `None` is NULL."""

    def __init__(self, socket: Path) -> None:
        self._client = ["mariadb", f"--socket={socket}", "--user=root", "--default-character-set=utf8mb4"]

    def run(self, statements: str, database: str = "") -> list[list[str | None]]:
        command = [*self._client, "--batch", "--skip-column-names", "--raw", *([database] if database else [])]
        done = subprocess.run(command, input=statements.encode(), capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        return [[None if cell == "NULL" else cell for cell in line.split("\t")] for line in done.stdout.decode().splitlines()]

    def up(self) -> bool:
        return subprocess.run([*self._client, "-e", "SELECT 1"], capture_output=True, check=False).returncode == 0


def serve_mariadb() -> Iterator[MariaDB]:
    assert shutil.which("mariadbd"), "MariaDB's server is needed: sudo apt-get install -y mariadb-server"
    folder = Path(tempfile.mkdtemp(prefix="ocean-maria-"))
    data, socket = folder / "data", folder / "sock"
    install = ["mariadb-install-db", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"]
    subprocess.run(install, check=True, capture_output=True, timeout=60)
    server = subprocess.Popen(
        ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking", "--user=root",
         f"--pid-file={folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        found = MariaDB(socket)
        deadline = time.monotonic() + 30
        while not found.up():
            assert time.monotonic() < deadline, "MariaDB did not come up"
            time.sleep(0.1)
        yield found
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)
