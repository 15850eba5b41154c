from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Name


class Migration(migrations.Migration):
    dependencies = [("models", "0007_push")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Authority",
            fields=[
                ("directory", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("secret", fields.TextField(unique=False)),
                ("account", fields.TextField(unique=False)),
            ],
            options={
                "table": "authority",
                "app": "models",
                "pk_attr": "directory",
                "table_description": "Our account at a certificate authority. `secret` is its key, wrapped.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Certificate",
            fields=[
                ("name", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("chain", fields.TextField(unique=False)),
                ("secret", fields.TextField(unique=False)),
                ("begins_at", fields.BigIntField(null=True)),
                ("ends_at", fields.BigIntField(null=True)),
                ("renew_at", fields.BigIntField(null=True)),
                ("ask_at", fields.BigIntField(null=True)),
                ("order_url", fields.TextField(unique=False)),
                ("order_secret", fields.TextField(unique=False)),
                ("directory", Name(generated=False, null=False, unique=False)),
                ("attempts", fields.IntField()),
                ("due_at", fields.BigIntField(null=True)),
                ("error", fields.TextField(unique=False)),
                ("changed", fields.BigIntField()),
            ],
            options={
                "table": "certificate",
                "app": "models",
                "indexes": [
                    Index(fields=["changed", "name"], name="certificate_changed"),
                    Index(fields=["ask_at"], name="certificate_asking"),
                ],
                "pk_attr": "name",
                "table_description": "The certificate of a name and the order for its next one. `secret` and `order_secret` are private keys, wrapped.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Challenge",
            fields=[
                ("token", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("name", Name(generated=False, null=False, unique=False)),
                ("kind", fields.TextField(unique=False)),
                ("answer", fields.TextField(unique=False)),
                ("until", fields.BigIntField()),
            ],
            options={
                "table": "challenge",
                "app": "models",
                "pk_attr": "token",
                "table_description": "What a certificate authority looks for at a name of ours, while an order is under way.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Domain",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("name", Name(generated=False, null=False, unique=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("state", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
                ("proven_at", fields.BigIntField(null=True)),
                ("failing_at", fields.BigIntField(null=True)),
                ("due_at", fields.BigIntField(null=True)),
                ("attempts", fields.IntField()),
                ("error", fields.TextField(unique=False)),
                ("changed", fields.BigIntField()),
                ("round", fields.IntField()),
            ],
            options={
                "table": "domain",
                "app": "models",
                "indexes": [
                    Index(fields=["name", "state"], name="domain_name"),
                    Index(fields=["owner", "created_at"], name="domain_owner"),
                    Index(fields=["route"], name="domain_route"),
                    Index(fields=["due_at"], name="domain_due"),
                    Index(fields=["changed", "id"], name="domain_changed"),
                ],
                "pk_attr": "id",
                "table_description": "A claim to a domain, of one key. `changed` grows with each change of any, so that what is kept in memory can be kept true.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Ordering",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("name", Name(generated=False, null=False, unique=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("begun_at", fields.BigIntField(db_index=True)),
            ],
            options={
                "table": "ordering",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An order that was begun for a name, and for whom: they are counted.",
            },
            bases=["Model"],
        ),
    ]
