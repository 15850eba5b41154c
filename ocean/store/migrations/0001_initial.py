from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Body, Expiring, Name, Position


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Checkpoint",
            fields=[
                ("seq", Position(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
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
                ("seq", Position(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("drop_id", Name(unique=True, generated=False, null=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("key", Name(null=True, generated=False, unique=False)),
                ("payload", fields.TextField(null=True, unique=False)),
                ("source", fields.TextField(unique=False)),
                ("owner", fields.TextField(unique=False)),
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
                    Index(fields=["route", "seq"], name="drop_route"),
                    Expiring(fields=["expires_at"], name="drop_expiry"),
                ],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Head",
            fields=[
                ("id", Position(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
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
            name="Once",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("request", fields.TextField(unique=False)),
                ("answer", fields.TextField(unique=False)),
                ("expires_at", fields.BigIntField(db_index=True)),
            ],
            options={"table": "once", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Blob",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("owner", fields.TextField(unique=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("size", fields.BigIntField()),
                ("type", fields.TextField(unique=False)),
                ("sha256", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
            ],
            options={"table": "blob", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RuleRow",
            fields=[
                ("route", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("seq", fields.BigIntField(db_index=True)),
                ("owner", fields.TextField(null=True, unique=False)),
                ("mode", fields.TextField(null=True, unique=False)),
                ("rule", fields.TextField(null=True, unique=False)),
            ],
            options={"table": "rule", "app": "models", "pk_attr": "route"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RecordRow",
            fields=[
                ("seq", Position(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
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
                    Expiring(fields=["expires_at"], name="record_expiry"),
                ],
                "pk_attr": "seq",
                "table_description": "An entity's newest drop, or an event, with its counters beside it.",
            },
            bases=["Model"],
        ),
    ]
