"""Our account at the certificate authority, made when it is first needed."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

from ocean.context import Ocean
from ocean.core import certs
from ocean.egress.broker import Broker
from ocean.settings import networks
from ocean.store import certificates

if TYPE_CHECKING:
    from ocean.egress.acme import Authority

log = logging.getLogger("ocean.certificates")


class Account:
    """`directory` is the authority's address."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self.directory = ocean.settings["OCEAN_ACME_DIRECTORY"]
        self._about = f"authority {self.directory}"
        self._authority: Authority | None = None  # once there is an account
        self._asked: Authority | None = None
        self._broker: Broker | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> Authority:
        """The authority, with our account at it. Raises AcmeError."""
        from ocean.egress.acme import Authority  # where it is needed: it takes long to import

        async with self._opening:
            if self._authority is None:
                wrapped, key, address = await self._key()
                self._broker = self._broker or _broker(self._ocean)
                authority = self._asked = Authority(self.directory, self._broker, key, address)
                settings = self._ocean.settings
                address = await authority.open(settings["OCEAN_ACME_CONTACT"], settings["OCEAN_ACME_EAB"])
                await self._ocean.log.transact(certificates.with_account(self.directory, wrapped, address))
                self._authority = authority
            return self._authority

    async def forget(self) -> None:
        """The authority does not know it (any more): it is made again."""
        async with self._opening:
            self._authority = None
            there = await certificates.account(self._ocean.engine, self.directory)
            if there is not None:
                await self._ocean.log.transact(certificates.with_account(self.directory, there[0], ""))

    async def close(self) -> None:
        if self._asked is not None:
            self._asked.close()
        if self._broker is not None:
            await self._broker.close()

    async def _key(self) -> tuple[str, str, str]:
        """`(wrapped, PEM, the account's address)`; a key that can't be read is replaced."""
        ocean = self._ocean
        there = await certificates.account(ocean.engine, self.directory)
        if there is not None:
            try:
                return there[0], ocean.master.unwrap(there[0], self._about), there[1]
            except ValueError as fault:
                log.warning("the account at %s is made again: %s", self.directory, fault)
        made = ocean.master.wrap(certs.new_key(), self._about)
        await ocean.log.transact(certificates.with_account(self.directory, made, "", there[0] if there else ""))
        there = await certificates.account(ocean.engine, self.directory)
        assert there is not None
        return there[0], ocean.master.unwrap(there[0], self._about), there[1]


def _broker(ocean: Ocean) -> Broker:
    ca = ocean.settings["OCEAN_ACME_CA"]
    return Broker(networks(ocean.settings, "OCEAN_EGRESS_ALLOW"), trusts=ssl.create_default_context(cafile=ca) if ca else None)
