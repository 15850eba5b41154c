"""Drops, the language: text to statements and back. Pure: knows no store and no verb's meaning."""

from grammar.errors import DropsSyntaxError
from grammar.parser import Language, Stage, Statement

__all__ = ["DropsSyntaxError", "Language", "Stage", "Statement"]
