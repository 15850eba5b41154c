from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from ocean.store.models import Name


class Migration(migrations.Migration):
    dependencies = [("models", "0009_money")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Feed",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("round", fields.IntField()),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "feed",
                "app": "models",
                "indexes": [Index(fields=["route"], name="feed_route")],
                "pk_attr": "id",
                "table_description": "A calendar feed of a folder, as its owner may read it. A new round makes a new address.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Invitation",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("uid", Name(generated=False, null=False, unique=False)),
                ("route", Name(generated=False, null=False, unique=False)),
                ("key", Name(generated=False, null=False, unique=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("mailbox", Name(generated=False, null=False, unique=False)),
                ("sequence", fields.IntField()),
                ("digest", fields.TextField(unique=False)),
                ("told", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
                ("due_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "invitation",
                "app": "models",
                "indexes": [
                    Index(fields=["route", "key"], name="invitation_record"),
                    Index(fields=["uid", "mailbox"], name="invitation_uid"),
                    Index(fields=["due_at"], name="invitation_due"),
                ],
                "pk_attr": "id",
                "table_description": "An event that people were invited to, as they were told of it last.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Letter",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("mailbox", Name(generated=False, null=False, unique=False)),
                ("folder", fields.TextField(unique=False)),
                ("message_id", Name(generated=False, null=False, unique=False)),
                ("thread", Name(generated=False, null=False, unique=False)),
                ("source", fields.BinaryField(null=True)),
                ("file", fields.TextField(unique=False)),
                ("size", fields.BigIntField()),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "letter",
                "app": "models",
                "indexes": [
                    Index(fields=["mailbox", "message_id"], name="letter_message"),
                    Index(fields=["mailbox", "thread"], name="letter_thread"),
                    Index(fields=["created_at"], name="letter_age"),
                ],
                "pk_attr": "id",
                "table_description": "A message as it came or went, byte for byte. Its record is id in mail/MAILBOX/FOLDER.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MailDomain",
            fields=[
                ("id", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("name", Name(generated=False, null=False, unique=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("mailbox", Name(generated=False, null=False, unique=False)),
                ("state", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
                ("proven_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "mail_domain",
                "app": "models",
                "indexes": [
                    Index(fields=["name", "state"], name="mail_domain_name"),
                    Index(fields=["owner", "created_at"], name="mail_domain_owner"),
                    Index(fields=["mailbox", "state"], name="mail_domain_mailbox"),
                ],
                "pk_attr": "id",
                "table_description": "A domain whose mail somebody wants in a mailbox of theirs. It is live for one of those who claim it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Mailbox",
            fields=[
                ("name", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("owner", Name(generated=False, null=False, unique=False)),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "mailbox",
                "app": "models",
                "indexes": [Index(fields=["owner", "created_at"], name="mailbox_owner")],
                "pk_attr": "name",
                "table_description": "A name that receives mail into the folder mail/NAME. What is in that folder is held by its rule.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SigningKey",
            fields=[
                ("selector", Name(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("kind", fields.TextField(unique=False)),
                ("secret", fields.TextField(unique=False)),
                ("created_at", fields.BigIntField()),
            ],
            options={
                "table": "signing_key",
                "app": "models",
                "pk_attr": "selector",
                "table_description": "What our mail is signed with (DKIM). secret is wrapped.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Outgoing",
            name="done_at",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Outgoing",
            name="error",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Outgoing",
            name="host",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Outgoing",
            name="letter",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Outgoing",
            name="mailbox",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Outgoing",
            name="sender",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddIndex(
            model_name="Outgoing",
            index=Index(fields=["state", "host", "due_at"], name="outbox_host"),
        ),
        ops.AddIndex(
            model_name="Outgoing",
            index=Index(fields=["done_at"], name="outbox_done"),
        ),
    ]
