"""What records must be: fields with types, as a folder's schema or as a pattern, and the check of a payload against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ocean.core.payloads import loads, structured
from ocean.core.shown import refers
from ocean.core.universal import moment
from ocean.errors import OceanError

SCHEMA_KEY = "_schema"
PATTERNS = "patterns"  # the folder of patterns; each belongs to its first writer
MAX_FIELDS = 200
MAX_ENUM = 200
MAX_FAULTS = 50  # that are told at once
MODES = ("full", "preview")  # of views
_OPTIONS = ("required", "array")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field must be: a type of TYPES, there or not, one or a list, one of some values."""

    type: str
    required: bool = False
    array: bool = False
    enum: tuple[Any, ...] = ()
    among: frozenset[tuple[Any, Any]] = field(init=False, repr=False, compare=False)  # the enum, told apart by type

    def __post_init__(self) -> None:
        object.__setattr__(self, "among", frozenset((type(value), value) for value in self.enum))

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": self.type}
        shown |= {name: True for name in _OPTIONS if getattr(self, name)}
        return {**shown, "enum": list(self.enum)} if self.enum else shown


@dataclass(frozen=True, slots=True)
class Schema:
    """Fields by name; `version` is the definer's own word for it; of a pattern, `views`: the templates by mode (`drop://...`)."""

    fields: Mapping[str, Rule] = field(default_factory=dict)
    version: str | None = None
    views: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"version": self.version} if self.version is not None else {}
        shown["fields"] = {name: rule.to_json() for name, rule in self.fields.items()}
        return {**shown, "views": dict(self.views)} if self.views else shown

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Schema:
        """What `to_json` gave. Raises INVALID_VALUE on what it never gives."""
        return define(kept.get("fields"), kept.get("version"), kept.get("views"))

    def faults(self, payload: Any) -> list[dict[str, str]]:
        """What is wrong with a payload: `[{"field", "message"}]`, at most MAX_FAULTS."""
        if not isinstance(payload, dict):
            return [{"field": "", "message": "the payload is not an object with fields"}]
        found: list[dict[str, str]] = []
        for name, rule in self.fields.items():
            message = _fault(rule, payload.get(name))
            if message is not None:
                found.append({"field": name, "message": message})
        return found[:MAX_FAULTS]


def named_in(payload: str) -> str | None:
    """The pattern that a record of this payload says it follows."""
    if "pattern" not in payload:  # with or without the marks of a text that is an object itself
        return None
    body = loads(structured(payload))
    name = body.get("pattern") if isinstance(body, dict) else None
    return name if isinstance(name, str) else None


MAX_TEXT = 256 * 1024  # characters of a pattern


def read(payload: str) -> Schema | None:
    """The pattern that a record of `patterns` is; None where it is none."""
    return _read(payload) if len(payload) <= MAX_TEXT else None


@lru_cache(maxsize=64)
def _read(payload: str) -> Schema | None:
    kept = loads(structured(payload))
    try:
        return Schema.from_json(kept) if isinstance(kept, dict) else None
    except OceanError:
        return None


def define(fields: Any, version: Any = None, views: Any = None) -> Schema:
    """A schema from `{"name": "text required", "due": {"type": "date", "array": true}}`. Raises INVALID_VALUE."""
    if not isinstance(fields, Mapping) or not 0 < len(fields) <= MAX_FIELDS:
        raise OceanError("INVALID_VALUE", f"A definition has 1 to {MAX_FIELDS} fields.", 'fields { name: "text required" }')
    if version is not None and not (isinstance(version, str) and 0 < len(version) <= 40):
        raise OceanError("INVALID_VALUE", "A version is text of 1 to 40 characters.")
    return Schema({str(name): _rule(str(name), wanted) for name, wanted in fields.items()}, version, _views(views))


def _views(said: Any) -> dict[str, str]:
    if said is None:
        return {}
    if not isinstance(said, Mapping) or not all(mode in MODES and refers(address) is not None for mode, address in said.items()):
        raise OceanError("INVALID_VALUE", "Views are templates by mode: full, preview.", 'views { full: "drop://views/todo/full" }')
    return {str(mode): str(address) for mode, address in said.items()}


