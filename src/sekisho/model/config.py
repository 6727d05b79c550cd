"""The settings, one typed tree. Defaults stand here and nowhere else; `docs/config.md` is made from the
descriptions.

Unknown keys are errors. Secrets are names of files. Domains, accounts and aliases are not settings: users
change them, so they live in the database. Durations are in seconds, sizes in bytes.
"""

from typing import Annotated, Literal

from sekisho.model.config_base import Settings
from sekisho.model.config_base import about as _about
from sekisho.model.config_booth import BOOTHS as BOOTHS
from sekisho.model.config_guard import Allow as Allow
from sekisho.model.config_guard import Guard as Guard
from sekisho.model.config_hands import Hand as Hand
from sekisho.model.config_listen import Listen as Listen
from sekisho.model.config_listen import Protocol as Protocol
from sekisho.model.config_notify import Notify as Notify
from sekisho.model.config_notify import Webhook as Webhook
from sekisho.model.config_oauth import OAuth
from sekisho.model.config_proof import Dkim, Dmarc, Spf
from sekisho.model.config_returns import Returns
from sekisho.model.config_routing import Routing
from sekisho.model.config_sendmail import Sendmail

FRONTS_MOST = 64
"""No spool has a higher number."""

class Limits(Settings, frozen=True):
    message_bytes: Annotated[int, _about("Largest message, in bytes of wire form.", ge=1024)] = (
        50 * 1024 * 1024
    )
    recipients: Annotated[
        int,
        _about(
            "Most recipients of one message from an authenticated or trusted client.",
            ge=100,  # RFC 5321 4.5.3.1.8
        ),
    ] = 1000
    recipients_stranger: Annotated[int, _about("Most recipients of one message from anybody else.", ge=1)] = (
        100
    )
    sessions: Annotated[int, _about("Most sessions open at once, per front.", ge=1)] = 10_000
    sessions_per_address: Annotated[int, _about("Most sessions from one client address.", ge=1)] = 50
    errors: Annotated[
        int, _about("After this many refused commands the session is closed with 421.", ge=1)
    ] = 20
    bad_recipients: Annotated[
        int, _about("After this many unknown recipients the session is closed with 421.", ge=1)
    ] = 10
    command_s: Annotated[int, _about("Longest silence between commands (RFC 5321 4.5.3.2.7: 300).", ge=1)] = (
        300
    )
    data_s: Annotated[int, _about("Longest silence within a message (RFC 5321 4.5.3.2.5: 180).", ge=1)] = 180
    data_min_rate: Annotated[
        int, _about("Slowest message, in bytes per second, after the first minute.", ge=0)
    ] = 100
    hops: Annotated[int, _about("A message with more Received fields is looping.", ge=10)] = 50
    role_silence_s: Annotated[
        int,
        _about(
            'With processes = "split", a role that answers nothing for this long is ended and replaced; '
            "one that is starting has ten times as long.",
            ge=2,
        ),
    ] = 60
    free_min: Annotated[
        int, _about("Below this many free bytes on the spool's disk, MAIL is answered 452.", ge=0)
    ] = 100 * 1024 * 1024


class Limit(Settings, frozen=True):
    concurrency: Annotated[int, _about("Most connections at once; 0: as everywhere.", ge=0)] = 0
    per_minute: Annotated[int, _about("Most messages a minute, spread evenly; 0: as everywhere.", ge=0)] = 0
    lifetime_s: Annotated[
        int, _about("After this long a recipient there is given up and reported; 0: as everywhere.", ge=0)
    ] = 0


