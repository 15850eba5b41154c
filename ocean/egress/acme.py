"""A certificate authority, spoken to by ACME (RFC 8555) through the broker: the package `acme` signs and counts nonces, the broker sends.

Imported where an order is made: `acme` takes long to import.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import requests
from acme import client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from josepy.b64 import b64encode
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from ocean.egress.broker import Broker, EgressError
from ocean.egress.refusals import AcmeError
from ocean.errors import OceanError

SECONDS = 30.0  # for one request
NONCES = 5  # that are tried
_PURPOSE = "urn:ietf:params:acme:error:"
T = TypeVar("T")


class Order(NamedTuple):
    url: str
    status: str
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str
    error: str


class Offer(NamedTuple):
    """A challenge that is offered: `answer` is the key authorisation to be found."""

    kind: str
    url: str
    token: str
    answer: str
    error: str


class Authorization(NamedTuple):
    status: str
    name: str
    offers: tuple[Offer, ...]


class Authority:
    """Raises AcmeError from all it does. `key` is the account's, PEM; `account` its address, once it has one."""

    def __init__(self, directory: str, broker: Broker, key: str, account: str = "") -> None:
        self._url = directory
        self._key = JWKEC(key=serialization.load_pem_private_key(key.encode(), None))
        self._network = _Network(broker, self._key, asyncio.get_running_loop())
        self._client: client.ClientV2 | None = None
        if account:
            self._network.account = messages.RegistrationResource(uri=account, body=messages.Registration())

    async def open(self, contact: str, binding: str) -> str:
        """The account, made where there is none: its address. `binding` is KEYID:KEY of an account that the authority knows already."""

        def work() -> str:
            known = client.ClientV2.get_directory(self._url, self._network)
            self._client = client.ClientV2(known, self._network)
            if self._network.account is not None:
                return str(self._network.account.uri)
            made: dict[str, Any] = {"terms_of_service_agreed": True}
            if contact:
                made["contact"] = (contact,)
            if binding:
                name, _, secret = binding.partition(":")
                made["external_account_binding"] = messages.ExternalAccountBinding.from_data(self._key.public_key(), name, secret, known)
            try:
                return str(self._client.new_account(messages.NewRegistration(**made)).uri)
            except errors.ConflictError as there:  # it knows the key already: an answer was lost on its way
                self._network.account = messages.RegistrationResource(uri=there.location, body=messages.Registration())
                return str(there.location)

        return await self._do(work)

    async def order(self, request: bytes) -> Order:
        """A new order for what a signing request (PEM) names."""

        def work() -> Order:
            placed = self._open().new_order(request)
            return _order(str(placed.uri), placed.body.to_json())

        return await self._do(work)

    async def look(self, url: str) -> Order:
        """An order as it is now."""
        return await self._do(lambda: _order(url, self._read(url)))

    async def authorization(self, url: str) -> Authorization:
        def work() -> Authorization:
            told = self._read(url)
            thumbprint = b64encode(self._key.thumbprint()).decode()
            offers = [
                Offer(_text(o["type"]), _text(o["url"]), _token(o["token"]), f"{o['token']}.{thumbprint}", _problem(o.get("error")))
                for o in told["challenges"]
                if o.get("token")
            ]
            return Authorization(_text(told["status"]), _text(told["identifier"]["value"]), tuple(offers))

        return await self._do(work)

    async def answer(self, offer: Offer) -> None:
        """Says that the answer can be found."""
        await self._do(lambda: self._post(offer.url, messages.UpdateAuthorization()))

    async def finalize(self, order: Order, request: bytes) -> None:
        csr = x509.load_pem_x509_csr(request)
        await self._do(lambda: self._post(order.finalize, messages.CertificateRequest(csr=csr)))

    async def chain(self, order: Order) -> str:
        """The certificate and those above it, PEM."""
        return await self._do(lambda: str(self._post(order.certificate, None).text))

    async def renewal(self, chain: str) -> tuple[float | None, float]:
        """When to renew a certificate, if the authority says so (ARI, RFC 9773), and when to ask again; in seconds since the epoch."""

        def work() -> tuple[float | None, float]:
            at, again = self._open().renewal_time(chain.encode())
            return (at.timestamp() if at is not None else None), again.timestamp()

        return await self._do(work)

    def close(self) -> None:
        self._network.close()

    def _open(self) -> client.ClientV2:
        if self._client is None:
            raise errors.ClientError("no directory")
        return self._client

    def _post(self, url: str, what: Any) -> requests.Response:
        return self._network.post(url, what, new_nonce_url=self._open().directory["newNonce"])

    def _read(self, url: str) -> Any:
        return self._post(url, None).json()

    async def _do(self, work: Callable[[], T]) -> T:
        """In a thread, and what goes wrong told there: of several that run, each has what its own answers said."""

        def told() -> T:
            self._network.begin()
            try:
                return work()
            except AcmeError:
                raise
            except Exception as fault:
                raise _told(fault, self._network.retry_after) from fault

        return await asyncio.to_thread(told)


