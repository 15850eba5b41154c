"""Somebody else's mail on this machine: Postfix with its maildir, the milters that verify DKIM, SPF and DMARC, and dnsmasq for all.

Debian: postfix opendkim opendmarc pyspf-milter libmail-dkim-perl python3-dkim python3-nacl python3-dnspython swaks libnet-ssleay-perl
dnsmasq-base. Needs root.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import free_ports
from tests.names import Names, run, wait_for

HOST, DOMAIN = "mx.peer.test", "peer.test"
NOBODY = "65534"


@dataclass
class Milters:
    """opendkim, pyspf-milter and opendmarc, which ask `names`; each writes its Authentication-Results."""

    folder: Path
    names: Names
    dkim: int = 0
    spf: int = 0
    dmarc: int = 0
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def ports(self) -> list[int]:
        """In the order that Postfix is to ask them: opendmarc reads what the other two wrote."""
        return [self.spf, self.dkim, self.dmarc]

    def start(self) -> None:
        self.dkim, self.spf, self.dmarc = free_ports(3)
        folder, at = self.folder, "inet:{}@127.0.0.1".format
        none = folder / "none"
        none.write_text("192.0.2.255\n")  # who is exempt; by default it is 127.0.0.1, which everybody here is
        # opendkim asks libunbound, which answers .test (RFC 6761) itself and asks no server at 127.0.0.0/8 unless told
        (folder / "unbound.conf").write_text(
            'server:\n  do-not-query-localhost: no\n  local-zone: "test." nodefault\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n'
            f'forward-zone:\n  name: "."\n  forward-addr: {self.names.address}@{self.names.port}\n'
        )
        (folder / "opendkim.conf").write_text(
            f"Mode v\nSocket {at(self.dkim)}\nAuthservID {HOST}\nInternalHosts {none}\nPeerList {none}\nExternalIgnoreList {none}\n"
            f"ResolverConfiguration {folder}/unbound.conf\nUserID nobody\nSyslog no\nOn-DNSError accept\n"
            "AlwaysAddARHeader yes\nMinimumKeyBits 1024\n"
        )
        (folder / "opendmarc.conf").write_text(
            f"Socket {at(self.dmarc)}\nAuthservID {HOST}\nTrustedAuthservIDs {HOST}\nIgnoreHosts {none}\nUserID nobody\nSyslog false\n"
            "RejectFailures false\nPublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat\n"
        )
        (folder / "pyspf.conf").write_text(
            "debugLevel = 0\nTestOnly = 1\nHELO_reject = False\nMail_From_reject = False\nPermError_reject = False\n"
            f"TempError_Defer = False\nskip_addresses = 192.0.2.255/32\nInternalHosts = 192.0.2.255\nAuthserv_Id = {HOST}\n"
            f"Socket = {at(self.spf)}\nPidFile = {folder}/pyspf.pid\nUserID = nobody:nogroup\nHeader_Type = AR\n"
        )
        for name, command in (
            ("opendkim", ["/usr/sbin/opendkim", "-f", "-x", f"{folder}/opendkim.conf"]),
            ("pyspf", ["/usr/bin/pyspf-milter", f"{folder}/pyspf.conf"]),
            ("opendmarc", ["/usr/sbin/opendmarc", "-f", "-c", f"{folder}/opendmarc.conf"]),
        ):
            self.running.append(run(_resolving(folder, self.names, *command), folder / f"{name}.log"))
        for port, process in zip((self.dkim, self.spf, self.dmarc), self.running, strict=True):
            wait_for(port, process=process)

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.running.clear()


MAIN = """
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = {folder}
maillog_file = {folder}/mail.log
multi_instance_wrapper =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = all
inet_protocols = ipv4
myhostname = mx.peer.test
mydomain = peer.test
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
virtual_mailbox_domains = peer.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_minimum_uid = 100
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_mailbox_limit = 0
message_size_limit = 52428800
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/etc/chain.pem
smtpd_tls_key_file = {folder}/etc/key.pem
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_tls_security_level = may
smtp_tls_CAfile = {folder}/etc/ca.pem
smtp_tls_loglevel = 1
smtp_host_lookup = dns
transport_maps = {transports}
smtpd_milters = {milters}
milter_default_action = tempfail
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
{address}:25 inet n - n - - smtpd
127.0.0.1:{proxied} inet n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
  -o mynetworks=
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    """Postfix with all its files in a folder of its own beneath /tmp: its users cannot enter pytest's folders.

    It takes mail for every local part of peer.test, at a port of 127.0.0.1 and at port 25 of the name server's address, and relays what
    127.0.0.1 gives it for others: to `transports[domain]`
    (`smtp:[127.0.0.1]:2525`, or `smtp:domain:2525` for the domain's MX in `names` at that port), else to the MX at port 25.
    """

    names: Names
    ca: Path
    ca_key: Path
    verify: bool = False  # with the milters
    transports: dict[str, str] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)  # lines of main.cf
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="postfix-", dir="/tmp")))
    port: int = 0
    proxied: int = 0
    milters: Milters | None = None
    process: subprocess.Popen[bytes] | None = None
    fronts: list[Front] = field(default_factory=list)

    def start(self) -> None:
        folder = self.folder
        folder.chmod(0o755)
        for name in ("etc", "queue", "data", "mail"):
            (folder / name).mkdir(exist_ok=True)
        shutil.chown(folder / "data", "postfix")
        self._queue()
        os.chown(folder / "mail", int(NOBODY), int(NOBODY))
        if self.verify:
            self.milters = Milters(folder, self.names)
            self.milters.start()
        self.port, self.proxied = free_ports(2)
        asked = self.milters.ports if self.milters else []
        transports = ", ".join(f"{{ {domain} = {to} }}" for domain, to in self.transports.items())
        values = {
            "folder": folder,
            "transports": f"inline:{{ {transports} }}" if transports else "",  # an empty inline table is an error
            "milters": ", ".join(f"inet:127.0.0.1:{port}" for port in asked),
        }
        shutil.copy(self.ca, folder / "etc" / "ca.pem")
        signed(folder / "etc", HOST, self.ca, self.ca_key)
        (folder / "etc" / "main.cf").write_text(MAIN.format(**values) + "".join(f"{k} = {v}\n" for k, v in self.more.items()))
        (folder / "etc" / "master.cf").write_text(MASTER.format(port=self.port, proxied=self.proxied, address=self.names.address))
        os.utime(folder / "etc" / "main.cf", (1e9, 1e9))  # of one that is just written Postfix waits for more: one or two seconds
        command = _resolving(folder, self.names, "/usr/sbin/postfix", "-c", f"{folder}/etc", "start-fg")
        self.process = run(command, folder / "start.log", session=True)
        wait_for(self.port, process=self.process)

    def stop(self) -> None:
        for front in self.fronts:
            front.close()
        self.fronts.clear()
        if self.process is not None:
            # the script that we started waits for the master, whose children leave with it
            if (master := self.folder / "queue" / "pid" / "master.pid").exists():
                os.kill(int(master.read_text()), signal.SIGTERM)
            else:
                self.process.kill()
            self.process.wait(20)
            self.process = None
        if self.milters is not None:
            self.milters.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def seen_from(self, address: str) -> int:
        """A port at which Postfix takes who comes for `address` (and for no friend): SPF lets everything from 127.0.0.1 pass."""
        self.fronts.append(front := Front(self.proxied, address))
        return front.port

    def _queue(self) -> None:
        """What `postfix check` would make, in seconds: quick-start tells it that there is nothing to check."""
        queue = self.folder / "queue"
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"):
            (queue / name).mkdir(mode=0o700, exist_ok=True)
            shutil.chown(queue / name, "postfix")
        for name, mode in (("maildrop", 0o1730), ("public", 0o2710)):
            (queue / name).mkdir(exist_ok=True)
            shutil.chown(queue / name, "postfix", "postdrop")
            (queue / name).chmod(mode)
        (queue / "pid").mkdir(exist_ok=True)
        (queue / "quick-start").touch()

    @property
    def log(self) -> str:
        file = self.folder / "mail.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def wait_log(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := re.search(pattern, self.log):
                return found
            time.sleep(0.02)
        raise AssertionError(f"no {pattern} in the log:\n{self.log[-3000:]}")

    @property
    def new(self) -> Path:
        return self.folder / "mail" / "box" / "new"

    def mails(self) -> list[bytes]:
        """What lies in the maildir, oldest first: the mail as it came, below Return-Path, X-Original-To, Delivered-To, Received."""
        if not self.new.exists():
            return []
        return [file.read_bytes() for file in sorted(self.new.iterdir(), key=lambda file: file.stat().st_mtime_ns)]

    def wait(self, count: int, seconds: float = 20) -> list[bytes]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.new.exists() and len(os.listdir(self.new)) >= count:
                return self.mails()
            time.sleep(0.01)
        raise AssertionError(f"{len(self.mails())} mails and not {count}:\n{self.log[-3000:]}")

    def clear(self) -> None:
        if self.new.exists():
            for file in self.new.iterdir():
                file.unlink()

    def sendmail(self, sender: str, recipient: str, raw: bytes) -> str:
        """Gives it a mail, which it delivers or relays; its queue id, by which the log says what became of it (`status=`)."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.ehlo("client.peer.test")
            for code, text in (client.mail(sender), client.rcpt(recipient), client.data(raw)):
                assert code == 250, (code, text, self.log[-3000:])
        return text.decode().rpartition(" ")[2]

    def outcome(self, queue_id: str, seconds: float = 20) -> str:
        """`sent`, `deferred` or `bounced`, and what the other side said."""
        return self.wait_log(rf"{queue_id}: to=.*status=(.*)", seconds)[1]


class Front:
    """Hands connections to a port with a PROXY line (version 1) before them."""

    def __init__(self, target: int, address: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.target, self.address = target, address
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, (_, port) = self.listener.accept()
            except OSError:  # closed
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            server.sendall(f"PROXY TCP4 {self.address} 127.0.0.1 {port} {self.port}\r\n".encode())
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # the other side has gone
        source.close()


VERIFY = r"""
use strict; use warnings; use Net::DNS::Resolver; use Mail::DKIM::Verifier; use Mail::DKIM::DNS;
my ($host, $port) = @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => [$host], port => $port, recurse => 1, udp_timeout => 5, retry => 2));
binmode STDIN; local $/; my $raw = <STDIN>; $raw =~ s/\r?\n/\r\n/g;
my $verifier = Mail::DKIM::Verifier->new(); $verifier->PRINT($raw); $verifier->CLOSE;
for my $s ($verifier->signatures) { print join("\t", $s->domain // '', $s->selector // '', $s->algorithm // '', $s->result_detail), "\n" }
"""


VERIFY_ED25519 = """
import sys, dkim, dns.resolver
host, port, index = sys.argv[1:]
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = [host], int(port)
def txt(name, timeout=5):
    try:
        return b"".join(resolver.resolve(name.decode() if isinstance(name, bytes) else name, "TXT", lifetime=timeout)[0].strings)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
try:
    print("pass" if dkim.DKIM(sys.stdin.buffer.read()).verify(int(index), dnsfunc=txt) else "fail")
except dkim.DKIMException as error:
    print(f"fail ({error})")
"""


def verify_dkim(raw: bytes, dns_server: str) -> list[tuple[str, str, str, str]]:
    """What Mail::DKIM says of each signature, from the top: domain, selector, algorithm, and `pass` or `fail (why)`.

    Debian 12's Mail::DKIM is older than its ed25519: of those signatures Debian's python3-dkim speaks (and opendkim, in `results`).
    """
    host, _, port = dns_server.rpartition(":")
    made = subprocess.run(["perl", "-e", VERIFY, host, port], input=raw, capture_output=True, timeout=60, check=True)
    found: list[tuple[str, str, str, str]] = []
    for line in made.stdout.decode().splitlines():
        domain, selector, algorithm, result = line.split("\t")
        if algorithm == "ed25519-sha256":
            told = ["/usr/bin/python3", "-I", "-c", VERIFY_ED25519, host, port, str(len(found))]
            result = subprocess.run(told, input=raw, capture_output=True, timeout=60, check=True).stdout.decode().strip()
        found.append((domain, selector, algorithm, result))
    return found


def results(raw: bytes) -> str:
    """The Authentication-Results of Postfix's side, unfolded, one a line."""
    head = re.sub(rb"\r?\n[ \t]+", b" ", re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]).decode(errors="replace")
    return "\n".join(re.findall(rf"^Authentication-Results: *{re.escape(HOST)};.*", head, re.MULTILINE | re.IGNORECASE))


def swaks(port: int, sender: str, recipient: str, eml: Path, *more: str, host: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    """`more`: `--tls`; `--auth PLAIN --auth-user U --auth-password P` (with `--tls`); `--tls-verify --tls-ca-path ca.pem`."""
    return subprocess.run(
        ["swaks", "--server", host, "--port", str(port), "--from", sender, "--to", recipient, "--ehlo", "client.peer.test",
         "--data", f"@{eml}", "--timeout", "20", *more],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def smtp_source(port: int, count: int, recipient: str, sessions: int = 8, size: int = 2048, keep: bool = False) -> float:
    """Seconds until all is accepted. smtp-source makes a connection for each mail, unless `keep` (its -d)."""
    command = ["smtp-source", "-s", str(sessions), "-m", str(count), "-l", str(size), "-f", "load@client.peer.test", "-t", recipient]
    began = time.perf_counter()
    subprocess.run([*command, *(["-d"] if keep else []), f"127.0.0.1:{port}"], check=True, timeout=600, capture_output=True)
    return time.perf_counter() - began


def authority(folder: Path) -> tuple[Path, Path]:
    """A certificate authority: its certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority.peer.test")])
    made = (
        _certificate(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    _write_key(folder / "ca.key", key)
    return folder / "ca.pem", folder / "ca.key"


def signed(folder: Path, host: str, ca: Path, ca_key: Path) -> tuple[Path, Path]:
    """A certificate for a host by the authority, and its key."""
    issuer = x509.load_pem_x509_certificate(ca.read_bytes())
    issuer_key = serialization.load_pem_private_key(ca_key.read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), issuer.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / "chain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM) + ca.read_bytes())
    _write_key(folder / "key.pem", key)
    return folder / "chain.pem", folder / "key.pem"


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now - timedelta(1), now + timedelta(30))


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    plain = serialization.NoEncryption()
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    file.chmod(0o600)


def _resolving(folder: Path, names: Names, *command: str) -> list[str]:
    """The command in a mount namespace of its own, where /etc/resolv.conf names our DNS and nothing else does."""
    assert names.port == 53, "resolv.conf knows no ports"
    file = folder / "resolv.conf"
    file.write_text(f"nameserver {names.address}\noptions timeout:2 attempts:2\n")
    file.chmod(0o644)
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(file), *command]
