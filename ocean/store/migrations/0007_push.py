from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from ocean.store.models import Name


class Migration(migrations.Migration):
    dependencies = [("models", "0006_hooks")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Browser",
            fields=[
                ("id", Name(primary_key=True, unique=True, generated=False, null=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("digest", Name(generated=False, null=False, unique=False)),
                ("target", fields.TextField(unique=False)),
                ("host", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "browser",
                "app": "models",
                "unique_together": (("owner", "digest"),),
                "pk_attr": "id",
                "table_description": "A browser that a key is notified in. `target` is wrapped: whoever has it can send to that browser.",
            },
            bases=["Model"],
        ),
    ]
