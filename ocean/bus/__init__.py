"""What is told from process to process and kept nowhere: in one process, beside others on one machine, over NATS to others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ocean.bus.bus import Bus
from ocean.bus.local import LocalBus


def bus_of(settings: Mapping[str, str], data: Path) -> Bus:
    """The bus that the settings name: of this machine, or of several."""
    if settings["OCEAN_BUS"]:
        from ocean.bus.nats import NatsBus  # where it is used, not at every start

        return NatsBus(settings["OCEAN_BUS"])
    return LocalBus(data)
