"""Where an address leads: the order of the search, loops, limits."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from covers import covers
from sekisho.model.account import Account, Domain
from sekisho.queue.aliases import NESTING, TARGETS, Entry, Led, Search, entry_of, names_of

DOMAINS = {
    "a.example": Domain("a.example"),
    "plus.example": Domain("plus.example", delimiters="+"),
    "bare.example": Domain("bare.example", delimiters=""),
    "old.example": Domain("old.example", postmaster="hello@a.example"),
}
PEOPLE = ("hello@a.example", "mary-ann@a.example", "root@plus.example", "user@plus.example")


def lead(key: str, aliases: Mapping[str, tuple[str, ...]] | None = None) -> Led:
    """Without the names by which targets were reached: they have a test of their own."""
    return replace(Search(entries(aliases or {}), DOMAINS.get).lead(key), names=())


def entries(aliases: Mapping[str, tuple[str, ...]]) -> Callable[[str], Entry]:
    return lambda name: entry_of(name, Account(name) if name in PEOPLE else None, aliases.get(name))


@pytest.mark.parametrize(
    ("key", "targets"),
    [
        ("hello@a.example", ("hello@a.example",)),
        ("hello+x@a.example", ("hello@a.example",)),
        ("hello-x@a.example", ("hello@a.example",)),
        ("hello+x-y+z@a.example", ("hello@a.example",)),
        ("mary-ann@a.example", ("mary-ann@a.example",)),
        ("mary-ann-x@a.example", ("mary-ann@a.example",)),
        ("mary@a.example", ()),
        ("user-x@plus.example", ()),
        ("user+x@plus.example", ("user@plus.example",)),
        ("user+x@bare.example", ()),
        ("+hello@a.example", ()),
        ("hello@b.example", ()),
        ("hello", ()),
        ("", ()),
    ],
)
@covers("Q-03")
def test_a_name_is_found_with_its_extension(key: str, targets: tuple[str, ...]) -> None:
    """The longest name that exists wins; delimiters are the domain's; of other hosts we know nothing."""
    assert targets == lead(key).targets


def test_an_alias_leads_on_and_keeps_other_hosts_case() -> None:
    """Nested aliases end in accounts here and addresses elsewhere, each once, in order."""
    aliases = {
        "sales@a.example": ("hello@a.example", "Bob@Net.example", "team@a.example"),
        "team@a.example": ("mary-ann@a.example", "hello@a.example"),
    }
    assert ("hello@a.example", "Bob@Net.example", "mary-ann@a.example") == lead(
        "sales@a.example", aliases
    ).targets
    assert "Bob@Net.example" in lead("sales-web@a.example", aliases).targets


def test_a_name_among_its_own_targets_is_its_mailbox() -> None:
    """Forwarding with a copy: mail stays and goes on."""
    led = lead("hello@a.example", {"hello@a.example": ("hello@a.example", "x@net.example")})
    assert Led(("hello@a.example", "x@net.example"), aliased=True) == led


@covers("Q-03")
def test_a_refusal_wins_over_the_catch_all() -> None:
    """Whatever has no name of its own goes to the catch-all, except what was refused by name."""
    aliases = {"@a.example": ("hello@a.example",), "gone@a.example": ()}
    assert ("hello@a.example",) == lead("anything@a.example", aliases).targets
    assert ("mary-ann@a.example",) == lead("mary-ann@a.example", aliases).targets
    refused = ("gone@a.example",)
    assert Led(unknown=refused, refused=refused) == lead("gone@a.example", aliases)
    assert () == lead("gone+x@a.example", aliases).targets


def test_an_account_that_takes_no_mail_is_not_given_to_the_catch_all() -> None:
    """A closed mailbox refuses like an explicit entry, and an alias to it leads nowhere."""
    closed = Account("hello@a.example", receives=False)
    assert () == entry_of("hello@a.example", closed, None)
    assert () == entry_of("hello@a.example", closed, ("hello@a.example",))
    assert () == entry_of("hello@a.example", Account("hello@a.example", active=False), None)


