"""Why a certificate authority did not do what was asked."""

from __future__ import annotations


class AcmeError(Exception):
    """A sentence for whoever owns the domain. `retry_after` in seconds where the authority says when to come again; `over` where the order
    is no more, `stranger` where the authority does not know our account."""

    def __init__(self, says: str, *, retry_after: float | None = None, over: bool = False, stranger: bool = False) -> None:
        super().__init__(says)
        self.retry_after = retry_after
        self.over = over
        self.stranger = stranger
