"""The page of what a function may use, from the client that stands beside it and the bounds that hold it."""

from __future__ import annotations

import inspect

from ocean import causes
from ocean.runner import inside, sandbox
from ocean.services.automate import functions as runs
from ocean.services.automate import jobs, keeping

ABOUT = f"""
A folder's record `main` that is text, Python with `def main(ocean, request)`, is a function (an `async def` too). `request` is the object
that it is called with; what it returns is answered: text, numbers, `True`, `None`, lists, dicts.

- It acts with its caller's key, and only its author may run it. With `_config execute: "public"` anyone may, and it acts with its author's
  key; `ocean.user` is who called then, in those of the author's own folders that `scopes` names, and `None` without a key.
- `raise OceanError("There is no such order.")` tells its caller just that. Of all else that goes wrong only the author is told: at once, or
  by `status FOLDER`. `OceanError` is there without an import, as are `json`, `re`, `math`, `time` and `datetime`; its `code` says which of
  Infinite Ocean's errors it is.
- It has {runs.SECONDS:g} s (with `async` OCEAN_JOB_SECONDS), OCEAN_FUNCTION_MEMORY, and Python's standard library; no files, no threads,
  no other processes, and no network but `ocean.fetch`. What it says at once, its result too, has at most {sandbox.MAX_SAID >> 20} MB;
  what it asks with (but for content) {runs.MAX_ASKED >> 10} KB, what it prints {inside.MAX_PRINTED:,} characters, and what is kept of
  the result of a job {keeping.MAX_RESULT >> 10} KB.
- A module's values may last until the next call and may not: nothing promises either. One process answers one call at a time.
- {runs.AT_ONCE} functions run side by side, {runs.AT_ONCE_OF_ONE} of one caller; of jobs {jobs.AT_ONCE}, {jobs.AT_ONCE_OF_ONE} of one
  place. Functions that wait for one another are at most {causes.MAX_DEPTH} deep.
- `find ... then run FOLDER` asks it with `{{results, count}}`. A hook (`when ... call "/run/FOLDER"`) and `then call` ask it with the
  record's own fields (`{{"payload": ...}}` where it is no object, none where it was removed), and with `_event`: the `type`
  (`record.saved`, `record.removed`), `timestamp` and `data` that another host would have been sent. Of `_webhooks/NAME` the `body` is the
  text as it came.
- A priced one is paid by its caller when it has answered; who goes away meanwhile pays all the same. Hooks and calls pay nothing.
"""


def functions(made: str) -> str:
    lines = ["# Functions", made, ABOUT.strip(), "", "## ocean, and ocean.user", ""]
    for name, method in vars(inside.Ocean).items():
        if not name.startswith("_") and callable(method):
            parameters = [str(p.replace(annotation=p.empty)) for p in list(inspect.signature(method).parameters.values())[1:]]
            lines += [f"### ocean.{name}({', '.join(parameters)})", "", inspect.getdoc(method) or "", ""]
    lines += ["`ocean.fetch` gives a response: `status`, `headers`, `content` (bytes), `text`, `ok`, `json()`.", ""]
    return "\n".join(lines)
