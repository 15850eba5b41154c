"""Money: io and what it buys, top-ups, and values that people make themselves. All of it moves in the one ledger."""
