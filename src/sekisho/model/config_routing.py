"""Settings of routing: the table of rules that says where an address goes, and sendmail's terms for it."""

from typing import Annotated, Literal

from sekisho.model.config_base import Settings, about


class Rule(Settings, frozen=True):
    recipients: Annotated[
        tuple[str, ...],
        about(
            'For whom: "user@example.com", "@example.com", "@*.example.com" (every name below it), "user@" '
            '(that name in our domains), "*+*@" (a * before the @ is any text), "ours" (our domains), "bare" '
            '(names without a domain, and what aliases lead to), "*" (everybody).'
        ),
    ]
    to: Annotated[
        str,
        about(
            'Where: "NAME:PORT" or "[IP]:PORT" (that host), "mx:NAME" (the mail servers of NAME), "mx" '
            '(those of the recipient\'s domain), "smarthost", "smarthost:NAME" (that of '
            'outbound.smarthosts), "local" (a mailbox here) or "refuse".'
        ),
    ]
    address: Annotated[
        str, about('What the next host is told: "keep", or "@example.net" for the same name there.')
    ] = "keep"
    users: Annotated[
        Literal["all", "unknown"],
        about("all, or of our domains only the names that nobody has here."),
    ] = "all"
    senders: Annotated[
        tuple[str, ...],
        about(
            'Only for mail of these accounts or, from trusted networks, senders: "user@example.com", '
            '"@example.com". Empty: of everybody.'
        ),
    ] = ()
    verify: Annotated[
        bool,
        about(
            "Ask the next host at RCPT whether it knows the recipient, and refuse whom it does not know, so "
            "that no bounce goes to a forged sender."
        ),
    ] = False
    aliases: Annotated[
        Literal["after", "before"],
        about("after: the rule is asked about what aliases lead to. before: aliases are not looked at."),
    ] = "after"


class SendmailTerms(Settings, frozen=True):
    local_relay: Annotated[
        str,
        about(
            'LOCAL_RELAY: "smtp:NAME" (its mail servers) or "smtp:[NAME]" (that host) for mail to our '
            "domains; with stickyhost only for names without a domain."
        ),
    ] = ""
    mail_hub: Annotated[
        str, about("MAIL_HUB: as local_relay; comes before it, and with stickyhost before aliases too.")
    ] = ""
    local_user: Annotated[tuple[str, ...], about("LOCAL_USER: names that stay here.")] = ()
    stickyhost: Annotated[bool, about("FEATURE(stickyhost).")] = False
    exact: Annotated[
        bool,
        about(
            "As sendmail to the letter: without stickyhost the next host is told user@NAME, which it may not "
            "know; with it local_user does not bind for a hub. Off: addresses keep their domain, and users "
            "of local_user always stay."
        ),
    ] = False
    verify: Annotated[bool, about("As verify of a rule, for mail_hub and local_relay.")] = False
    spellings: Annotated[
        bool,
        about("user%host@ours is read as user@host, and \\user@ours as user past all aliases."),
    ] = False


class Verification(Settings, frozen=True):
    known_s: Annotated[int, about("How long it is remembered that a host knows a recipient.", ge=1)] = 3600
    unknown_s: Annotated[
        int, about("The same of a recipient that it does not know: a new user waits so long.", ge=1)
    ] = 300
    silent_s: Annotated[
        int, about("How long a host that did not answer is not asked again, in seconds.", ge=0)
    ] = 10
    answer_s: Annotated[int, about("Longest wait for an answer, connection and all.", ge=1, le=240)] = 20
    at_once: Annotated[int, about("Most questions under way to one host; others wait.", ge=1)] = 5
    entries: Annotated[int, about("Most recipients remembered, known and unknown each.", ge=1)] = 20_000
    unanswered: Annotated[
        Literal["defer", "take"],
        about(
            "When the host does not answer. defer: 451, the sender's server comes again. take: the letter is "
            "taken and waits here, and bounces if it must."
        ),
    ] = "defer"


class Routing(Settings, frozen=True):
    rules: Annotated[
        dict[str, Rule], about("Where mail goes: rules by name, in their order; the first that fits decides.")
    ] = {}
    sendmail: Annotated[
        SendmailTerms, about("The same in sendmail's terms; these rules come after those of routing.rules.")
    ] = SendmailTerms()
    verification: Annotated[
        Verification, about("How recipients are verified, for rules with verify = true.")
    ] = Verification()
    own_names: Annotated[
        tuple[str, ...],
        about(
            'Further names of this server, such as "localhost" or "[192.0.2.1]": mail for them is mail for '
            "the hostname if that is a domain of ours, else for our first domain."
        ),
    ] = ()
