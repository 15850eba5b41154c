"""Infinite Ocean: one log, and what follows it."""

__version__ = "0.1.0"
