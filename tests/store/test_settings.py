"""Every mistake in the settings is named with its file, line, table, key and what was probably meant."""

from pathlib import Path

import pytest

from sekisho.model.config import Config
from sekisho.store.schema import ANY, all_fields, dotted, literal
from sekisho.store.settings import ConfigError, describe_markdown, load, read
from sekisho.store.tomllines import lines_of

GOOD = """
hostname = "mx.example.com"
state = "state"
trusted = ["192.0.2.0/24", "2001:db8::1"]

[listen.mx]
address = "127.0.0.1:2525"
protocol = "smtp"

[listen."odd name"]
address = "unix:proxy.sock"
protocol = "submission"
requires_proxy = true
proxy_from = ["unix"]

[outbound]
hosts = {"net.example" = "[127.0.0.1]:2526"}
resolver = ["192.0.2.1", "[2001:db8::1]:53", "192.0.2.1:5353"]

[outbound.smarthost]
host = "smtp.example.net:587"
password_file = "keys/smarthost"

[guard]
watch = 3
"""


def write(folder: Path, text: str) -> str:
    path = folder / "sekisho.toml"
    path.write_text(text)
    return str(path)


def mistakes(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    return [(mistake.line, mistake.place, str(mistake.why)) for mistake in caught.value.mistakes]


def test_good_settings_are_read_and_made_absolute(tmp_path: Path) -> None:
    """State is relative to the file, everything else to the state folder; the rest has defaults."""
    config = load(write(tmp_path, GOOD))
    state = tmp_path / "state"
    assert str(state) == config.state
    assert str(state / "keys" / "cert.pem") == config.certificate
    assert config.outbound.smarthost is not None
    assert str(state / "keys" / "smarthost") == config.outbound.smarthost.password_file
    assert {"mx", "odd name"} == set(config.listen)
    assert 3.0 == config.guard.watch
    assert "" == config.guard.networks
    assert Config(hostname="x").limits == config.limits


def test_an_unknown_key_is_an_error_with_its_neighbour(tmp_path: Path) -> None:
    """File, line, table, key and the nearest key there is."""
    text = 'hostname = "mx.example.com"\nhostnam = 1\n\n[limits]\nrecipents = 5\n\n[gaurd]\nwatch = 1\n'
    assert [
        (2, "hostnam", "there is no key hostnam in sekisho.toml; the nearest is hostname"),
        (5, "limits.recipents", "there is no key recipents in limits; the nearest is recipients"),
        (7, "gaurd", "there is no key gaurd in sekisho.toml; the nearest is guard"),
    ] == mistakes(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(str(tmp_path / "sekisho.toml"))
    assert f"{tmp_path}/sekisho.toml:2 hostnam" == caught.value.place
    assert "recipents" in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "place", "why"),
    [
        ("state = 5", "state", "this must be a text, not 5"),
        ("trusted = [1]", "trusted", "this must be a list of texts, not [1]"),
        ("trusted = ['all']", "trusted", "all is not a network such as 192.0.2.0/24"),
        ("trusted = ['192.0.2.0/24', '0.0.0.0/0']", "trusted", "0.0.0.0/0 is so much of the internet"),
        ("trusted = ['128.0.0.0/1']", "trusted", "name your own networks"),
        ("trusted = ['unix']", "trusted", "unix is not a network"),
        ("trusted = ['::/0']", "trusted", "::/0 is so much of the internet"),
        ("trusted = ['10.0.0.0/8', 'fc00::/7', '2000::/3']", "trusted", "2000::/3 is so much"),
        ("fronts = 0", "fronts", "this must be a whole number from 1 to 64, not 0"),
        ("fronts = true", "fronts", "this must be a whole number from 1 to 64, not true"),
        ("limits = 5", "limits", "this must be a table, not 5"),
        (
            "[limits]\nrecipients = 99",
            "limits.recipients",
            "this must be a whole number, 100 or more, not 99",
        ),
        ("[guard]\nwatch = 0.0", "guard.watch", "this must be a number above 0, not 0.0"),
        ("[guard]\nwatch = 10", "guard.contain", "this must not be below watch nor above whole_account"),
        ("[guard]\nenabled = 'no'", "guard.enabled", 'this must be true or false, not "no"'),
        ("[listen.x]\nprotocol = 'smtp'", "listen.x.address", "this is missing, and has no default"),
        ("[listen]\nx = 5", "listen.x", "this must be a table, not 5"),
        ("zone = 'Mars/Olympus'", "zone", "there is no time zone Mars/Olympus on this system"),
        ("zone = '../etc/passwd'", "zone", "there is no time zone ../etc/passwd on this system"),
        ("[soften]\nrelay = 'tag'", "checks", "relay cannot be softened: without it this server is not safe"),
        ("[soften]\nsender_local = 'reject'", "soften.sender_local", "this must be one of"),
        ("checks = ['nonsense']", "checks", "there is no check named nonsense"),
        ("[outbound]\nsource = 'x'", "outbound.source", "x is not an IP address"),
        ("[outbound]\nresolver = ['x:53']", "outbound.resolver", "x:53 is not an IP address"),
        ("[outbound]\nhelo = 'a b'", "outbound.helo", "a b is not a host name"),
        (
            "[outbound.hosts]\n'net.example' = '192.0.2.1'",
            'outbound.hosts."net.example"',
            "192.0.2.1 is not a host",
        ),
        ("[local]\nlmtp = 'x:24'\ninstructions = 'qmail'", "local.instructions", "with lmtp the server"),
        ("[outbound.smarthost]\nhost = 'x'", "outbound.smarthost.host", "x is not a host"),
        ("[queue.limits.'*x']", 'queue.limits."*x"', "*x is not a name such as"),
        ("[queue.limits.'192.0.2.1/24']", 'queue.limits."192.0.2.1/24"', "nor an address or network"),
        ("[queue]\nlongest_retry_s = 9", "queue.first_retry_s", "this must not be above longest_retry_s"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, lines: str, place: str, why: str) -> None:
    """Wrong kind, out of bounds, impossible, contradictory: one mistake each, at its place."""
    found = mistakes(tmp_path, f'hostname = "mx.example.com"\n{lines}\n')
    assert [place] == [said for _, said, _ in found]
    assert why in found[0][2]


@pytest.mark.parametrize("who", ["proxy", "xclient"])
def test_the_word_of_the_whole_internet_is_not_taken(tmp_path: Path, who: str) -> None:
    """Who may say whose connection it is can be anybody, also one of `trusted`."""
    listener = "[listen.x]\naddress = '127.0.0.1:7025'\nprotocol = 'smtp'\n"
    believed = f'requires_{who} = true\n{who}_from = ["unix", "0.0.0.0/0"]\n'
    text = f'hostname = "mx.example.com"\n{listener}{believed}'
    ((_, place, why),) = mistakes(tmp_path, text)
    assert f"listen.x.{who}_from" == place and "0.0.0.0/0 is so much of the internet" in why


@pytest.mark.parametrize(
    "address",
    ["25", "0.0.0.0", "mx.example.com:25", "0.0.0.0:70000", "0.0.0.0:", "unix:", ":::25", "[::]", "[::]:x"],
)
def test_a_listener_needs_an_address(tmp_path: Path, address: str) -> None:
    """An IP address with a port, or a socket's path."""
    text = f'hostname = "mx"\n[listen.mx]\naddress = "{address}"\nprotocol = "smtp"\n'
    assert "listen.mx.address" == mistakes(tmp_path, text)[0][1]


def test_a_proxys_networks_without_proxy_are_a_contradiction(tmp_path: Path) -> None:
    """Somebody thought the listener was protected."""
    text = 'hostname = "mx"\n[listen.mx]\naddress = "0.0.0.0:25"\nprotocol = "smtp"\nproxy_from = ["unix"]\n'
    assert (5, "listen.mx.proxy_from") == mistakes(tmp_path, text)[0][:2]


@pytest.mark.parametrize("text", ["hostname = ", "[a\n", "hostname = 'x'\nhostname = 'y'", "\x00"])
def test_what_is_not_toml_is_said(tmp_path: Path, text: str) -> None:
    """With the parser's own line and column."""
    assert "this is not TOML" in mistakes(tmp_path, text)[0][2]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """No file, a folder, bytes that are no text, an empty file."""
    for path, why in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=why):
            load(str(path))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(str(tmp_path / "bytes"))
    assert [(0, "hostname", "this is missing, and has no default")] == mistakes(tmp_path, "")


def test_hostile_keys_are_shown_harmlessly(tmp_path: Path) -> None:
    """A key with control characters does not reach the terminal as such."""
    ((_, _, why),) = mistakes(tmp_path, 'hostname = "mx"\n"\\u001b]0;x" = 1\n')
    assert "\x1b" not in why


def test_lines_are_found_where_keys_stand() -> None:
    """Tables, dotted and quoted keys, arrays over several lines, comments."""
    text = 'a = 1\n# b = 2\n[t]\nc = [\n  1,\n]\nd.e = "x = y"\n[t."x.y"]\n"k = 1" = 2\n[[list]]\nq = 1\n'
    lines = lines_of(text)
    assert 1 == lines[("a",)]
    assert ("b",) not in lines
    assert (3, 4, 7) == (lines[("t",)], lines[("t", "c")], lines[("t", "d", "e")])
    assert 8 == lines[("t", "x.y")]


def test_every_setting_is_described() -> None:
    """Name, kind, meaning and default of each stand in the page of settings, and no meaning is empty."""
    page = describe_markdown()
    for field in all_fields():
        assert field.about and str(field.kind)
        assert f"`{field.place[-1]}`" in page or f"`[{dotted(field.head)}]`" in page
        if field.table is None and not field.required:
            assert f"default `{literal(field.default)}`" in page


def test_every_default_is_a_value_that_is_accepted(tmp_path: Path) -> None:
    """The defaults of all tables, written out as TOML, are read back as the same settings."""
    tables: dict[str, list[str]] = {}
    for field in all_fields():
        named = ANY in field.place or "smarthost" in field.place
        if field.table is None and not field.required and not named:
            tables.setdefault(dotted(field.place[:-1]), []).append(
                f"{field.place[-1]} = {literal(field.default)}"
            )
    text = 'hostname = "mx.example.com"\n' + "\n".join(tables.pop("")) + "\n"
    text += "".join(f"[{table}]\n" + "\n".join(lines) + "\n" for table, lines in tables.items())
    bare = load(write(tmp_path, 'hostname = "mx.example.com"'))
    assert bare == read(write(tmp_path, text)).config


def test_keys_of_a_table_stand_before_the_tables_in_it() -> None:
    """Behind `[acme]` TOML would read `trusted` as one of its keys."""
    open_table: tuple[str, ...] = ()
    for field in all_fields():
        if field.table is not None:
            open_table = field.head
        else:
            assert field.place[:-1] == open_table
