from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0004_outbox")]

    initial = False

    operations = [ops.AddField(model_name="RuleRow", name="stream", field=fields.TextField(null=True, unique=False))]