class Queue(Settings, frozen=True):
    lifetime_s: Annotated[
        int, _about("After this long an undelivered recipient is given up and reported.", ge=60)
    ] = 5 * 86400
    bounce_lifetime_s: Annotated[int, _about("The same for messages without a return path.", ge=60)] = (
        2 * 86400
    )
    first_retry_s: Annotated[
        int,
        _about(
            "Wait after the first failed try; doubles with every try, with chance of a quarter more or less.",
            ge=1,
        ),
    ] = 300
    longest_retry_s: Annotated[int, _about("Longest wait between two tries.", ge=1)] = 4 * 3600
    schedule: Annotated[
        Literal["exponential", "quadratic"],
        _about(
            "exponential: waits double. quadratic: as qmail, the n-th try after the first comes "
            "n x n x 400 s after it, n x n x 100 s for mailboxes of ours; first_retry_s and longest_retry_s "
            "are then not used."
        ),
    ] = "exponential"
    lane_concurrency: Annotated[int, _about("Most connections to one destination at once.", ge=1)] = 20
    lane_per_minute: Annotated[
        int, _about("Most messages a minute to one destination, spread evenly; 0: no limit.", ge=0)
    ] = 0
    host_concurrency: Annotated[
        int, _about("Most connections to one address at once, whichever destinations it serves.", ge=1)
    ] = 20
    limits: Annotated[
        dict[str, Limit],
        _about(
            'Other limits by destination or host: "example.net", "*.example.net" (every name below it), '
            '"*" (every name), "192.0.2.1" or "192.0.2.0/24" (addresses that are called).'
        ),
    ] = {}
    concurrency: Annotated[int, _about("Most tries under way at once, all destinations together.", ge=1)] = (
        500
    )
    active: Annotated[int, _about("Most deliveries held in memory; the rest wait in the spool.", ge=100)] = (
        20_000
    )
    bounce_bytes: Annotated[
        int, _about("Most bytes of the original message that a bounce carries.", ge=0)
    ] = 50_000
    delay_warning_s: Annotated[
        int, _about("After this long the sender is told, once, that a message waits; 0: never.", ge=0)
    ] = 4 * 3600
    double_bounces: Annotated[
        Literal["postmaster", "drop"],
        _about(
            "What becomes of a bounce, or another message without return path, that cannot be delivered: "
            "the postmaster of the first domain is told, or it is only counted."
        ),
    ] = "postmaster"
    keep_purged_s: Annotated[int, _about("How long a purged message can be restored.", ge=0)] = 7 * 86400
    keep_purged_bytes: Annotated[
        int, _about("Most bytes of purged messages kept; above it the oldest go first.", ge=0)
    ] = 1024**3


TlsLevel = Literal["none", "opportunistic", "required", "verify", "dane"]


class Smarthost(Settings, frozen=True):
    host: Annotated[str, _about('"NAME:PORT" or "[IP]:PORT" that takes all mail for other hosts.')]
    tls: Annotated[
        TlsLevel,
        _about(
            "none, opportunistic (if offered), required (encrypted), verify (the certificate is valid for "
            "the host's name), dane (it is the one that the host's TLSA records name)."
        ),
    ] = "opportunistic"
    user: Annotated[str, _about("Name to log in with; empty: no login.")] = ""
    password_file: Annotated[str, _about("File that holds the password.")] = ""


class Outbound(Settings, frozen=True):
    smarthost: Annotated[
        Smarthost | None, _about("Send everything through this host instead of asking for MX records.")
    ] = None
    smarthosts: Annotated[
        dict[str, Smarthost],
        _about(
            'Further smarthosts by name, for rules: to = "smarthost:NAME". Each has its own login, so that a '
            "sender's, a domain's or a recipient's mail leaves with the account that is meant for it."
        ),
    ] = {}
    hosts: Annotated[
        dict[str, str],
        _about('Next hop by domain, "example.net" = "[192.0.2.1]:25"; comes before the smarthost.'),
    ] = {}
    helo: Annotated[str, _about("Name said in EHLO; empty: the hostname.")] = ""
    source: Annotated[str, _about("Local address to connect from; empty: the system chooses.")] = ""
    port: Annotated[int, _about("Port of remote mail servers.", ge=1, le=65535)] = 25
    connect_s: Annotated[int, _about("Longest wait for a connection.", ge=1)] = 30
    reply_s: Annotated[int, _about("Longest wait for a reply (RFC 5321 4.5.3.2: 300).", ge=1)] = 300
    final_dot_s: Annotated[
        int, _about("Longest wait for the reply to the final dot (RFC 5321 4.5.3.2.6: 600).", ge=1)
    ] = 600
    private_networks: Annotated[
        bool,
        _about("Deliver to loopback and private addresses too. Off: an MX that points there is refused."),
    ] = False
    own_addresses: Annotated[
        tuple[str, ...],
        _about(
            "Further addresses or networks that lead back to this server, as in front of a NAT: "
            "an MX that points there is a loop."
        ),
    ] = ()
    resolver: Annotated[
        tuple[str, ...], _about('DNS servers, "IP" or "IP:PORT"; empty: those of the system.')
    ] = ()
    dnssec_probe: Annotated[
        str,
        _about(
            'A signed name, such as ".", by which to find out that the DNS servers, which must be on this '
            "machine, validate DNSSEC: then DANE is used. Empty: it is not."
        ),
    ] = ""
    tls: Annotated[
        dict[str, TlsLevel],
        _about(
            'Encryption by destination: "example.net", "*.example.net" (every name below it) or "*" = none, '
            "opportunistic (DANE and MTA-STS where the destination publishes them), required, verify, dane."
        ),
    ] = {}


