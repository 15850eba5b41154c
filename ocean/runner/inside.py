"""What runs in the sandbox, beside a user's function: its `ocean` client, and the loop that calls it. Of the standard library alone:
the process sees nothing else of ours, and is not imported by us but started.

Frames in both ways: four bytes of length, then JSON. The process is a user's from the first call on; nothing that it says is believed.
"""

import base64
import collections
import datetime
import functools
import hashlib
import hmac
import io
import itertools
import json
import linecache
import math
import os
import random
import re
import resource
import socket
import statistics
import string
import sys
import textwrap
import time
import traceback
import urllib.parse
import uuid
from typing import Any, NoReturn

_dumps = json.dumps
MAX_SAID = 6 << 20  # bytes of a frame
MAX_PRINTED = 16_000  # characters that are kept of what a call prints
# Here for every function, as the examples have them: imported before a function comes, so that it need not wait.
GIVEN = {"json": json, "datetime": datetime, "math": math, "re": re, "time": time}
WARM = (base64, collections, functools, hashlib, hmac, itertools, random, statistics, string, textwrap, urllib.parse, uuid)


class OceanError(Exception):
    """An error of Infinite Ocean's, or a function's own: `raise OceanError("There is no such order.")` tells the caller just that."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.status, self.hint = message, "FUNCTION_ERROR", 422, ""
        self.asked = False  # whether it is Infinite Ocean's


class Wire:
    """Frames over the one socket there is."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)
        self.call = 0  # that is being answered

    def read(self) -> Any:
        return json.loads(self._exactly(int.from_bytes(self._exactly(4), "big")))

    def write(self, value: Any) -> None:
        body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        if len(body) > MAX_SAID:
            raise OceanError(f"What a function says at once, its result too, has at most {MAX_SAID >> 20} MB.")
        self._socket.sendall(len(body).to_bytes(4, "big") + body)

    def _exactly(self, length: int) -> bytes:
        parts = []
        while length:
            part = self._socket.recv(min(length, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


class Response:
    """What another host answered."""

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)


class Ocean:
    """What can be asked of Infinite Ocean, with one key's access. All of it raises OceanError."""

    user: Any = None  # the same with the access of who calls, where the function acts by its own

    def __init__(self, wire: Wire, side: str, call: int) -> None:
        self._wire, self._side, self._call = wire, side, call

    def _ask(self, asked: str, /, **given: Any) -> Any:
        if self._wire.call != self._call:
            raise OceanError("The call that this belongs to is over: what a function begins it waits for.")
        self._wire.write({"ask": asked, "side": self._side, "given": given, "call": self._call})
        answer = self._wire.read()
        fault = answer.get("error")
        if fault is not None:
            error = OceanError(fault["message"])
            error.code, error.status, error.hint, error.asked = fault["code"], fault["status"], fault.get("hint", ""), True
            raise error
        return answer["value"]

    def read(self, route: str, key: str) -> Any:
        """A record: `{drop_id, route, key, payload, ...}`."""
        return self._ask("read", route=route, key=key)

    def write(self, route: str, payload: Any, key: Any = None) -> Any:
        """Saves a record, or without a key an event. `write(route, key, payload)` is understood where the payload is no text."""
        if key is not None and not isinstance(key, str) and isinstance(payload, str):
            payload, key = key, payload
        return self._ask("write", route=route, key=key, payload=payload)

    def update(self, route: str, key: str, changes: dict[str, Any]) -> Any:
        """Changes some fields of a record; None removes one."""
        return self._ask("update", route=route, key=key, changes=changes)

    def remove(self, route: str, key: str) -> Any:
        """Removes a record."""
        return self._ask("remove", route=route, key=key)

    def query(self, prefix: str, filter: Any = None, sort: Any = None, limit: int | None = None, skip: int | None = None) -> Any:
        """The records of a folder and all beneath, all of them where no limit is named, by a filter as POST /query has it:
        `{"age": {"$gt": 21}}`."""
        return self._ask("query", prefix=prefix, filter=filter, sort=sort, limit=limit, skip=skip)

    def search(self, prefix: str, text: Any = None, vector: Any = None, top_k: int | None = None, mode: str | None = None) -> Any:
        """Records by words or by meaning, best first."""
        return self._ask("search", prefix=prefix, text=text, vector=vector, top_k=top_k, mode=mode)

    def sql(self, query: str) -> Any:
        """The rows of one SELECT, each a dict."""
        return self._ask("sql", query=query)

    def exec(self, query: str) -> Any:
        """Any statement of Drops: its answer, as POST /exec gives it."""
        return self._ask("exec", query=query)

    def run(self, route: str, body: Any = None) -> Any:
        """What another function gives."""
        return self._ask("run", route=route, request=body)

    def upload(self, route: str, data: Any, filename: str | None = None, content_type: str | None = None) -> Any:
        """Uploads a file, bytes or text: an event in the folder, whose `drop_id` is the file's too. Its name tells its type."""
        data = data.encode() if isinstance(data, str) else bytes(data)
        return self._ask("upload", route=route, data=base64.b64encode(data).decode(), filename=filename, content_type=content_type)

    def export_entities(self, route: str) -> Any:
        """All records of a folder and all beneath."""
        return self._ask("export_entities", route=route)

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None, json: Any = None) -> Response:
        """Asks another host, by https. `json` is sent as a body of JSON."""
        if json is not None:
            body, headers = _dumps(json), {"content-type": "application/json", **(headers or {})}
        raw = body.encode() if isinstance(body, str) else body
        sent = base64.b64encode(raw).decode() if raw is not None else None
        found: dict[str, Any] = self._ask("fetch", url=url, method=method, headers=headers, body=sent)
        return Response(found["status"], found["headers"], base64.b64decode(found["body"]))


