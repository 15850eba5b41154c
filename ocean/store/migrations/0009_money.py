from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Name, Position


class Migration(migrations.Migration):
    dependencies = [("models", "0008_domains")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Account",
            fields=[
                ("key", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("email", Name(generated=False, null=False, unique=False)),
                ("audience", Name(generated=False, null=False, unique=False)),
                ("secret", fields.TextField(unique=False)),
                ("public_id", Name(unique=True, generated=False, null=False)),
                ("profile", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "account",
                "app": "models",
                "unique_together": (("email", "audience"),),
                "pk_attr": "key",
                "table_description": "A key that belongs to an address of mail: its own, or one that it has for one audience alone. `secret` is wrapped.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Balance",
            fields=[
                ("account", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("currency", Name(generated=False, null=False, unique=False)),
                ("holder", Name(generated=False, null=False, unique=False)),
                ("amount", fields.BigIntField()),
            ],
            options={
                "table": "balance",
                "app": "models",
                "indexes": [
                    Index(fields=["currency", "amount", "holder"], name="balance_currency"),
                    Index(fields=["holder"], name="balance_holder"),
                ],
                "pk_attr": "account",
                "table_description": "What an account holds: the sum of its postings.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Book",
            fields=[
                ("id", Position(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("seq", fields.BigIntField()),
            ],
            options={
                "table": "book",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The one row that all that moves money locks first: the newest transaction.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Currency",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("name", fields.TextField(unique=False)),
                ("symbol", Name(unique=True, generated=False, null=False)),
                ("creator", Name(generated=False, null=False, unique=False)),
                ("scope", fields.TextField(unique=False)),
                ("max_supply", fields.BigIntField(null=True)),
                ("decimals", fields.SmallIntField()),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "currency",
                "app": "models",
                "indexes": [Index(fields=["creator", "created_at"], name="currency_creator")],
                "pk_attr": "id",
                "table_description": "A value that a key has made.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Handle",
            fields=[
                ("name", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("owner", Name(db_index=True, generated=False, null=False, unique=False)),
                ("since", fields.BigIntField()),
            ],
            options={
                "table": "handle",
                "app": "models",
                "pk_attr": "name",
                "table_description": "A name of an account. One that was given up still leads to who had it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Order",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("io", fields.BigIntField()),
                ("cents", fields.BigIntField()),
                ("currency", fields.TextField(unique=False)),
                ("app", fields.SmallIntField()),
                ("session", Name(generated=False, null=False, unique=False)),
                ("intent", Name(generated=False, null=False, unique=False)),
                ("paid_at", fields.BigIntField(null=True)),
                ("refunded", fields.BigIntField()),
                ("credited", fields.BigIntField()),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "topup",
                "app": "models",
                "indexes": [Index(fields=["owner", "created_at"], name="topup_owner"), Index(fields=["intent"], name="topup_intent")],
                "pk_attr": "id",
                "table_description": "A top-up: io that is bought with money. Its amounts are ours, never those of a caller.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Posting",
            fields=[
                ("id", Position(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("account", Name(generated=False, null=False, unique=False)),
                ("seq", Position(generated=False, null=False, unique=False)),
                ("amount", fields.BigIntField()),
                ("balance", fields.BigIntField()),
            ],
            options={
                "table": "posting",
                "app": "models",
                "unique_together": (("account", "seq"),),
                "pk_attr": "id",
                "table_description": "What a transaction does to one account: those of one transaction come to nothing together. Only ever added.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Purchase",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("buyer", Name(generated=False, null=False, unique=False)),
                ("item", Name(generated=False, null=False, unique=False)),
                ("seller", Name(generated=False, null=False, unique=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("key", Name(null=True, generated=False, unique=False)),
                ("drop_id", Name(generated=False, null=False, unique=False)),
                ("amount", fields.BigIntField()),
                ("fee", fields.BigIntField()),
                ("collector", Name(generated=False, null=False, unique=False)),
                ("created_at", fields.BigIntField()),
                ("refunded_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "purchase",
                "app": "models",
                "indexes": [
                    Index(fields=["buyer", "item"], name="purchase_buyer"),
                    Index(fields=["seller", "item", "id"], name="purchase_seller"),
                ],
                "pk_attr": "id",
                "table_description": "What a key has bought: `item` is a record in all its versions (route, space, key), or an event (its drop id).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ScopedKey",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("digest", Name(unique=True, generated=False, null=False)),
                ("label", fields.TextField(unique=False)),
                ("routes", fields.TextField(unique=False)),
                ("permissions", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
                ("expires_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "scoped_key",
                "app": "models",
                "indexes": [Index(fields=["owner", "created_at"], name="scoped_owner")],
                "pk_attr": "id",
                "table_description": "A key that may do a part of what its owner may, known by its digest alone.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Transfer",
            fields=[
                ("seq", Position(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("txn_id", Name(unique=True, generated=False, null=False)),
                ("currency", Name(generated=False, null=False, unique=False)),
                ("kind", fields.TextField(unique=False)),
                ("payer", Name(generated=False, null=False, unique=False)),
                ("payee", Name(generated=False, null=False, unique=False)),
                ("amount", fields.BigIntField()),
                ("fee", fields.BigIntField()),
                ("about", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "transfer",
                "app": "models",
                "indexes": [Index(fields=["currency", "seq"], name="transfer_currency")],
                "pk_attr": "seq",
                "table_description": "A transaction of the ledger: `amount` is what the payer gives, `fee` and the rest of it what others get. Only ever added.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="DropRow",
            name="read_price",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="RecordRow",
            name="read_price",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="RuleRow",
            name="claimed_by",
            field=Name(null=True, generated=False, unique=False),
        ),
        ops.AddIndex(
            model_name="RuleRow",
            index=Index(fields=["claimed_by", "route"], name="rule_claimed"),
        ),
    ]
