"""The broker's connections: made by its rule of sockets, to addresses that were resolved once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ocean import __version__
from ocean.egress.broker import CONNECTIONS, NAMES, EgressError, NotPublicError, Reply

Where = tuple[int, int, int, str, tuple[object, ...]]


class Session:
    """`make` gives the socket for an address, or raises where nothing may be sent to it; `trusts` as in the broker."""

    def __init__(self, make: Callable[[Where], socket.socket], resolver: AbstractResolver | None, trusts: ssl.SSLContext | None) -> None:
        connector = aiohttp.TCPConnector(
            resolver=resolver or _Names(), use_dns_cache=False, limit=CONNECTIONS, socket_factory=make, ssl=trusts or True
        )
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None), headers={"user-agent": f"InfiniteOcean/{__version__}"},
        )  # fmt: skip

    async def ask(
        self, method: str, address: URL, body: bytes | None, headers: Mapping[str, str] | None, seconds: float, most: int
    ) -> Reply:
        """Raises EgressError."""
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(method, address, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                told = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(answer.status, await _most(answer.content, most), told)
        except TimeoutError:
            raise EgressError(f"There was no answer within {seconds:g} s.") from None
        except NotPublicError as fault:
            raise EgressError(str(fault)) from None
        except aiohttp.ClientConnectorCertificateError:
            raise EgressError("Its certificate is not valid for that name.") from None
        except aiohttp.ClientConnectorDNSError:
            raise EgressError("Its name is not known.") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            cause = fault.__cause__ if isinstance(fault.__cause__, NotPublicError) else None
            raise EgressError(str(cause) if cause else f"It could not be reached ({type(fault).__name__}).") from None

    async def close(self) -> None:
        await self._session.close()


async def _most(content: aiohttp.StreamReader, most: int) -> bytes:
    """What is read of a body: all, up to so many bytes (`read` alone gives what has come so far)."""
    parts, size = [], 0
    while size < most and (part := await content.read(most - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


class _Names(AbstractResolver):
    """The machine's own resolver, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(NAMES, "names")

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(where[0]), port=port, family=kind, proto=protocol, flags=flags)
            for kind, _, protocol, _, where in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
