from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

COVERED = ["route", "seq", "removed", "expires_at", "price", "read_price", *(f"c{number}" for number in range(1, 9))]


class Migration(migrations.Migration):
    dependencies = [("models", "0011_automate")]

    initial = False

    operations = [
        ops.RemoveIndex(model_name="RecordRow", name="record_route"),
        ops.AddIndex(model_name="RecordRow", index=Index(fields=COVERED, name="record_covered")),
    ]
