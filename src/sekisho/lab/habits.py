"""Every range from which the generator draws a habit, with its unit; `docs/generator.md` states the same.

One draw is made per person, letter, trip or attack, as the name says. A test holds file and document equal.
"""

import random

from msgspec import Struct


class Range(Struct, frozen=True):
    """Drawn evenly between `low` and `high`, both included."""

    low: float
    high: float
    unit: str

    def draw(self, rng: random.Random) -> float:
        return rng.uniform(self.low, self.high)

    def whole(self, rng: random.Random) -> int:
        return rng.randint(int(self.low), int(self.high))


# Shares of the population, in percent of all accounts; what is missing to 100 are home users.

SHARE_OFFICE = Range(16, 24, "% of accounts")
SHARE_MOBILE = Range(9, 15, "% of accounts")
SHARE_TRAVELLER = Range(7, 11, "% of accounts")
SHARE_VPN = Range(2, 6, "% of accounts")
SHARE_ROLE = Range(3, 7, "% of accounts")
SHARE_SERVER = Range(2, 6, "% of accounts")
SHARE_QUIET = Range(5, 9, "% of accounts")
SHARE_NEWSLETTER = Range(3, 5, "% of accounts")
SHARE_ABROAD = Range(5, 15, "% of accounts that live in another country than the house's")

# A person's day.

SESSIONS = Range(2, 12, "sessions a day")
SESSIONS_QUIET = Range(0.05, 0.4, "sessions a day")
SESSIONS_MOBILE = Range(6, 40, "sessions a day of somebody who lives on the phone")
SESSIONS_SERVER = Range(4, 30, "sessions a day")
WEEKEND = Range(0.2, 1.0, "of a weekday's sessions")
SENDING = Range(0.08, 0.35, "of the sessions send")
SECOND_LETTER = Range(0.1, 0.3, "of the sessions that send have a second letter")
SENDING_SERVER = Range(0.8, 1.0, "of the sessions send")
WAKES = Range(5, 9, "hour of the day")
SLEEPS = Range(20, 25, "hour of the day")
PHONE = Range(0.2, 0.7, "of the sessions from the phone")
PHONE_MOBILE = Range(0.8, 0.97, "of the sessions from the phone, where the phone is the only device")
PHONE_ON_WIFI = Range(0.2, 0.8, "of the phone's sessions over the line at home")
PHONE_ON_WIFI_MOBILE = Range(
    0, 0.1, "of the phone's sessions over a line, where the phone is the only device"
)
NEVER = Range(0, 0, "of the sessions from the phone, for servers, role accounts and newsletters")
WEBMAIL_SHARE = Range(8, 16, "% of accounts use the house's web mail")
WEBMAIL = Range(0.1, 0.9, "of such an account's sessions, all of them from 127.0.0.1")
MISTYPED = Range(0, 0.01, "of the logins with a wrong password first")

# How people reach the net.

LEASE = Range(1, 90, "days until the line gets another address")
CGNAT_POOLS = Range(1, 6, "/24s from which the phone network takes an address for every session")
IPV6_AT_HOME = Range(20, 40, "% of lines that have IPv6, with a new address every day")
IPV6_USED = Range(0.4, 0.8, "of the sessions over a line that has IPv6")
OFFICE_SIZE = Range(3, 20, "people behind one address")
ROLE_PLACES = Range(2, 4, "fixed places of a role account")
VPN_EXITS = Range(3, 30, "exits of a VPN, one a day")
VPN_USE = Range(0.5, 1.0, "of a VPN user's sessions")
STRANGE_WIFI = Range(0, 2, "visits a month to a network of somebody else in the same country")
PROVIDER_CHANGE = Range(1200, 4000, "days until a home gets another provider")

# Trips.

TRAVELLER_EVERY = Range(14, 28, "days between trips")
HOLIDAY_EVERY = Range(120, 500, "days between trips of everybody else")
TRIP = Range(2, 8, "days")
TRIP_COUNTRIES = Range(2, 6, "countries that one traveller goes to")
TRIP_ELSEWHERE = Range(0, 0.3, "of the trips go to any country")
ROAMING = Range(0.2, 0.7, "of the sessions abroad leave through the phone network at home")

# Letters.

PAUSE = Range(2, 120, "seconds between two letters of a session")
CONTACTS = Range(8, 120, "addresses in the book")
NEW_CONTACT = Range(0.02, 0.12, "of the recipients are new")
COMPANY = Range(0.02, 0.12, "of the letters have 2 to 6 recipients")
INVITATION = Range(0, 0.006, "of the letters have 10 to 40 recipients")
HOUSE_MAIL = Range(0.05, 0.25, "of the contacts are in the house")
REFUSED = Range(0.001, 0.02, "of a person's recipients are refused (5yz)")
DEFERRED = Range(0.005, 0.03, "of a person's recipients are put off first (4yz)")
ANSWER_AFTER = Range(1, 40, "seconds until a delivery's result is known")
RETRY_AFTER = Range(300, 2400, "seconds until a deferred recipient takes it")
CIRCLE = Range(1.5, 2.5, "power by which the first contacts of a book are preferred")
LETTER_BYTES = Range(1500, 400_000, "bytes of a letter")

