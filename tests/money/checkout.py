"""A stand-in for Stripe's Checkout: takes a session as the API does (a form with brackets), and makes the event that it ends with."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


class Standing:
    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []

    def session(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        item = asked["line_items"]["0"]
        return {
            "id": f"cs_{len(self.asked)}", "object": "checkout.session", "url": f"{self.url}/pay/cs_{len(self.asked)}",
            "payment_status": "unpaid", "payment_intent": None, "currency": item["price_data"]["currency"],
            "amount_total": int(item["price_data"]["unit_amount"]) * int(item["quantity"]), "metadata": asked["metadata"],
        }  # fmt: skip

    def completed(self) -> dict[str, Any]:
        """The event that tells that the last one was paid."""
        asked = self.asked.pop()
        done = {**self.session(asked), "payment_status": "paid", "payment_intent": "pi_1"}
        return {"id": "evt_checkout", "object": "event", "type": "checkout.session.completed", "data": {"object": done}}


def nested(form: str) -> dict[str, Any]:
    """`a[b][0]=c` as objects in objects."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        *way, last = re.findall(r"[^\[\]]+", name)
        place = found
        for part in way:
            place = place.setdefault(part, {})
        place[last] = value
    return found


@contextmanager
def serve() -> Iterator[Standing]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode()
            sound = (
                self.path == "/v1/checkout/sessions" and self.headers["authorization"] == "Bearer sk" and self.headers["idempotency-key"]
            )
            answer = standing.session(nested(form)) if sound else {"error": {"message": f"no {self.path}", "type": "invalid_request_error"}}
            body = json.dumps(answer).encode()
            self.send_response(200 if sound else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    standing = Standing(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield standing
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
