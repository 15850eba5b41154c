from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Name


class Migration(migrations.Migration):
    dependencies = [("models", "0010_mail")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Run",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("author", Name(generated=False, null=False, unique=False)),
                ("caller", Name(generated=False, null=False, unique=False)),
                ("holder", Name(generated=False, null=False, unique=False)),
                ("kind", fields.TextField(unique=False)),
                ("request", fields.TextField(unique=False)),
                ("digest", fields.TextField(unique=False)),
                ("state", fields.TextField(unique=False)),
                ("result", fields.TextField(unique=False)),
                ("error", fields.TextField(unique=False)),
                ("printed", fields.TextField(unique=False)),
                ("held", fields.BigIntField()),
                ("budget", fields.BigIntField(null=True)),
                ("hops", fields.SmallIntField()),
                ("took", fields.IntField(null=True)),
                ("created_at", fields.BigIntField()),
                ("due_at", fields.BigIntField()),
                ("done_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "run",
                "app": "models",
                "indexes": [
                    Index(fields=["state", "created_at"], name="run_state"),
                    Index(fields=["route", "created_at"], name="run_route"),
                    Index(fields=["holder", "state"], name="run_holder"),
                    Index(fields=["done_at"], name="run_done"),
                ],
                "pk_attr": "id",
                "table_description": "A run of a function that is known afterwards: a job, one that is paid for or asked for under a key, or one that failed.",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Delivery", name="hops", field=fields.SmallIntField(null=True)),
    ]