# Newsletters: every size with every share of dead addresses.

NEWSLETTER_EVERY = Range(5, 12, "days between two issues")
NEWSLETTER_RECIPIENTS = (120, 300, 800)
NEWSLETTER_DEAD = (0.01, 0.03, 0.12)
NEWSLETTER_CHANGE = Range(0.01, 0.04, "of the list is new in every issue")
NEWSLETTER_PAUSE = Range(0.3, 3, "seconds between two letters of an issue")
NEWSLETTER_PER_LETTER = Range(1, 50, "recipients in one letter of an issue")

# Days of stress in the evaluated time, one of each.

PASSWORD_DAY_STALE = Range(5, 60, "wrong passwords of every device forgotten on a password-change day")
PASSWORD_DAY_SHARE = Range(2, 8, "% of accounts that change the password that day")
RENUMBERED = Range(5, 20, "% of homes whose provider moves them to another network in one night")
OFFICE_MOVES = Range(1, 2, "offices that move to another provider")
OUTAGE_HOURS = Range(3, 10, "hours in which a large provider answers 4yz to everybody")
OUTAGE_SHARE = Range(5, 25, "% of outside domains that are with that provider")

CARDS_SHARE = Range(2, 6, "% of accounts that write to many strangers once: cards, a club, new customers")
CARDS = Range(25, 150, "strangers who get a letter then")
CARDS_DEAD = Range(0.02, 0.08, "of those addresses are dead")
CARDS_PER_LETTER = Range(1, 30, "recipients in one of those letters")

# Attacks. Rates are multiplied by the run's pace; shares of refused recipients are given to the run.

BOT_RECIPIENTS = Range(1, 20, "recipients of one letter of a botnet")
BOT_ANSWER_AFTER = Range(5, 90, "seconds until a spam delivery's result is known")
BOT_SCATTER = Range(0.7, 1.3, "of that number in every single letter")
BOT_PAUSE = Range(0.5, 4, "seconds between login and letter of a bot")
BOT_HOSTING = Range(0, 0.3, "of a botnet's addresses are hosting or VPN")
BOTNET_LOGINS = Range(895, 1765, "logins in 24 hours")
BOTNET_ADDRESSES = 880
TEN_GAP = Range(279, 340, "seconds between two of the ten logins")
TEN_PERIODS = 14
BLAST_MESSAGES = Range(2500, 3500, "letters")
BLAST_HOURS = Range(1, 4, "hours")
BLAST_PER_LOGIN = Range(10, 100, "letters in one session")
BLAST_RECIPIENTS = Range(1, 10, "recipients of one letter of a blast")
REPLAY_LOGINS = Range(20, 60, "logins that only read, in 48 hours")
REPLAY_MESSAGES = Range(350, 450, "letters in the 24 hours after it")
RESIDENTIAL_MESSAGES = Range(350, 450, "letters in 24 hours")
SLOW_MESSAGES = Range(100, 140, "letters, one an hour")
SLOW_RECIPIENTS = 20
OWNER_PC_MESSAGES = Range(1200, 1800, "letters")
OWNER_PC_HOURS = Range(6, 14, "hours")
OWNER_ISP_MESSAGES = Range(250, 350, "letters in 24 hours")
STUFFING_ADDRESSES = Range(150, 600, "addresses of the botnet")
STUFFING_ACCOUNTS = 200
STUFFING_HOURS = Range(6, 24, "hours")
STUFFING_MESSAGES = Range(1, 8, "letters of each account")
STUFFING_WRONG = Range(1, 6, "wrong passwords before the right one")
WEBMAIL_MESSAGES = Range(250, 400, "letters in 24 hours")

# The demo: one small house, and one botnet on the owner's account.

DEMO_LEFT = Range(3, 5, "days before the demo's day on which the traveller left")
DEMO_STRIKES = Range(9, 15, "hour of the day at which the botnet begins")
DEMO_LASTS = Range(3, 5, "hours that the botnet takes")
DEMO_LOGINS = Range(30, 60, "logins of the botnet, each from another address, each with one letter")
DEMO_RECIPIENTS = Range(3, 12, "recipients of each of its letters")
DEMO_REFUSED = 0.3
DEMO_ARRIVALS = Range(3, 6, "letters from outside for the house")
