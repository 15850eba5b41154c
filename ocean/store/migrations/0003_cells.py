from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from ocean.store.models import Cell, Name


class Migration(migrations.Migration):
    dependencies = [("models", "0002_fields")]

    initial = False

    operations = [
        ops.CreateModel(
            name="FieldCell",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("number", fields.SmallIntField()),
                ("field", Name(generated=False, null=False, unique=False)),
                ("used_at", fields.BigIntField()),
            ],
            options={
                "table": "field_cell",
                "app": "models",
                "unique_together": (("route", "number"),),
                "pk_attr": "id",
                "table_description": "A field whose plain value is kept beside each record of a folder, since questions often read it.",
            },
            bases=["Model"],
        ),
        *(ops.AddField(model_name="RecordRow", name=f"c{number}", field=Cell(null=True)) for number in range(1, 9)),
        ops.AddField(model_name="RuleRow", name="cells", field=fields.TextField(null=True, unique=False)),
    ]