class Local(Settings, frozen=True):
    lmtp: Annotated[
        str,
        _about(
            "Hand mail for our mailboxes to this LMTP server instead of writing it into Maildirs: "
            '"unix:/PATH", "NAME:PORT" or "[IP]:PORT".'
        ),
    ] = ""
    extensions: Annotated[
        Literal["plain", "folder"],
        _about(
            "What becomes of user+tag. plain: delivered as user. folder: into the folder of that name in the "
            "user's Maildir, if there is one; LMTP servers and programs are told the whole address."
        ),
    ] = "plain"
    instructions: Annotated[
        Literal["none", "qmail", "forward"],
        _about(
            "Whether .qmail or .forward files in accounts' folders (mail/DOMAIN/USER/) say what becomes of "
            "their mail; not with lmtp."
        ),
    ] = "none"
    over_quota: Annotated[
        Literal["later", "refuse"],
        _about("Mail for a full mailbox. later: 452 4.2.2, it is tried again; refuse: 552 5.2.2."),
    ] = "later"
    programs: Annotated[
        tuple[str, ...],
        _about(
            "Programs that mail may be handed to, by absolute path; empty: none. No shell is used, unless "
            "/bin/sh is among them."
        ),
    ] = ()
    program_user: Annotated[
        str, _about("System user that these programs run as when the server is root; never root itself.")
    ] = ""
    program_s: Annotated[
        int, _about("Longest time that a program may take, on the wall and of the processor.", ge=1)
    ] = 300
    program_bytes: Annotated[int, _about("Most memory of a program.", ge=64 * 1024 * 1024)] = 1024**3


class Source(Settings, frozen=True):
    addresses: Annotated[
        tuple[str, ...],
        _about("Local addresses to connect from; hosts of a family (IPv4, IPv6) without one are not called."),
    ] = ()
    helo: Annotated[
        str, _about("Name said in EHLO; the PTR records of the addresses should say it too. Empty: as usual.")
    ] = ""
    senders: Annotated[
        tuple[str, ...],
        _about(
            'Whose mail leaves from here: an account, "@example.com" for all accounts of a domain and all '
            "senders in it."
        ),
    ] = ()
    quarantine: Annotated[
        bool, _about("Mail that the guard had doubts about when it came leaves from here, whoever sent it.")
    ] = False


class Vault(Settings, frozen=True):
    concurrency: Annotated[int, _about("Password hashes computed at once (19 MiB each).", ge=1)] = 2
    waiting: Annotated[int, _about("Password checks that may wait for a turn; above it 454.", ge=1)] = 200
    cache_s: Annotated[int, _about("How long a right password is remembered (as a keyed digest).", ge=0)] = (
        300
    )
    cache_entries: Annotated[int, _about("Most passwords remembered.", ge=0)] = 10_000
    scram_rounds: Annotated[
        int,
        _about(
            "AUTH SCRAM-SHA-256: rounds of hashing that each login costs its client, and a guess at a stolen "
            "vault.db its thief; 4096 or more. 0: not offered, no keys are made.",
            ge=0,
            le=2_000_000,
        ),
    ] = 100_000
    wrong_per_address: Annotated[
        int,
        _about("Different wrong passwords from one address in an hour; then no more are looked at.", ge=1),
    ] = 50


class Events(Settings, frozen=True):
    keep_days: Annotated[int, _about("Days that event files are kept.", ge=1)] = 90


class Users(Settings, frozen=True):
    front: Annotated[str, _about("User (name or number) of the processes that talk to the world.")] = ""
    vault: Annotated[str, _about("User of the process that reads password hashes and DKIM keys.")] = ""
    watch: Annotated[str, _about("User of the guard's process.")] = ""
    local: Annotated[str, _about("User of the process that writes mailboxes; their owner.")] = ""
    group: Annotated[str, _about("Group of all four, for what they all read.")] = ""


