"""Names, addresses, conversations and scores of mail; what a domain says of its mail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.core import access, mail, markup, senders
from ocean.core.access import Rule
from ocean.core.mail import Address, Results
from ocean.errors import OceanError


@pytest.mark.parametrize("name", ["alice", "a1", "a-b", "x" * 32, "77"])
def test_names_that_a_mailbox_may_have(name: str) -> None:
    assert mail.check_name(name.upper()) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "a.b", "a b", "x" * 33, "ä", "xn--abc", "a\n"])
def test_names_that_it_may_not_have(name: str) -> None:
    with pytest.raises(OceanError) as caught:
        mail.check_name(name)
    assert caught.value.code == "INVALID_VALUE"


def test_some_names_are_kept_back() -> None:
    with pytest.raises(OceanError) as caught:
        mail.check_name("Postmaster")
    assert caught.value.code == "CONFLICT"
    assert mail.check_name("postmaster", reserved=True) == "postmaster"


def test_folders_and_their_mailboxes() -> None:
    assert mail.folder("alice", mail.INBOUND) == "mail/alice/inbound"
    assert [mail.mailbox_of(route) for route in ("mail/alice/inbound", "mail/alice", "mail", "mail/", "mails/alice")] == [
        "alice",
        "alice",
        None,
        None,
        None,
    ]
    assert [mail.is_mailbox(route) for route in ("mail/alice", "mail/alice/inbound", "mails/a", "mail")] == [True, False, False, False]


def test_a_mailbox_is_written_to_by_nobody_before_it_is_claimed() -> None:
    nobody: dict[str, Rule | None] = {"mail": None, "mail/alice": None}
    assert access.decide("mail/alice", "k" * 43, "drop", nobody) == "deny"
    assert access.decide("mail/alice", "k" * 43, "query", nobody) == "allow"  # there is nothing in it
    assert "claim" in str(access.refusal("mail/alice", "k" * 43, "drop").hint)
    rules: dict[str, Rule | None] = {"mail": None, "mail/alice": Rule("owner", "shared")}
    assert [access.decide("mail/alice", who, "drop", rules) for who in ("owner", "other", None)] == ["allow", "deny", "deny"]


def test_hosts_are_as_dns_knows_them() -> None:
    assert [mail.host_of(text) for text in ("a@Example.COM.", "a@bücher.example", "a@" + "ä" * 80)] == [
        "example.com",
        "xn--bcher-kva.example",
        "",
    ]


def test_addresses_of_a_field() -> None:
    found = mail.read_addresses(["Bob <bob@Example.com>", 'carol@example.org, "Dora, D" <d@x.example>'], "to")
    assert found == [Address("Bob", "bob@example.com"), Address("", "carol@example.org"), Address("Dora, D", "d@x.example")]
    assert found[0].host == "example.com"


@pytest.mark.parametrize(
    "given_", ["", [], 7, ["a@x.example", 7], "a", "a@x.example\r\nBcc: b@x.example", "a@b", ["a@x.example"] * 101, "a@" + "ä" * 80]
)
def test_what_is_no_field_of_addresses(given_: object) -> None:
    with pytest.raises(OceanError) as caught:
        mail.read_addresses(given_, "to")
    assert caught.value.code == "INVALID_VALUE"


def test_what_may_stand_in_a_message() -> None:
    assert (mail.check_subject("Grüße"), mail.check_body("a\r\nb")) == ("Grüße", "a\r\nb")
    for bad in ("a\r\nBcc: x@example.com", "a\nb", "x" * 1000, "a\x00b", "a\u2028b"):
        with pytest.raises(OceanError):
            mail.check_subject(bad)
    for bad in ("x" * (mail.MAX_BODY + 1), "a\x00b"):
        with pytest.raises(OceanError):
            mail.check_body(bad)


def test_ids_and_conversations() -> None:
    assert mail.message_ids(" <a@b> text <c@d> <a@b> <> <e f@g> <h@i") == ["<a@b>", "<c@d>"]
    many = " ".join(f"<{n}@x>" for n in range(10))
    assert mail.message_ids(many, 3) == ["<0@x>", "<8@x>", "<9@x>"]
    assert mail.thread_of(["<a@b>", "<c@d>"]) == mail.thread_of(["<a@b>"]) != mail.thread_of(["<c@d>"])


@given(st.text(max_size=60))
def test_an_answer_is_called_what_it_answers(subject: str) -> None:
    plain = mail.plain_subject(subject)
    assert mail.plain_subject(f"Re: AW[2]: Fwd : {subject}") == plain
    assert mail.reply_subject(subject) == f"Re: {plain}"


def test_what_is_found_of_a_sender() -> None:
    proven = Results("pass", "pass", "pass", "none", "reject", "x.example", ("x.example",))
    assert proven.authentic
    assert proven.to_json() == {"spf": "pass", "dkim": "pass", "dmarc": "pass", "arc": "none", "policy": "reject", "signers": ["x.example"]}
    assert Results().to_json() == {"spf": "none", "dkim": "none", "dmarc": "none", "arc": "none"}
    assert not Results().authentic


@pytest.mark.parametrize(
    ("results", "faults", "score"),
    [
        (Results("pass", "pass", "pass"), [], 0.0),
        (Results("fail", "none", "fail", "none", "reject"), [], 8.0),
        (Results("softfail", "fail", "fail", "none", "none"), ["it has no Date"], 5.5),
        (Results(), [], 1.0),
        (Results("permerror", "none"), [], 1.0),
    ],
)
def test_scores(results: Results, faults: list[str], score: float) -> None:
    found, reasons = mail.spam_of(results, faults)
    assert found == score
    assert bool(reasons) == bool(score)


def test_organisations() -> None:
    assert [senders.organisation(one) for one in ("mail.example.co.uk", "example.co.uk", "a.b.example.org", "localhost")] == [
        "example.co.uk",
        "example.co.uk",
        "example.org",
        "localhost",
    ]
    assert senders.aligned("a.example.org", "b.example.org", strict=False)
    assert not senders.aligned("a.example.org", "b.example.org", strict=True)


def test_policies() -> None:
    text = b"v=DMARC1; p=Reject; sp=none; aspf=s; adkim=r; rua=mailto:x@example.org"
    assert senders.policy_of([b"v=spf1 -all", text], beneath=False) == senders.Policy("reject", True, False)
    assert senders.policy_of([text], beneath=True) == senders.Policy("none", True, False)
    assert senders.policy_of([b"v=DMARC1; p=quarantine"], beneath=True) == senders.Policy("quarantine", False, False)
    assert senders.policy_of([b"v=DMARC1; p=whatever"], beneath=False) == senders.Policy("none", False, False)
    assert senders.policy_of([text, text], beneath=False) is None
    assert senders.policy_of([b"v=DMARC10"], beneath=False) is None


def test_transport_policies() -> None:
    assert senders.sts_id([b"v=spf1", b"v=STSv1; id=20240101T;"]) == "20240101T"
    assert senders.sts_id([b"v=STSv1; id=a;"] * 2) is None
    assert senders.sts_id([b"v=STSv1;"]) is None
    found = senders.sts_policy(b"version: STSv1\r\nmode: enforce\r\nmx: mx1.x.test\r\nmx: *.Y.test.\nmax_age: 604800\nnothing\n")
    assert found == senders.Transport("enforce", ("mx1.x.test", "*.y.test"), 604800)
    assert [found.allows(host) for host in ("MX1.x.test.", "a.y.test", "b.a.y.test", "y.test")] == [True, True, False, False]
    assert senders.sts_policy(b"version: STSv1\nmode: none\nmax_age: 99999999") == senders.Transport("none", (), 31_557_600)
    for bad in (
        b"version: STSv1\nmode: enforce\nmax_age: 1",
        b"mode: none\nmax_age: 1",
        b"version: STSv1\nmode: odd\nmax_age: 1",
        b"version: STSv1\nmode: none\nmax_age: x",
        b"x" * (senders.MAX_POLICY + 1),
    ):
        assert senders.sts_policy(bad) is None


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "forward", "to": "bob@example.com"},
        {"type": "vacation", "body": "A", "start": "2026-01-01", "end": "2027-01-01T10:00:00Z"},
        {"type": "forward", "to": "bob@example.com", "from": "example.com", "subject_has": "x", "active": False},
    ],
)
def test_rules(rule: dict[str, object]) -> None:
    mail.check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        None,
        {},
        {"type": "teleport"},
        {"type": "forward"},
        {"type": "forward", "to": "bob"},
        {"type": "vacation"},
        {"type": "vacation", "body": " "},
        {"type": "vacation", "body": "x", "end": "someday"},
        {"type": "vacation", "body": "x", "from": 7},
    ],
)
def test_what_is_no_rule(rule: object) -> None:
    with pytest.raises(OceanError) as caught:
        mail.check_rule(rule)
    assert caught.value.code == "INVALID_VALUE"


def test_html_that_is_too_deep() -> None:
    assert markup.too_deep("<div>" * 301)
    assert not markup.too_deep("<div>" * 300 + "</div>" * 500 + "<br><img>" * 1000 + "<p></p>" * 1000)
