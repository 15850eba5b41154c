"""Commands of mail: mailboxes, what is sent from them, and domains of one's own."""

from __future__ import annotations

from ocean.commands.command import Arg, Command, Twin
from ocean.services.mail import domains, mailboxes, outbox, sending

_DOMAIN = Arg("domain", "text", required=True)

COMMANDS = (
    Command(
        "mail",
        ("mail [from SENDER:text] to TO:text [cc CC:text] [bcc BCC:text] [subject SUBJECT:text] [body BODY:text] [html HTML:text] "
         "[attach ATTACH:text] [reply REPLY:text]",),
        "Send a message from a mailbox of yours. attach names an upload, reply a message that came.",
        'mail to "bob@example.com" subject "Hello from the ocean" body "Hey Bob!"', sending.send,
        (Twin("POST", "/mail/send", (
            Arg("to", "any", required=True), Arg("sender", "text", called="from"), Arg("cc", "any"), Arg("bcc", "any"),
            Arg("subject", "text"), Arg("body", "text"), Arg("html", "text"), Arg("attach", "any"), Arg("reply_to", "text"),
            Arg("reply", "text")), 202),),
        answer="queued: true, id: text, message_id: text, from: text, to: text[], subject: text",
    ),
    Command("mail claim", ("mail claim USERNAME:text",), "Claim a name that receives mail at once: every address at NAME.DOMAIN.",
            'mail claim "alice"', mailboxes.claim, (Twin("POST", "/mail/claim", (Arg("username", "text", required=True),), 201),),
            answer="username: text, address: text, domain: text, inbound: text, created_at: text, cost?: integer, already?: true"),
    Command("mail domain", ("mail domain DOMAIN:text [into MAILBOX:text]",),
            "Have the mail of a domain of yours in a mailbox of yours; says what to set in DNS.", 'mail domain "mycoolsite.com"',
            domains.add, (Twin("POST", "/mail/domain", (_DOMAIN, Arg("mailbox", "text")), 201),), answer="mail_domain"),
    Command("mail verify", ("mail verify DOMAIN:text",), "Look at DNS now: what is there, and what is to be changed.",
            'mail verify "mycoolsite.com"', domains.verify, (Twin("POST", "/mail/domain/verify", (_DOMAIN,)),), answer="mail_domain"),
    Command("mail domains", ("mail domains",), "Your domains for mail, and your mailboxes.", "mail domains", domains.mine,
            (Twin("GET", "/mail/my-domains"),),
            answer="domains: own_mail_domain[], mailboxes: mailbox[], count: integer"),
    Command("mail forget", ("mail forget DOMAIN:text",), "Give a domain up: no mail for it is taken any more.",
            'mail forget "mycoolsite.com"', domains.remove,
            (Twin("DELETE", "/mail/domain/<domain>", (Arg("domain", "text", "path", required=True),)),),
            answer="deleted: true, domain: text"),
    Command("mail queue", ("mail queue [limit LIMIT:integer]",), "What of yours waits to be sent, was sent, or could not be.",
            "mail queue", outbox.queued, (Twin("GET", "/mail/queue", (Arg("limit", "integer", "query"),)),),
            answer="messages: queued_mail[], count: integer"),
    Command("mail drop", ("mail drop ID:text",), "Take back one that was not sent yet.", 'mail drop "id-here"', outbox.drop,
            (Twin("DELETE", "/mail/queue/<id>", (Arg("id", "text", "path", required=True),)),), answer="deleted: true, id: text"),
)  # fmt: skip
