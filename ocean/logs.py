"""What a process says of itself: one line an event, as JSON where nobody is watching, and never a secret."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from typing import Any

import orjson

_SECRET = re.compile(r"os[kc]_[A-Za-z0-9_-]{6,}|(?<=[?&]_key=)[^&\s]+|(?<=[?&]key=)[^&\s]+|(?<=://)[^\s/@]+:[^\s/@]+(?=@)")
_requests = logging.getLogger("ocean.requests")


def scrubbed(text: str) -> str:
    """The text with each secret in it struck out."""
    return _SECRET.sub("[secret]", text)


class JsonLines(logging.Formatter):
    """`{"time", "process", "level", "logger", "message", ...}`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"time": moment, "process": self.process, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = scrubbed(record.getMessage())
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = scrubbed(self.formatException(record.exc_info))
        return orjson.dumps(line).decode()


class Plain(logging.Formatter):
    """For a person at a terminal."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return scrubbed(super().format(record))


def set_up(process: str) -> None:
    """Logs to the standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(Plain(process) if sys.stderr.isatty() else JsonLines(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("sanic", "sanic.root", "sanic.server", "sanic.error", "tortoise", "asyncio", "mail.log", "stripe"):
        logging.getLogger(name).setLevel(logging.WARNING)


def request_line(method: str, path: str, status: int, seconds: float) -> None:
    """One request; its query, which may hold a key, is left out."""
    fields = {"method": method, "path": path, "status": status, "ms": round(seconds * 1000, 2), "request_id": secrets.token_hex(8)}
    _requests.info("%s %s %d", method, path, status, extra={"fields": fields})
