"""The shapes of answers, in a line each, and as JSON Schema (2020-12).

`route: text, key?: text, payload: any` is an object with just these fields; `?` is one that may be missing, `[]` a list, `|` a choice.
"""

from __future__ import annotations

import re
from typing import Any

_PLAIN: dict[str, dict[str, Any]] = {
    "text": {"type": "string"}, "integer": {"type": "integer"}, "number": {"type": "number"}, "flag": {"type": "boolean"},
    "true": {"const": True}, "object": {"type": "object"}, "null": {"type": "null"}, "any": {},
}  # fmt: skip

SHAPES = {
    "record": "drop_id: text, route: text, key?: text, payload: any, source: text, created_at: text, version?: integer, "
    "expires_at?: text, price?: number, price_per_read?: number",
    "priced": "drop_id: text, route: text, key?: text, price?: number, price_per_read?: number, preview?: any, _gated: true",
    "keypair": "public: text, private: text",
    "saved": "drop_id: text, route: text, key?: text, source: text, created_at: text, version?: integer, expires_at?: text, "
    "price?: number, price_per_read?: number, warning?: text, keypair?: keypair",
    "updated": "drop_id: text, route: text, key: text, payload?: any, source: text, created_at: text, version?: integer, "
    "expires_at?: text, price?: number, price_per_read?: number, warning?: text, keypair?: keypair",
    "removed": "deleted: true, drop_id: text, keypair?: keypair",
    "counted": "route: text, key: text, field: text, value?: integer, keypair?: keypair",
    "told": "ok: true, stream: true, recording: flag, keypair?: keypair",
    "access": "route: text, owner: text|null, mode: text|null, grants?: object, claim?: object, warning?: text, keypair?: keypair",
    "found": "drop_id: text, route: text, key?: text, score: number, payload: any, created_at: text, snippet?: text",
    "facet": "value: any, count: integer",
    "listener": "key?: text, since: text",
    "hook": "id: text, prefix: text, url: text, active: flag, signed: flag, retries: integer, created_at: text, "
    "filter?: object, keypair?: keypair",
    "delivery": "id: text, route: text, state: text, attempts: integer, created_at: text, status?: integer, error?: text, "
    "ms?: integer, done_at?: text, due_at?: text",
    "subscription": "id: text, kind: text, host?: text, prefix?: text, created_at?: text, keypair?: keypair",
    "schema": "version?: text, fields: object",
    "pattern": "pattern: text, version?: text, fields: object, views?: object, owner: text",
    "priced_pattern": "pattern: text, owner: text, price?: number, price_per_read?: number, _gated: true",
    "fault": "field: text, message: text",
    "index": "field: text, ready: flag",
    "link": "seq: integer, chain: text, at?: text, public_key: text, signature: text",
    "site": "route: text, files: integer|null, deploys: integer, published_at: text, url: text",
    "blob": "key?: text, size: integer, type: text, sha256: text",
    "uploaded": "drop_id: text, route: text, source: text, created_at: text, blob: blob, url?: text, keypair?: keypair",
    "help": "name: text, forms: text[], about: text, example: text",
    "proof": "drop_id: text, seq: integer, route: text, key: text|null, created_at: text, source: text, digest: text, "
    "previous: text, leaf: text, following: text[], checkpoint: link",
    "page": "results: any[], count: integer, time_ms: number, next_cursor?: text",
    "total": "count: integer",
    "changed": "affected: integer, results: object[], dry?: true, most?: integer, queued?: text, skipped?: text[]",
    "searched": "results: found[], count: integer, searched: integer, time_ms: number, mode: text, facets?: object, facets_of?: integer",
    "rows": "columns: text[], rows: any[], time_ms: number, truncated?: true",
    "status": "route: text, schema: schema|null, indexes: index[], counts: object, function?: object",
    "job": "job_id: text, status: text, route: text, created_at: text, done_at?: text, ms?: integer, result?: any, error?: object, "
    "printed?: text",
    "defined": "route: text, schema: schema, keypair?: keypair",
    "made_pattern": "pattern: text, version?: text, fields: object, views?: object, keypair?: keypair",
    "undefined": "route: text, schema: null, keypair?: keypair",
    "unmade_pattern": "pattern: text, deleted: true, keypair?: keypair",
    "previewed": "route: text, preview: text, files: integer, url: text",
    "deploy": "deploy: text, at: text, live: flag, files?: integer, changed?: integer, removed?: integer, promotes?: text, rollback?: true",
    "preview": "preview: text, at: text, url: text",
    "deployed": "route: text, changed: integer, removed: integer, files: integer, url: text, deploy?: text",
    "dns_record": "type: text, name: text, value: text, there: flag",
    "certificate": "state: text, until?: text, renews_at?: text, error?: text, tried_again_at?: text",
    "domain": "domain: text, route: text, state: text, url: text, shown?: text, dns?: dns_record[], or_dns?: dns_record[], error?: text, "
    "certificate?: certificate",
    "plan": "upload: text[], change: text[], new: text[], remove: text[], keep: integer",
    "unpublished": "deleted: true, drop_id?: text, count?: integer, keypair?: keypair",
    "whoami": "tier: text, key?: text, balance?: number, public_id?: text, handle?: text, email?: text, routes?: text[], "
    "permissions?: text[], ip?: text",
    "claim": "key: text, owner: text, label: text, type: text, claimed_at: text",
    "scoped": "id: text, label: text, routes: text[], permissions: text[], created_at: text, expires_at?: text",
    "new_scoped": "secret: text, id: text, label: text, routes: text[], permissions: text[], created_at: text, expires_at?: text",
    "account": "email: text, key: text, tier: text, public_id: text, handle?: text, profile: object, audience?: text",
    "person": "handle?: text, public_id?: text, key?: text",
    "entry": "type: text, amount: number, from: text, to: text, fee: number, net: number, from_bal?: number, to_bal?: number, "
    "txn_id: text, created_at: text, about?: object",
    "offer": "drop_id: text, route: text, key?: text, price?: number, price_per_read?: number, preview?: any, bought: flag, url?: text",
    "purchased": "ok: true, drop_id: text, route: text, key?: text, price: number, remaining?: number, txn_id?: text, already?: true",
    "sale": "id: text, route: text, key?: text, drop_id: text, price: number, fee: number, net: number, created_at: text, "
    "refunded_at?: text",
    "order": "order: text, state: text, amount: number, cost: integer, currency: text, credited: number, refunded: integer, "
    "created_at: text",
    "value": "id: text, name: text, symbol: text, creator: text, scope: text, max_supply: integer|null, decimals: integer, "
    "created_at: text",
    "new_value": "ok: true, id: text, name: text, symbol: text, creator: text, scope: text, max_supply: integer|null, decimals: integer, "
    "created_at: text, supply: integer",
    "supplied_value": "id: text, name: text, symbol: text, creator: text, scope: text, max_supply: integer|null, decimals: integer, "
    "created_at: text, supply: integer",
    "value_line": "type: text, amount: integer, fee: integer, from?: text, to?: text, txn_id: text, created_at: text",
    "holding": "holder: text, balance: integer",
    "mailbox": "username: text, address: text, domain: text, inbound: text, created_at: text",
    "mail_record": "type: text, name: text, value: text, what: text, needed: flag, there: flag, change?: text",
    "mail_domain": "domain: text, mailbox: text, state: text, verified: flag, proven: flag, dns: mail_record[], cost?: integer",
    "own_mail_domain": "domain: text, state: text, verified: flag, mailbox: text, created_at: text",
    "queued_mail": "id: text, owner: text, to: text, subject: text, state: text, attempts: integer, created_at: text, from?: text, "
    "letter?: text, error?: text, due_at?: text, done_at?: text",
    "span": "start: text, end: text",
    "versions": "versions: record|priced[]",
}

