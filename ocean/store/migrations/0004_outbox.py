from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Name


class Migration(migrations.Migration):
    dependencies = [("models", "0003_cells")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Outgoing",
            fields=[
                ("id", Name(primary_key=True, unique=True, generated=False, null=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("holder", Name(generated=False, null=False, unique=False)),
                ("recipient", fields.TextField(unique=False)),
                ("subject", fields.TextField(unique=False)),
                ("body", fields.TextField(unique=False)),
                ("state", fields.TextField(unique=False)),
                ("attempts", fields.SmallIntField()),
                ("created_at", fields.BigIntField()),
                ("due_at", fields.BigIntField()),
            ],
            options={
                "table": "outbox",
                "app": "models",
                "indexes": [
                    Index(fields=["owner", "created_at"], name="outbox_owner"),
                    Index(fields=["holder", "created_at"], name="outbox_holder"),
                    Index(fields=["state", "due_at"], name="outbox_due"),
                ],
                "pk_attr": "id",
                "table_description": "A message that waits to be sent, or was.",
            },
            bases=["Model"],
        ),
    ]