class Acme(Settings, frozen=True):
    directory: Annotated[
        str,
        _about(
            'An authority\'s ACME directory, as in "https://acme-v02.api.letsencrypt.org/directory"; '
            "`sekisho certificate renew` asks there. Empty: certificates are put in place by hand."
        ),
    ] = ""
    terms_agreed: Annotated[bool, _about("You have read the authority's terms of service and agree.")] = False
    contact: Annotated[tuple[str, ...], _about("Addresses that the authority may write to.")] = ()
    names: Annotated[tuple[str, ...], _about("Names in the certificate; empty: the hostname.")] = ()
    listen: Annotated[
        str, _about('"IP:PORT" where the authority comes to look; it always asks port 80 of the names.')
    ] = "0.0.0.0:80"
    roots: Annotated[
        str, _about("PEM file by which the authority's own certificate is judged; empty: the system's.")
    ] = ""


class Config(Settings, frozen=True):
    hostname: Annotated[str, _about("The name this server calls itself, as its PTR and certificate say.")]
    state: Annotated[str, _about("Folder of databases, spool, mail and keys, relative to this file.")] = "."
    processes: Annotated[
        Literal["one", "split"],
        _about("one: all roles in one process. split: each role its own process, as root with its own user."),
    ] = "one"
    fronts: Annotated[int, _about("Front processes when split.", ge=1, le=FRONTS_MOST)] = 1
    users: Annotated[Users, _about("Who roles run as when split; empty: all as who starts the server.")] = (
        Users()
    )
    certificate: Annotated[str, _about("PEM file with certificate and chain.")] = "keys/cert.pem"
    key: Annotated[str, _about("PEM file with the private key.")] = "keys/key.pem"
    acme: Annotated[Acme, _about("Certificates from an authority that speaks ACME (RFC 8555).")] = Acme()
    trusted: Annotated[tuple[str, ...], _about("Networks that may relay without a password.")] = ()
    zone: Annotated[str, _about('Time zone of dates we write, as in "Asia/Tokyo"; empty: the system\'s.')] = (
        ""
    )
    show_client: Annotated[
        Literal["address", "token", "none"],
        _about(
            "What the Received field says of people who have logged in: their address, a token that "
            "`sekisho trace` resolves to account, address and time, or nothing."
        ),
    ] = "address"
    oauth: Annotated[OAuth, _about("Logins by a token of an identity provider.")] = OAuth()
    checks: Annotated[
        tuple[str, ...], _about("Checks in order; empty: all that are built in, in their own order.")
    ] = ()
    soften: Annotated[
        dict[str, Literal["pass", "tag", "delay", "hold", "defer"]],
        _about("Weakest act allowed to a check; can only make it milder."),
    ] = {}
    listen: Annotated[dict[str, Listen], _about("Listeners by name.")] = {}
    limits: Annotated[Limits, _about("Limits of sessions and messages.")] = Limits()
    queue: Annotated[Queue, _about("The queue.")] = Queue()
    outbound: Annotated[Outbound, _about("Mail to other hosts.")] = Outbound()
    local: Annotated[Local, _about("Mail to our own mailboxes.")] = Local()
    sendmail: Annotated[Sendmail, _about("Mail from programs of this machine (protocol local).")] = Sendmail()
    routing: Annotated[Routing, _about("Where mail goes.")] = Routing()
    source: Annotated[dict[str, Source], _about("Local addresses and EHLO names by sender.")] = {}
    guard: Annotated[Guard, _about("The takeover guard.")] = Guard()
    spf: Annotated[Spf, _about("Which hosts may send mail of other domains (RFC 7208).")] = Spf()
    dkim: Annotated[Dkim, _about("Signatures of domains (RFC 6376).")] = Dkim()
    dmarc: Annotated[Dmarc, _about("Whether the author is who he seems to be (RFC 9989).")] = Dmarc()
    returns: Annotated[Returns, _about("Return paths, and what comes back to them.")] = Returns()
    notify: Annotated[Notify, _about("Who is told.")] = Notify()
    vault: Annotated[Vault, _about("Passwords.")] = Vault()
    events: Annotated[Events, _about("The event archive.")] = Events()
    hands: Annotated[
        dict[str, Hand], _about("Queues of other servers here, by name, for `sekisho queue --on NAME`.")
    ] = {}