_FIELD = re.compile(r"(\w+)(\??): ([\w|\[\]]+)")


def schema_of(shape: str) -> dict[str, Any]:
    """An answer's shape as JSON Schema; named shapes are references to `#/components/schemas`."""
    choices = [_object(part) for part in shape.split(" | ")]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def components() -> dict[str, dict[str, Any]]:
    """The named shapes."""
    return {name: schema_of(shape) for name, shape in SHAPES.items()}


def _object(shape: str) -> dict[str, Any]:
    if ":" not in shape:
        return _type(shape)
    fields = [_FIELD.fullmatch(part) for part in shape.split(", ")]
    found = [field.groups() for field in fields if field is not None]
    assert len(found) == len(fields), shape
    return {
        "type": "object", "properties": {name: _type(kind) for name, _, kind in found},
        "required": [name for name, may_miss, _ in found if not may_miss], "additionalProperties": False,
    }  # fmt: skip


def _type(kind: str) -> dict[str, Any]:
    if kind.endswith("[]"):
        return {"type": "array", "items": _type(kind[:-2])}
    if "|" in kind:
        return {"anyOf": [_type(part.strip()) for part in kind.split("|")]}
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    assert kind in SHAPES, kind
    return {"$ref": f"#/components/schemas/{kind}"}