class _Network(client.ClientNetwork):
    """Sends through the broker. Its methods are called in threads, while the broker's loop runs in another."""

    def __init__(self, broker: Broker, key: JWK, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(key, alg=ES256)
        self._broker = broker
        self._loop = loop
        self._here = threading.local()
        self._waiting: set[Future[Any]] = set()

    def close(self) -> None:
        """Ends what threads wait for: they would hold the process."""
        for future in list(self._waiting):
            future.cancel()

    def begin(self) -> None:
        """A piece of work begins in this thread."""
        self._here.retry_after = None

    @property
    def retry_after(self) -> float | None:
        """What the last answer in this thread said, in seconds."""
        found: float | None = getattr(self._here, "retry_after", None)
        return found

    def post(self, *args: Any, **named: Any) -> requests.Response:
        """Again with a fresh nonce where the authority takes none that it gave before (RFC 8555, 6.5)."""
        for _ in range(NONCES):
            try:
                return super()._post_once(*args, **named)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
                refused = error
        raise refused

    def _get_nonce(self, url: str, new_nonce_url: str) -> str:
        while True:
            try:
                return super()._get_nonce(url, new_nonce_url)
            except KeyError:  # another thread took the last one
                continue

    def _send_request(self, method: str, url: str, *args: Any, **named: Any) -> requests.Response:
        data = named.get("data")
        body = data.encode() if isinstance(data, str) else data
        asked = self._broker.request(method, url, body, _headers(named.get("headers")), seconds=SECONDS)
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        self._waiting.add(future)
        try:
            reply = future.result(SECONDS + 5)
        finally:
            self._waiting.discard(future)
        response = requests.Response()
        response.status_code, response.url, response.encoding = reply.status, url, "utf-8"
        response._content = reply.body
        response.headers.update(reply.headers)
        self._here.retry_after = _seconds(reply.headers.get("retry-after"))
        return response


def _headers(given: Mapping[str, str] | None) -> dict[str, str]:
    return {**(given or {}), "accept-language": "en"}


def _seconds(told: str | None) -> float | None:
    """What a Retry-After says: seconds, or a time (RFC 9110, 10.2.3); no more than a day."""
    if told is None:
        return None
    if told.isascii() and told.isdigit():
        return float(min(int(told), 86_400)) if len(told) < 9 else 86_400.0
    try:
        at = datetime.strptime(told, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
    return min(max(at.timestamp() - time.time(), 0.0), 86_400.0)


def _told(fault: Exception, retry_after: float | None) -> AcmeError:
    if isinstance(fault, CancelledError):
        return AcmeError("This server is being stopped.")
    if isinstance(fault, messages.Error):
        return _refused(fault, retry_after)
    if isinstance(fault, (EgressError, OceanError)):
        hint = f" {fault.hint}" if isinstance(fault, OceanError) and fault.hint else ""
        return AcmeError(f"The certificate authority can't be reached: {fault}{hint}")
    status = getattr(fault.args[0] if fault.args else None, "status_code", None) if isinstance(fault, errors.ClientError) else None
    says = f"The certificate authority answered {status}." if status else "The certificate authority answered what is not ACME."
    return AcmeError(says, retry_after=retry_after)


def _refused(fault: messages.Error, retry_after: float | None) -> AcmeError:
    kind = str(fault.typ or "").removeprefix(_PURPOSE)
    over = kind in ("malformed", "accountDoesNotExist", "orderNotReady", "unauthorized")
    says = f"The certificate authority refused: {_clean(fault.detail) or kind or 'it does not say why'}"
    return AcmeError(says, retry_after=retry_after, over=over, stranger=kind == "accountDoesNotExist")


def _order(url: str, told: Any) -> Order:
    authorizations = tuple(_text(one) for one in told["authorizations"])[:10]
    finalize, certificate = _text(told["finalize"]), _text(told.get("certificate") or "")
    return Order(url, _text(told["status"]), authorizations, finalize, certificate, _problem(told.get("error")))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise AcmeError("The certificate authority answered what is not ACME.")
    return value


def _token(value: Any) -> str:
    """A challenge's token: base64url, and of an authority's choice (RFC 8555, 8.3)."""
    token = _text(value)
    if not 0 < len(token) <= 256 or not token.replace("-", "").replace("_", "").isalnum() or not token.isascii():
        raise AcmeError("The certificate authority gave a challenge that is none.")
    return token


def _problem(error: Any) -> str:
    if not isinstance(error, dict):
        return ""
    return _clean(error.get("detail")) or str(error.get("type", "")).removeprefix(_PURPOSE)[:100]


def _clean(detail: Any) -> str:
    """What an authority says, as a line for whoever owns the domain."""
    return " ".join(str(detail or "").split())[:300]
