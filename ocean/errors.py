"""Every error code once: code, HTTP status, and what it is about."""

from __future__ import annotations

from typing import Any

CODES: dict[str, tuple[int, str]] = {
    "ROUTE_REQUIRED": (400, "A folder is missing."),
    "INVALID_ROUTE": (400, "A folder's name has a form that is not allowed."),
    "INVALID_KEY": (400, "A record's key has a form that is not allowed."),
    "KEY_REQUIRED": (400, "A key is missing: a record's (400), or the caller's own (401)."),
    "INVALID_PAYLOAD": (400, "The payload is missing, or is not JSON as the log keeps it."),
    "INVALID_VALUE": (400, "A parameter has a value that it can't have."),
    "UNKNOWN_FIELD": (400, "A parameter that this request does not know."),
    "INVALID_PREFIX": (400, "A folder to search in has a form that is not allowed."),
    "SEARCH_REQUIRED": (400, "A search has neither text nor vector."),
    "INVALID_TEXT": (400, "The text of a search is none."),
    "INVALID_VECTOR": (400, "A vector is not a list of numbers."),
    "TOP_K_TOO_LARGE": (400, "A search asks for more results than are given."),
    "DIMENSION_MISMATCH": (400, "A vector has another number of dimensions than those that are there."),
    "SCHEMA_VIOLATION": (400, "The record is not as its folder's schema has it."),
    "SQL_ERROR": (400, "The SQL can't be read, or has what is not allowed."),
    "SYNTAX_ERROR": (400, "A statement that is not Drops."),
    "BAD_REQUEST": (400, "A request that is not well-formed HTTP."),
    "INVALID_CREDENTIAL": (401, "The credential is not a secret key, or a signature does not hold."),
    "FORBIDDEN": (403, "The key does not have access."),
    "NO_TRUST": (403, "A shared folder has no trust record."),
    "NOT_FOUND": (404, "There is no such record."),
    "DELETED": (404, "The record was removed."),
    "NO_VECTORS": (404, "There are no vectors to search."),
    "NO_TEXT_CONTENT": (404, "There are no texts to search."),
    "GONE": (410, "The content expired or was erased."),
    "METHOD_NOT_ALLOWED": (405, "The address is known, the method is not."),
    "CONFLICT": (409, "The request disagrees with what is there."),
    "PRECONDITION_FAILED": (412, "The record is not the version that the request names."),
    "PAYLOAD_TOO_LARGE": (413, "The content is over the limit."),
    "BLOB_TOO_LARGE": (413, "A file is over the limit of a single upload."),
    "RANGE_NOT_SATISFIABLE": (416, "The range lies outside the file."),
    "RATE_LIMITED": (429, "There is not enough io for priced content."),
    "INSUFFICIENT_BALANCE": (409, "A key has less of a value than it would give."),
    "KEYGEN_LIMITED": (429, "Too many keys were made from this address."),
    "LIMIT_REACHED": (429, "A limit was reached."),
    "INVALID_EMAIL": (400, "An address of mail is none."),
    "INVALID_TOKEN": (400, "The token of a sign-in is not one, or was used."),
    "TOKEN_EXPIRED": (400, "The token of a sign-in is too old."),
    "AUTH_RATE_LIMITED": (429, "Too many sign-ins were asked for this address."),
    "FUNCTION_ERROR": (422, "A function failed, or is none."),
    "FUNCTION_TIMEOUT": (504, "A function took longer than it may."),
    "NOT_AVAILABLE": (400, "Not in this version yet, or not set up on this server."),
    "INTERNAL_ERROR": (500, "The server failed; the log names the request id."),
    "SERVER_BUSY": (503, "The server is at capacity."),
    "STORAGE_FULL": (507, "The disk is full: nothing was written, reads go on."),
}


class OceanError(Exception):
    """An answer that is an error: a code of CODES, a sentence naming the thing at fault, and the way out."""

    def __init__(
        self, code: str, message: str, hint: str | None = None, *, status: int | None = None, retry_after: int | None = None, **details: Any
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.status = status or CODES[code][0]
        self.retry_after = retry_after if retry_after is not None or code != "SERVER_BUSY" else 1  # seconds
        self.details = details

    @property
    def temporary(self) -> bool:
        """Whether the same may go well later: nothing that was asked for is at fault."""
        return self.code in ("SERVER_BUSY", "STORAGE_FULL")

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            error["hint"] = self.hint
        return {"error": {**error, **self.details}}
