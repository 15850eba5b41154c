from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Body, Name


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Checkpoint",
            fields=[
                ("seq", fields.BigIntField(primary_key=True, unique=True, db_index=True)),
                ("chain", fields.BinaryField()),
                ("created_at", fields.BigIntField()),
                ("public_key", fields.TextField(unique=False)),
                ("signature", fields.TextField(unique=False)),
            ],
            options={"table": "checkpoint", "app": "models", "pk_attr": "seq"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DropRow",
            fields=[
                ("seq", fields.BigIntField(primary_key=True, unique=True, db_index=True)),
                ("drop_id", Name(unique=True, generated=False, null=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("key", Name(null=True, generated=False, unique=False)),
                ("payload", fields.TextField(null=True, unique=False)),
                ("source", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
                ("kind", fields.SmallIntField()),
                ("version", fields.BigIntField(null=True)),
                ("expires_at", fields.BigIntField(null=True)),
                ("price", fields.BigIntField(null=True)),
                ("salt", fields.BinaryField(null=True)),
                ("digest", fields.BinaryField()),
                ("chain", fields.BinaryField()),
            ],
            options={
                "table": "drops",
                "app": "models",
                "indexes": [
                    Index(fields=["route", "key", "seq"], name="drop_entity"),
                    Index(fields=["created_at"], name="drop_moment"),
                    Index(fields=["expires_at"], name="drop_expiry"),
                ],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Head",
            fields=[
                ("id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("seq", fields.BigIntField()),
                ("revision", fields.BigIntField()),
                ("access_seq", fields.BigIntField()),
                ("moment", fields.BigIntField()),
                ("chain", fields.BinaryField()),
            ],
            options={
                "table": "head",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The one row that every write locks first: the newest place, and how often anything at all has changed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Idempotency",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("request", fields.TextField(unique=False)),
                ("answer", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
            ],
            options={"table": "idempotency", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RecordRow",
            fields=[
                ("seq", fields.BigIntField(primary_key=True, unique=True, db_index=True)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("key", Name(null=True, generated=False, unique=False)),
                ("drop_id", Name(generated=False, null=False, unique=False)),
                ("source", fields.TextField(unique=False)),
                ("owner", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
                ("version", fields.BigIntField(null=True)),
                ("expires_at", fields.BigIntField(null=True)),
                ("price", fields.BigIntField(null=True)),
                ("removed", fields.SmallIntField()),
                ("live_seq", fields.BigIntField()),
                ("counters", fields.TextField(null=True, unique=False)),
                ("body", Body(null=True, generated=False, unique=False)),
            ],
            options={
                "table": "record",
                "app": "models",
                "unique_together": (("route", "key"),),
                "indexes": [
                    Index(fields=["route", "seq"], name="record_route"),
                    Index(fields=["expires_at"], name="record_expiry"),
                ],
                "pk_attr": "seq",
                "table_description": "An entity's newest drop, or an event, with its counters beside it.",
            },
            bases=["Model"],
        ),
    ]
