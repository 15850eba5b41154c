from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Name


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Entry",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("field", fields.BigIntField()),
                ("rank", fields.SmallIntField()),
                ("number", fields.FloatField(null=True)),
                ("text", Name(null=True, generated=False, unique=False)),
                ("seq", fields.BigIntField(db_index=True)),
            ],
            options={
                "table": "entry",
                "app": "models",
                "indexes": [Index(fields=["field", "rank", "number", "text", "seq"], name="entry_value")],
                "pk_attr": "id",
                "table_description": "The value of an indexed field of a record: what a find that filters or sorts by it goes along. A projection of `record`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="FieldIndex",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("field", Name(generated=False, null=False, unique=False)),
                ("used_at", fields.BigIntField()),
            ],
            options={
                "table": "field_index",
                "app": "models",
                "unique_together": (("route", "field"),),
                "pk_attr": "id",
                "table_description": "An index that was made because a field is often asked for, and dropped when nobody has asked for long.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Mark",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("seq", fields.BigIntField(db_index=True)),
                ("kind", fields.SmallIntField()),
                ("name", Name(null=True, generated=False, unique=False)),
                ("text", Name(null=True, generated=False, unique=False)),
                ("role", Name(null=True, generated=False, unique=False)),
                ("low", fields.FloatField(null=True)),
                ("high", fields.FloatField(null=True)),
            ],
            options={
                "table": "mark",
                "app": "models",
                "indexes": [Index(fields=["kind", "low"], name="mark_low"), Index(fields=["kind", "text"], name="mark_text")],
                "pk_attr": "id",
                "table_description": "A universal field of a record: what `primitives` looks for across all folders. A projection of `record`.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="RecordRow",
            name="marks",
            field=fields.SmallIntField(default=0),
        ),
        ops.AlterModelOptions(
            name="RuleRow",
            options={
                "table": "rule",
                "app": "models",
                "pk_attr": "route",
                "table_description": "What holds in a folder: who has access, what its records must be, which of their fields are indexed.",
            },
        ),
        ops.AddField(
            model_name="RuleRow",
            name="indexed",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="RuleRow",
            name="schema",
            field=fields.TextField(null=True, unique=False),
        ),
    ]