@pytest.mark.parametrize("role", ["postmaster", "abuse", "mailer-daemon", "root"])
def test_the_roles_exist_in_every_domain(role: str) -> None:
    """To whom the domain names, else to postmaster's own mailbox; a catch-all does not swallow them."""
    catch_all = {"@a.example": ("hello@a.example",)}
    assert ("postmaster@a.example",) == lead(f"{role}@a.example", catch_all).targets
    assert ("hello@a.example",) == lead(f"{role}@old.example").targets
    named = {f"{role}@a.example": ("mary-ann@a.example",)}
    assert ("mary-ann@a.example",) == lead(f"{role}@a.example", named).targets


def test_postmaster_cannot_be_refused() -> None:
    """RFC 5321 4.5.1: an entry that refuses it is passed over; abuse can be refused."""
    aliases: dict[str, tuple[str, ...]] = {"postmaster@a.example": (), "abuse@a.example": ()}
    assert ("postmaster@a.example",) == lead("postmaster@a.example", aliases).targets
    assert () == lead("abuse@a.example", aliases).targets


def test_a_domain_can_be_another_name_of_a_domain() -> None:
    """A target "@domain" keeps the local part, and what does not exist there is unknown."""
    aliases = {"@plus.example": ("@a.example",)}
    assert ("hello@a.example",) == lead("hello@plus.example", aliases).targets
    assert ("user@plus.example",) == lead("user@plus.example", aliases).targets
    assert Led(unknown=("nobody@a.example",), aliased=True) == lead("nobody@plus.example", aliases)
    assert ("x@net.example",) == lead("x@plus.example", {"@plus.example": ("@net.example",)}).targets


@pytest.mark.parametrize(
    "aliases",
    [
        {"x@a.example": ("x@a.example",)},
        {"x@a.example": ("y@a.example",), "y@a.example": ("x@a.example",)},
        {"x@a.example": ("y+1@a.example",), "y@a.example": ("x+2@a.example",)},
        {"@a.example": ("@plus.example",), "@plus.example": ("@a.example",)},
        {"@a.example": ("y@a.example",)},
    ],
)
def test_a_circle_is_found_and_ends(aliases: dict[str, tuple[str, ...]]) -> None:
    """Mail in a circle reaches nobody, and the search stops."""
    led = lead("x@a.example", aliases)
    assert () == led.targets
    assert led.loops or led.unknown
    assert not led.excess


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("hello+news@a.example", ("hello+news@a.example",)),
        ("Hello+News@a.example", ("hello+news@a.example",)),
        ("sales@a.example", ("hello+sales@a.example", "Bob+x@Net.example")),
        ("hello+x@plus.example", ("hello+x@a.example",)),
        ("root+x@plus.example", ("root+x@plus.example",)),
    ],
)
def test_extensions_are_remembered(key: str, names: tuple[str, ...]) -> None:
    """By which name each target was reached, behind aliases and other names of a domain too."""
    aliases = {
        "sales@a.example": ("hello+sales@a.example", "Bob+x@Net.example", "hello+other@a.example"),
        "@plus.example": ("@a.example",),
    }
    assert names == Search(entries(aliases), DOMAINS.get).lead(key).names


def test_a_circle_is_named_whole() -> None:
    """Who is to mend it sees every alias of the circle, and not those that only lead to it."""
    aliases = {
        "x@a.example": ("y@a.example",),
        "y@a.example": ("z@a.example",),
        "z@a.example": ("y@a.example",),
    }
    assert ("y@a.example > z@a.example > y@a.example",) == lead("x@a.example", aliases).loops


