from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Name, Position


class Migration(migrations.Migration):
    dependencies = [("models", "0005_streams")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Hook",
            fields=[
                ("id", Name(primary_key=True, unique=True, generated=False, null=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("prefix", Name(generated=False, null=False, unique=False)),
                ("url", fields.TextField(unique=False)),
                ("secret", fields.TextField(unique=False)),
                ("active", fields.SmallIntField()),
                ("retries", fields.SmallIntField()),
                ("condition", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
                ("since", Position(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "hook",
                "app": "models",
                "indexes": [Index(fields=["prefix", "active"], name="hook_prefix"), Index(fields=["owner"], name="hook_owner")],
                "pk_attr": "id",
                "table_description": "Where to call when what lies in a folder changes.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Delivery",
            fields=[
                ("id", Name(primary_key=True, unique=True, generated=False, null=False)),
                ("queue", Name(generated=False, null=False, unique=False)),
                ("place", fields.BigIntField()),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("url", fields.TextField(unique=False)),
                ("body", fields.TextField(unique=False)),
                ("state", fields.TextField(unique=False)),
                ("attempts", fields.SmallIntField()),
                ("status", fields.SmallIntField(null=True)),
                ("error", fields.TextField(unique=False)),
                ("took", fields.IntField(null=True)),
                ("created_at", fields.BigIntField()),
                ("due_at", fields.BigIntField()),
                ("done_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "delivery",
                "app": "models",
                "unique_together": (("queue", "place"),),
                "indexes": [
                    Index(fields=["state", "queue", "place"], name="delivery_waiting"),
                    Index(fields=["done_at"], name="delivery_done"),
                    Index(fields=["owner", "state"], name="delivery_owner"),
                ],
                "pk_attr": "id",
                "table_description": "A call that waits to be made, or was. `place` orders those of one queue: a hook's id, or whom `then call` calls.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LeaseRow",
            fields=[
                ("name", Name(primary_key=True, unique=True, generated=False, null=False)),
                ("holder", fields.TextField(unique=False)),
                ("fence", fields.BigIntField()),
                ("until", fields.BigIntField()),
                ("position", Position(generated=False, null=False, unique=False)),
            ],
            options={"table": "lease", "app": "models", "pk_attr": "name", "table_description": "What one process does at a time."},
            bases=["Model"],
        ),
    ]
