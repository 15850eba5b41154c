"""What mail programs and calendar programs do: hand in mail with a key, read by JMAP with somebody else's client, subscribe to a feed."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import icalendar
import jmapc
import jmapc.methods as calls
import pytest
import requests
from jmapc.session import Session

from tests.mail.mailed import DOMAIN, Mailed, letter, mailed, until
from tests.mail.postfix import authority, signed, swaks
from tests.names import Names

ODD = {"operator": "XOR", "conditions": [{"text": "a"}]}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailed]:
    folder = tmp_path_factory.mktemp("programs")
    names = Names(folder)
    names.restart()
    chain, key = signed(folder, f"mx.{DOMAIN}", *authority(folder))
    (folder / "both.pem").write_bytes(key.read_bytes() + chain.read_bytes())
    with mailed(folder / "data", names, smtp_certificate=str(folder / "both.pem")) as found:
        yield found
    names.stop()


def authorities(here: Mailed) -> Path:
    return here.running.data.parent / "ca.pem"


def scoped(here: Mailed, secret: str, *permissions: str, route: str = "mail/alice") -> str:
    answer = here.running.post("/key/scoped", {"routes": [route], "permissions": list(permissions)}, secret)
    return str(answer.json()["secret"])


@pytest.fixture(scope="module")
def alice(here: Mailed) -> str:
    return here.claim("alice")


@pytest.fixture(scope="module")
def bob(here: Mailed) -> str:
    return here.claim("bob")


def test_swaks_hands_in_mail_by_both_ports_with_an_app_password(here: Mailed, alice: str, bob: str, tmp_path: Path) -> None:
    mail = tmp_path / "a.eml"
    mail.write_bytes(letter(f"me@alice.{DOMAIN}", f"you@bob.{DOMAIN}", "By a program"))
    password = scoped(here, alice, "drop")
    login = ("--auth", "PLAIN", "--auth-user", f"me@alice.{DOMAIN}", "--auth-password", password)
    made = swaks(here.submission, "x@y.test", f"you@bob.{DOMAIN}", mail, "--tls", *login)
    assert made.returncode == 0, made.stdout
    by_name = ("--auth", "PLAIN", "--auth-user", "alice", "--auth-password", password)
    made = swaks(here.submissions, "x@y.test", f"you@bob.{DOMAIN}", mail, "--tls-on-connect", *by_name)
    assert made.returncode == 0, made.stdout
    found = here.wait("bob", bob, 2)
    assert [(one["from"], one["auth"]["dmarc"]) for one in found] == [(f"me@alice.{DOMAIN}", "pass")] * 2
    assert len(here.inbox("alice", alice, "sent")) == 2


def test_the_certificate_is_the_one_that_was_given(here: Mailed) -> None:
    context = ssl.create_default_context(cafile=str(authorities(here)))
    context.check_hostname = False
    for port in (here.submission, here.running.smtp):
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.starttls(context=context)
            client.ehlo()
    with smtplib.SMTP_SSL("127.0.0.1", here.submissions, timeout=20, context=context) as client:
        assert client.noop()[0] == 250


def test_what_is_handed_in_without_the_right_is_refused(here: Mailed, alice: str, bob: str) -> None:
    def attempt(user: str, password: str, sender: str = f"me@alice.{DOMAIN}") -> str:
        with smtplib.SMTP("127.0.0.1", here.submission, timeout=20) as client:
            client.ehlo()
            with pytest.raises(smtplib.SMTPException):  # never before TLS
                client.login(user, password)
            client.starttls()
            try:
                client.login(user, password)
                client.sendmail("x@y.test", [f"you@bob.{DOMAIN}"], letter(sender, f"you@bob.{DOMAIN}", "Forged"))
            except smtplib.SMTPResponseException as fault:
                return str(fault.smtp_code)
        return "taken"

    reads, elsewhere = scoped(here, alice, "entity", "query"), scoped(here, alice, "drop", route="elsewhere")
    assert [attempt("alice", password) for password in (reads, elsewhere, bob, "wrong", "")] == ["535"] * 5
    assert attempt("alice", scoped(here, alice, "drop"), f"me@bob.{DOMAIN}") == "550"
    assert attempt("bob", bob) == "550"  # as alice
    with smtplib.SMTP("127.0.0.1", here.submission, timeout=20) as client:
        client.starttls()
        client.ehlo()
        assert client.mail("x@y.test")[0] == 530
    assert not [one for one in here.inbox("bob", bob) if one["subject"] == "Forged"]


@pytest.fixture
def program(here: Mailed, alice: str) -> jmapc.Client:
    password = scoped(here, alice, "drop", "entity", "query", "stream")
    client = jmapc.Client.create_with_api_token("here", password)
    told = requests.get(f"{here.running.api}/.well-known/jmap", headers={"authorization": f"Bearer {password}"}, timeout=20)
    client.__dict__["jmap_session"] = Session.from_dict(told.json())  # it asks by https alone
    return client


def test_somebody_elses_client_reads_flags_sends_and_removes(here: Mailed, alice: str, bob: str, program: jmapc.Client) -> None:
    with smtplib.SMTP("127.0.0.1", here.running.smtp, timeout=20) as client:
        client.sendmail(
            "carol@x.test", [f"a@alice.{DOMAIN}"], letter("Carol <carol@x.test>", f"a@alice.{DOMAIN}", "Read me", "The text.\n")
        )
    boxes = program.request(calls.MailboxGet(ids=None)).data
    assert {(box.name, box.role) for box in boxes} >= {("Inbox", "inbox"), ("Sent", "sent"), ("Drafts", "drafts")}
    inbox = next(box for box in boxes if box.role == "inbox")
    drafts = next(box for box in boxes if box.role == "drafts")
    found = program.request(
        [
            calls.EmailQuery(filter=jmapc.EmailQueryFilterCondition(in_mailbox=inbox.id, text="Read me"), limit=5),
            calls.EmailGet(ids=jmapc.Ref("/ids"), fetch_text_body_values=True),
        ]
    )
    (email,) = found[1].response.data
    assert (email.subject, email.mail_from[0].email, email.mail_from[0].name) == ("Read me", "carol@x.test", "Carol")
    assert email.body_values["1"].value == "The text.\n"
    assert "$seen" not in (email.keywords or {})
    state = found[1].response.state
    program.request(calls.EmailSet(update={email.id: {"keywords/$seen": True, "keywords/work": True}}), raise_errors=True)
    again = program.request(calls.EmailGet(ids=[email.id])).data[0]
    assert again.keywords == {"$seen": True, "work": True}
    changed = program.request(calls.EmailChanges(since_state=state))
    assert changed.updated == [email.id]
    thread = program.request(calls.ThreadGet(ids=[email.thread_id])).data[0]
    assert thread.email_ids == [email.id]
    identity = program.request(calls.IdentityGet(ids=None)).data[0]
    sent = program.request(
        [
            calls.EmailSet(
                create={
                    "draft": jmapc.Email(
                        mail_from=[jmapc.EmailAddress(email=identity.email)],
                        to=[jmapc.EmailAddress(email=f"you@bob.{DOMAIN}")],
                        subject="From a program",
                        keywords={"$draft": True},
                        mailbox_ids={drafts.id: True},
                        body_values={"body": jmapc.EmailBodyValue(value="Hi from afar")},
                        text_body=[jmapc.EmailBodyPart(part_id="body", type="text/plain")],
                    )
                }
            ),
            calls.EmailSubmissionSet(create={"send": jmapc.EmailSubmission(email_id="#draft", identity_id=identity.id)}),
        ]
    )
    assert sent[1].response.created, sent[1].response
    got = until(lambda: [one for one in here.inbox("bob", bob) if one["subject"] == "From a program"])
    assert got[0]["text"].strip() == "Hi from afar"
    program.request(calls.EmailSet(destroy=[email.id]), raise_errors=True)
    assert program.request(calls.EmailGet(ids=[email.id])).not_found == [email.id]


def test_a_program_reads_only_what_its_key_may(here: Mailed, alice: str, bob: str, program: jmapc.Client) -> None:
    def ask(secret: str, method: str, **args: Any) -> Any:
        body = {"using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"], "methodCalls": [[method, args, "0"]]}
        answer = requests.post(f"{here.running.api}/jmap/api", json=body, headers={"authorization": f"Bearer {secret}"}, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["methodResponses"][0]

    assert ask(bob, "Email/query", accountId="alice")[1] == {"type": "accountNotFound"}
    assert ask(scoped(here, alice, "drop"), "Email/query", accountId="alice")[1] == {"type": "accountNotFound"}
    assert ask(alice, "Email/query", accountId="alice")[0] == "Email/query"
    for method, args in (
        ("Email/get", {"ids": 7}),
        ("Email/get", {"ids": ["x" * 3000]}),
        ("Email/query", {"filter": {"odd": 1}}),
        ("Nothing/get", {}),
        ("Email/query", {"sort": [{"property": "size"}]}),
        ("Email/query", {"position": "x"}),
        ("Email/query", {"filter": ODD}),
        ("Email/get", {"#ids": {"resultOf": "9", "name": "x", "path": "/a"}}),
        ("Email/set", {"update": {"i-x": {"mailboxIds": 7}}}),
        ("Email/set", {"create": {"a": {"to": [{"email": "x\r\nBcc: y"}]}}}),
        ("EmailSubmission/set", {"create": {"a": {"emailId": "x"}}}),
        ("Email/changes", {"sinceState": "x"}),
        ("Email/query", {"filter": {"text": 7}}),
        ("Email/set", {"destroy": ["zz"]}),
    ):
        name, told = ask(alice, method, accountId="alice", **args)[:2]
        assert name in ("error", method), told
    for path in ("/jmap/download/alice/m-i-nothing/x", "/jmap/download/alice/b-nothing/x", "/jmap/download/bob/x/x"):
        answer = requests.get(here.running.api + path, headers={"authorization": f"Bearer {alice}"}, timeout=20)
        assert answer.status_code in (403, 404), answer.text
    for body in (b"", b"[]", b'{"using":[],"methodCalls":[7]}', b'{"using":["x"],"methodCalls":[]}'):
        answer = requests.post(f"{here.running.api}/jmap/api", data=body, headers={"authorization": f"Bearer {alice}"}, timeout=20)
        assert answer.status_code == 400, answer.text
    assert requests.get(f"{here.running.api}/.well-known/jmap", timeout=20).status_code == 401


def test_a_program_hears_of_new_mail(here: Mailed, alice: str) -> None:
    url = f"{here.running.api}/jmap/events?types=*&closeafter=state&ping=0"
    with requests.get(url, headers={"authorization": f"Bearer {alice}"}, stream=True, timeout=30) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        with smtplib.SMTP("127.0.0.1", here.running.smtp, timeout=20) as client:
            client.sendmail("carol@x.test", [f"a@alice.{DOMAIN}"], letter("carol@x.test", f"a@alice.{DOMAIN}", "News"))
        heard = next(line for line in lines if line.startswith("data: "))
    assert "alice" in heard


def test_a_feed_is_subscribed_to_and_asked_again_only_when_it_changed(here: Mailed, alice: str) -> None:
    when = 'start: "2026-12-10T10:00:00", timezone: "Europe/Copenhagen", rrule: "FREQ=DAILY;COUNT=3"'
    here.ask(f'event calendar/feed @one {{ title: "One", {when} }}', alice)
    url = here.ask("calendar feed calendar/feed", alice)["feed_url"]
    first = requests.get(url, timeout=20)
    assert first.headers["content-type"] == "text/calendar; charset=utf-8"
    found = icalendar.Calendar.from_ical(first.content)
    assert [str(one["SUMMARY"]) for one in found.walk("VEVENT")] == ["One"]
    assert requests.get(url, headers={"if-none-match": first.headers["etag"]}, timeout=20).status_code == 304
    here.ask('event calendar/feed @two { title: "Two", start: "2026-12-11" }', alice)
    second = requests.get(url, headers={"if-none-match": first.headers["etag"]}, timeout=20)
    assert second.status_code == 200
    assert len(icalendar.Calendar.from_ical(second.content).walk("VEVENT")) == 2
    here.ask("calendar revoke calendar/feed", alice)
    assert requests.get(url, timeout=20).status_code == 403