def _rule(name: str, wanted: Any) -> Rule:
    if isinstance(wanted, str):
        kind, *options = wanted.split() or [""]
        wanted = {"type": kind, **dict.fromkeys(options, True)}
    if not isinstance(wanted, Mapping):
        raise OceanError("INVALID_VALUE", f"The field {name[:60]!r} has no type.", f"Types: {', '.join(TYPES)}.")
    unknown = set(wanted) - {"type", "enum", *_OPTIONS}
    if unknown:
        raise OceanError(
            "INVALID_VALUE", f"The field {name[:60]!r} has no option {sorted(map(str, unknown))[0][:40]!r}.", "required, array, enum."
        )
    if wanted.get("type") not in TYPES:
        raise OceanError("INVALID_VALUE", f"The field {name[:60]!r} has no known type.", f"Types: {', '.join(TYPES)}.")
    enum = wanted.get("enum", [])
    if not isinstance(enum, list | tuple) or len(enum) > MAX_ENUM or any(isinstance(value, dict | list) for value in enum):
        raise OceanError("INVALID_VALUE", f"The field {name[:60]!r} has an enum that is no list of at most {MAX_ENUM} plain values.")
    if not all(isinstance(wanted.get(option, False), bool) for option in _OPTIONS):
        raise OceanError("INVALID_VALUE", f"Options of the field {name[:60]!r} are true or false.")
    return Rule(str(wanted["type"]), wanted.get("required", False), wanted.get("array", False), tuple(enum))


def _fault(rule: Rule, value: Any) -> str | None:
    if value is None:
        return "is required" if rule.required else None
    if rule.array:
        if not isinstance(value, list):
            return f"is not a list of {rule.type}"
        return next((f"has an element that {fault}" for item in value if (fault := _one(rule, item))), None)
    return _one(rule, value)


def _one(rule: Rule, value: Any) -> str | None:
    if not TYPES[rule.type](value):
        return f"is not {_SAYS[rule.type]}"
    if rule.enum and (isinstance(value, dict | list) or (type(value), value) not in rule.among):
        return f"is none of {', '.join(map(str, rule.enum))}"[:300]
    return None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _identifier(value: Any) -> bool:
    named = value.get("value") if isinstance(value, dict) else value
    return isinstance(named, str) and bool(named.strip())


def _blob(value: Any) -> bool:
    return _identifier(value) or (isinstance(value, dict) and ("url" in value or "blob" in value or "key" in value))


def _location(value: Any) -> bool:
    if not isinstance(value, dict):
        return isinstance(value, str) and bool(value.strip())
    lat, lon = value.get("lat"), value.get("lon")
    return _number(lat) and _number(lon) and abs(lat) <= 90 and abs(lon) <= 180  # type: ignore[arg-type]


def _amount(value: Any) -> bool:
    return _number(value) or (isinstance(value, dict) and _number(value.get("value")) and isinstance(value.get("unit", ""), str))


def _relation(value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith("drop://") or "/" in value
    embed = value.get("$embed") if isinstance(value, dict) else None
    return isinstance(embed, dict) and isinstance(embed.get("route"), str) and isinstance(embed.get("key"), str)


TYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": _number,
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: moment(value) is not None,
    "identifier": _identifier,
    "blob": _blob,
    "location": _location,
    "amount": _amount,
    "relation": _relation,
    "object": lambda value: isinstance(value, dict),
}
_SAYS = {
    "text": "text", "number": "a number", "boolean": "true or false", "date": "a date (2026-03-10 or 2026-03-10T10:00:00Z)",
    "identifier": "an identifier", "blob": "a file or an address", "location": "a place ({ lat, lon }, or an address)",
    "amount": "an amount (a number, or { value, unit })", "relation": "a relation ({ $embed: { route, key } })",
    "object": "an object with fields",
}  # fmt: skip


def violation(what: str, faults: list[dict[str, str]]) -> OceanError:
    """The error that names each field at fault."""
    told = "; ".join(f"{fault['field']} {fault['message']}".strip() for fault in faults[:10])
    return OceanError("SCHEMA_VIOLATION", f"The record is not as {what} has it: {told}."[:1000], errors=faults)
