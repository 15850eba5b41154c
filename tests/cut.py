"""A line to a server that breaks: each connection is cut once it has carried so many bytes of the answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Cut:
    """A forwarder in front of `port`; `lines` counts the connections. The first ones are cut after `after` bytes, `times` of them."""

    def __init__(self, port: int, after: int, times: int) -> None:
        self._port = port
        self._after = after
        self._times = times
        self.lines = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Cut:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                self.lines += 1
                left = self._after if self.lines <= self._times else None
                there = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._carry, args=(here, there, None), daemon=True).start()
                threading.Thread(target=self._carry, args=(there, here, left), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(4096):
                target.sendall(piece if left is None else piece[:left])
                if left is not None:
                    left -= len(piece)
                    if left <= 0:
                        break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