def test_a_list_is_unfolded_where_it_stands() -> None:
    """Its addresses are targets as if they stood there, aliases among them; the file is named."""
    files = {"/l/staff": ("sales@a.example", "x@net.example")}
    aliases = {
        "all@a.example": (":include:/l/staff", "mary-ann@a.example"),
        "sales@a.example": ("hello@a.example",),
    }
    led = Search(entries(aliases), DOMAINS.get, files.__getitem__).lead("all@a.example")
    assert ("hello@a.example", "x@net.example", "mary-ann@a.example") == led.targets
    assert ("/l/staff",) == led.lists and led.aliased
    files["/l/staff"] = ("all+x@a.example", "hello@a.example")
    led = Search(entries(aliases), DOMAINS.get, files.__getitem__).lead("all@a.example")
    assert ("all+x@a.example > all+x@a.example",) == led.loops


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("hello@a.example", True),
        ("hello+x@a.example", True),
        ("sales@a.example", True),
        ("abuse@a.example", True),
        ("gone@a.example", False),
        ("invented@a.example", False),
        ("hello@plus.example", True),
        ("invented@plus.example", False),
        ("anything@bare.example", False),
        ("x@net.example", False),
    ],
)
def test_what_only_a_catch_all_takes_has_no_name(key: str, *, named: bool) -> None:
    """Another name of a whole domain is no catch-all: the name there counts."""
    aliases = {
        "@a.example": ("hello@a.example",),
        "@plus.example": ("@a.example",),
        "@bare.example": ("@plus.example", "@bare.example"),
        "sales@a.example": ("x@net.example",),
        "gone@a.example": (),
    }
    assert named == Search(entries(aliases), DOMAINS.get).named(key)


def test_a_circle_beside_a_way_out_loses_nobody() -> None:
    """Who is reached is reached, and the circle is reported."""
    aliases = {"x@a.example": ("y@a.example", "hello@a.example"), "y@a.example": ("x@a.example",)}
    circle = ("x@a.example > y@a.example > x@a.example",)
    assert Led(("hello@a.example",), circle, aliased=True) == lead("x@a.example", aliases)


def test_too_deep_and_too_wide_are_said() -> None:
    """Limits end the search and are not silent."""
    deep = {f"a{n}@a.example": (f"a{n + 1}@a.example",) for n in range(NESTING + 2)}
    deep[f"a{NESTING + 2}@a.example"] = ("hello@a.example",)
    assert lead("a0@a.example", deep).excess
    assert not lead("a3@a.example", deep).excess
    wide = {"all@a.example": tuple(f"x{n}@net.example" for n in range(TARGETS + 1))}
    assert lead("all@a.example", wide).excess
    fan = {f"f{n}@a.example": (f"f{n + 1}@a.example", f"f{n + 1}+b@a.example") for n in range(9)}
    assert not lead("f0@a.example", fan).excess


def test_a_domain_that_became_ours_is_searched_in_our_spelling() -> None:
    """A target written while its domain was another host's is found after the domain was added here."""
    assert ("hello@a.example",) == lead("x@a.example", {"x@a.example": ("Hello@A.Example",)}).targets


@given(
    st.dictionaries(
        st.sampled_from([f"{name}@a.example" for name in "abcdef"] + ["@a.example"]),
        st.lists(
            st.sampled_from([f"{name}@a.example" for name in "abcdef"] + ["z@net.example"]), max_size=3
        ).map(tuple),
    )
)
def test_every_tangle_ends(aliases: dict[str, tuple[str, ...]]) -> None:
    """Whatever users write, the search ends, names nobody twice, and finds only final addresses."""
    led = lead("a+x@a.example", aliases)
    assert len(set(led.targets)) == len(led.targets)
    assert set(led.targets) <= {"z@net.example", *PEOPLE}


def test_extensions_are_cut_from_the_right() -> None:
    """The name itself first; never an empty name."""
    assert ["a-b+c@d", "a-b@d", "a@d"] == list(names_of("a-b+c@d", "+-"))
    assert ["-a@d"] == list(names_of("-a@d", "+-"))
    assert ["@d"] == list(names_of("@d", "+-"))
