"""On SQLite the index of a folder's records also holds what tells whether a record is seen, and its cells: most questions read nothing else.

PostgreSQL has no cells, and takes another way to join where such an index seems to serve.
"""

from typing import Any

from tortoise import migrations
from tortoise.migrations import operations as ops

_WIDE = ("removed", "expires_at", "price", "read_price", *(f"c{number}" for number in range(1, 9)))


def _index(*beside: str) -> Any:
    columns = ", ".join(f'"{name}"' for name in ("route", "seq", *beside))

    async def make(apps: Any, editor: Any) -> None:
        if editor.DIALECT == "sqlite":
            await editor.client.execute_script(f'DROP INDEX IF EXISTS "record_route"; CREATE INDEX "record_route" ON "record" ({columns});')

    return make


class Migration(migrations.Migration):
    dependencies = [("models", "0011_automate")]

    initial = False

    operations = [ops.RunPython(_index(*_WIDE), _index())]