class Printed(io.TextIOBase):
    """What a call prints: its first MAX_PRINTED characters."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text[: max(MAX_PRINTED - len(self.text), 0)]
        return len(text)


def fault_of(error: BaseException, name: str) -> dict[str, Any]:
    """What went wrong, in a line; and where, in the function's own lines."""
    if isinstance(error, OceanError):
        said: dict[str, Any] = {"message": str(error.message), "own": not error.asked}
    elif isinstance(error, SyntaxError):
        said = {"message": f"line {error.lineno}: {error.msg}" if error.lineno else str(error)}
    else:
        said = {"message": f"{type(error).__name__}: {error}" if str(error) else type(error).__name__}
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == name]
    said["trace"] = [f"line {frame.lineno}, in {frame.name}: {(frame.line or '').strip()[:200]}" for frame in lines[-20:]]
    return {**said, "message": _whole(said["message"][:2000]), "trace": [_whole(line) for line in said["trace"]]}


def _whole(text: str) -> str:
    """Without halves of characters."""
    return text.encode(errors="replace").decode()


def loaded(code: str, name: str) -> Any:
    """The function `main` of some code."""
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    module = {**GIVEN, "OceanError": OceanError, "__name__": "main", "__builtins__": __builtins__}
    exec(compile(code, name, "exec"), module)  # noqa: S102 - that is what it is for
    main = module.get("main")
    if not callable(main):
        raise OceanError("The code has no function main: def main(ocean, request): ...")
    return main


def called(wire: Wire, main: Any, frame: dict[str, Any], printed: Printed) -> dict[str, Any]:
    """One call; the frame that tells what came of it."""
    ocean = Ocean(wire, "ocean", wire.call)
    ocean.user = Ocean(wire, "user", wire.call) if frame["user"] else None
    try:
        result = main(ocean, frame["request"])
        if hasattr(result, "__await__"):
            import asyncio

            result = asyncio.run(_awaited(result))
        text = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()  # half a character is refused here: it would be no frame
        told: dict[str, Any] = {"result": text}
    except TypeError as error:
        says = str(error)
        if "JSON serializable" in says:
            told = {"fault": {"message": f"{says}: answer with text, numbers, True, None, lists and dicts", "trace": []}}
        else:
            told = {"fault": fault_of(error, frame["name"])}
    except RecursionError:
        told = {"fault": {"message": "RecursionError: it calls itself too often", "trace": []}}
    except BaseException as error:
        told = {"fault": fault_of(error, frame["name"])}
    return {**told, "printed": _whole(printed.text)}


async def _awaited(result: Any) -> Any:
    return await result


def limit(name: str, most: int) -> None:
    with_ = getattr(resource, name)
    resource.setrlimit(with_, (most, most))


def serve(number: int, memory: int) -> NoReturn:
    wire = Wire(number)
    os.nice(5)
    limit("RLIMIT_AS", memory)
    limit("RLIMIT_CORE", 0)
    limit("RLIMIT_FSIZE", 0)
    limit("RLIMIT_NOFILE", 64)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what it was started with tells only why it could not start
    wire.write({"ready": True})
    main = None
    while True:
        frame = wire.read()
        wire.call = frame["call"]
        printed = sys.stdout = sys.stderr = Printed()
        if "code" in frame:
            try:
                main = loaded(frame["code"], frame["name"])
            except BaseException as error:
                wire.write({"fault": fault_of(error, frame["name"]), "loaded": False, "call": wire.call, "printed": _whole(printed.text)})
                continue
        told = called(wire, main, frame, printed)
        call, wire.call = wire.call, 0
        try:
            wire.write({**told, "call": call})
        except OceanError as error:
            wire.write({"fault": {"message": error.message, "trace": []}, "call": call})


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
