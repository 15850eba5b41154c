"""What `primitives` asks: universal fields by date, identifier, place, amount and text, as conditions on `record r`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, radians
from typing import Any

from ocean.core.universal import AMOUNT, BLOB, DATE, IDENTIFIER, LOCATION, TEXT, moment
from ocean.errors import OceanError
from ocean.store.query.dialects import Dialect
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.logical import like_pattern

_SIGNS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
MAX_PARTS = 50
EARTH_KM = 6371.0088  # mean radius (IUGG)


def conditions(asked: Mapping[str, Any], dialect: Dialect) -> Sql:
    """All of `dates`, `identifiers`, `locations`, `amounts`, `texts` and `blobs` that are asked for. Raises INVALID_VALUE."""
    parts = [_of(name, wanted, dialect) for name, wanted in asked.items()]
    return joined(" AND ", parts)


def _of(name: str, wanted: Any, dialect: Dialect) -> Sql:
    kind, reads = _KINDS[name]
    if isinstance(wanted, dict) and isinstance(wanted.get("$has"), list):
        wanted = {"$or": [{"$has": one} for one in wanted["$has"]]}
    if isinstance(wanted, list):
        wanted = {"$or": wanted}
    if isinstance(wanted, dict) and "$or" in wanted:
        ways = wanted["$or"]
        if not isinstance(ways, list) or not 0 < len(ways) <= MAX_PARTS or len(wanted) > 1:
            raise _wrong(name, '{"$or": [...]} with at most 50 parts')
        return sql("({})", joined(" OR ", [_of(name, way, dialect) for way in ways]))
    return sql("r.seq IN (SELECT m.seq FROM mark m WHERE m.kind = {} AND {})", kind, reads(name, wanted, dialect))


def _range(name: str, wanted: Mapping[str, Any], read: Callable[[Any], float | None], low: str, high: str) -> list[Sql]:
    """Bounds on what lies from `low` to `high`: it reaches into the range."""
    parts = []
    for sign, value in wanted.items():
        bound = read(value)
        if sign not in _SIGNS or bound is None:
            raise _wrong(name, "$gt, $gte, $lt and $lte with a value that can be compared")
        parts.append(sql(f"m.{low if sign in ('$lt', '$lte') else high} {_SIGNS[sign]} {{}}", bound))
    return parts


def _dates(name: str, wanted: Any, dialect: Dialect) -> Sql:
    if not isinstance(wanted, dict) or not wanted:
        raise _wrong(name, '{"$gte": "2026-03-01", "$lt": "2026-04-01"}')
    return joined(" AND ", _range(name, wanted, moment, "low", "high"))


def _identifiers(name: str, wanted: Any, dialect: Dialect) -> Sql:
    if isinstance(wanted, str):
        return sql("m.text = {}", wanted)
    if not isinstance(wanted, dict) or not wanted:
        raise _wrong(name, '{"$has": {"type": "email", "value": "bob@example.com"}}')
    columns = {"type": "name", "value": "text", "role": "role"}
    parts: list[Sql] = []
    for operator, value in wanted.items():
        plain = operator.removeprefix("$")
        has = value if operator == "$has" else {plain: value} if plain in columns else None
        if not isinstance(has, dict) or not has or not all(k in columns and isinstance(v, str) for k, v in has.items()):
            raise _wrong(name, "$has, $type, $value and $role with text")
        parts += [sql(f"m.{columns[k]} = {{}}", v) for k, v in has.items()]
    return joined(" AND ", parts)


def _amounts(name: str, wanted: Any, dialect: Dialect) -> Sql:
    """`{"$gte": 10, "unit": "EUR"}`, or bounds by unit: `{"EUR": {"$gte": 10}}`."""
    if not isinstance(wanted, dict) or not wanted:
        raise _wrong(name, '{"EUR": {"$gte": 10}}')
    bounds = {k: v for k, v in wanted.items() if k.startswith("$")}
    units = {k: v for k, v in wanted.items() if not k.startswith("$") and k != "unit"}
    if units:
        if bounds or "unit" in wanted or not all(isinstance(v, dict) for v in units.values()):
            raise _wrong(name, 'bounds by unit: {"EUR": {"$gte": 10}}')
        each = [joined(" AND ", [sql("m.name = {}", unit), *_range(name, v, _number, "low", "low")]) for unit, v in units.items()]
        return sql("({})", joined(" OR ", each))
    unit = [sql("m.name = {}", str(wanted["unit"]))] if "unit" in wanted else []
    return joined(" AND ", [*unit, *_range(name, bounds, _number, "low", "low")])


def _locations(name: str, wanted: Any, dialect: Dialect) -> Sql:
    near, within = (wanted.get("$near"), wanted.get("$within")) if isinstance(wanted, dict) and len(wanted) == 1 else (None, None)
    if isinstance(near, dict):
        lat, lon, radius = (_number(near.get(k)) for k in ("lat", "lon", "radius_km"))
        if lat is None or lon is None or radius is None or abs(lat) > 90 or abs(lon) > 180 or not 0 < radius <= 20_037.6:
            raise _wrong(name, '{"$near": {"lat": 55.68, "lon": 12.57, "radius_km": 10}}')
        return _near(lat, lon, radius)
    if isinstance(within, dict):
        box = [_number(within.get(k)) for k in ("min_lat", "min_lon", "max_lat", "max_lon")]
        if None in box or len(within) != 4:
            raise _wrong(name, '{"$within": {"min_lat": 55, "min_lon": 12, "max_lat": 56, "max_lon": 13}}')
        south, west, north, east = box
        wide = "m.high >= {} AND m.high <= {}" if west <= east else "(m.high >= {} OR m.high <= {})"  # type: ignore[operator]
        return sql(f"m.low >= {{}} AND m.low <= {{}} AND {wide}", south, north, west, east)
    raise _wrong(name, "$near with lat, lon and radius_km, or $within with min_lat, min_lon, max_lat and max_lon")


def _near(lat: float, lon: float, radius: float) -> Sql:
    """Within a great-circle distance (haversine); the index finds the band of latitudes first."""
    high = radius / EARTH_KM * 57.29577951308232
    half = "(sin(radians(m.low - {}) / 2) * sin(radians(m.low - {}) / 2) + {} * cos(radians(m.low)) * " \
           "sin(radians(m.high - {}) / 2) * sin(radians(m.high - {}) / 2))"  # fmt: skip
    away = sql(half, lat, lat, cos(radians(lat)), lon, lon)
    return sql(
        "m.low >= {} AND m.low <= {} AND 2 * {} * asin(sqrt(CASE WHEN {} > 1 THEN 1 ELSE {} END)) <= {}",
        lat - high,
        lat + high,
        EARTH_KM,
        away,
        away,
        radius,
    )


def _texts(name: str, wanted: Any, dialect: Dialect) -> Sql:
    text = wanted.get("$contains") if isinstance(wanted, dict) and len(wanted) == 1 else wanted
    if not isinstance(text, str) or not text:
        raise _wrong(name, 'text, or {"$contains": "text"}')
    return dialect.column_like(Sql("m.text"), like_pattern("contains", text))


def _blobs(name: str, wanted: Any, dialect: Dialect) -> Sql:
    if not isinstance(wanted, dict) or not wanted or not all(k in ("mime", "url") and isinstance(v, str) for k, v in wanted.items()):
        raise _wrong(name, '{"mime": "image/png"}, or a url')
    return joined(" AND ", [sql("m.name = {}" if k == "mime" else "m.text = {}", v) for k, v in wanted.items()])


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 else None


def _wrong(name: str, wanted: str) -> OceanError:
    return OceanError("INVALID_VALUE", f"{name!r} can't be asked for like that.", f"It takes {wanted}.")


_KINDS: dict[str, tuple[int, Callable[[str, Any, Dialect], Sql]]] = {
    "texts": (TEXT, _texts), "dates": (DATE, _dates), "identifiers": (IDENTIFIER, _identifiers), "locations": (LOCATION, _locations),
    "amounts": (AMOUNT, _amounts), "blobs": (BLOB, _blobs),
}  # fmt: skip
NAMES = tuple(_KINDS)
