"""Whose address counts: a trusted proxy is believed about the hop it saw, nobody else about anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.config import SettingsError, load
from backend.core.addresses import client_address, counted, networks

PROXIES = networks("10.0.0.0/8, fd00::/8")


def _of(peer: str | None, *headers: tuple[str, str], trusted: str = "10.0.0.0/8, fd00::/8") -> str:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return str(client_address(peer, raw, networks(trusted)))


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("203.0.113.7", [("x-forwarded-for", "198.51.100.1")], "203.0.113.7"),
        ("203.0.113.7", [("forwarded", "for=198.51.100.1")], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
        ("10.0.0.1", [("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.0.0.2")], "198.51.100.1"),
        ("10.0.0.1", [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
        ("10.0.0.1", [("x-forwarded-for", "198.51.100.1:4711")], "198.51.100.1"),
        ("10.0.0.1", [("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1"),
        ("10.0.0.1", [("x-forwarded-for", "2001:db8::1")], "2001:db8::1"),
        ("10.0.0.1", [("x-forwarded-for", "10.0.0.9, 10.0.0.8")], "10.0.0.9"),
        ("10.0.0.1", [("x-forwarded-for", "1.1.1.1, nonsense")], "10.0.0.1"),
        ("10.0.0.1", [("x-forwarded-for", "1.1.1.1, nonsense, 10.0.0.2")], "10.0.0.2"),
        ("10.0.0.1", [("x-forwarded-for", "")], "10.0.0.1"),
        ("10.0.0.1", [("x-forwarded-for", "1.1.1.1,")], "10.0.0.1"),
        ("10.0.0.1", [("forwarded", 'for="[2001:db8::1]:99";proto=https;by=10.0.0.1')], "2001:db8::1"),
        ("10.0.0.1", [("forwarded", "for=1.1.1.1, For=198.51.100.1;proto=http")], "198.51.100.1"),
        ("10.0.0.1", [("forwarded", 'for="1.1.1.1, for=198.51.100.1')], "198.51.100.1"),
        ("10.0.0.1", [("forwarded", "for=1.1.1.1, for=unknown")], "10.0.0.1"),
        ("10.0.0.1", [("forwarded", "for=1.1.1.1, for=_hidden")], "10.0.0.1"),
        ("10.0.0.1", [("forwarded", "for=1.1.1.1, proto=https")], "10.0.0.1"),
        ("10.0.0.1", [("forwarded", "for=2.2.2.2"), ("x-forwarded-for", "198.51.100.1")], "10.0.0.1"),
        ("10.0.0.1", [("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
        ("::ffff:10.0.0.1", [("x-forwarded-for", "::ffff:198.51.100.1")], "198.51.100.1"),
        ("fd00::5", [("x-forwarded-for", "64:ff9b::c633:6401")], "198.51.100.1"),
        ("fe80::1%eth0", [], "fe80::1"),
        (None, [("x-forwarded-for", "198.51.100.1")], "::"),
        ("/run/web.sock", [], "::"),
    ],
)
def test_the_rightmost_hop_that_is_not_ours_counts(peer: str | None, headers: list[tuple[str, str]], client: str):
    assert _of(peer, *headers) == client


@given(st.lists(st.text(alphabet=st.characters(max_codepoint=255), max_size=40), max_size=6))
def test_whatever_a_client_writes_cannot_change_the_hop_its_proxy_saw(invented: list[str]):
    """The proxy appends to what it got; a client that rotates the header stays who it is."""
    lines = [("x-forwarded-for", line) for line in invented]
    assert _of("10.0.0.1", *lines, ("x-forwarded-for", "198.51.100.1")) == "198.51.100.1"
    lines = [("forwarded", line) for line in invented]
    assert _of("10.0.0.1", *lines, ("forwarded", "for=198.51.100.1")) == "198.51.100.1"
    either = _of("10.0.0.1", *lines, ("x-forwarded-for", "198.51.100.1"))
    assert either in {"198.51.100.1", "10.0.0.1"}, "the header the proxy does not write gives nobody another address"


@given(st.binary(max_size=80), st.booleans())
def test_no_header_breaks_the_reading_and_none_of_a_stranger_counts(value: bytes, forwarded: bool):
    name = b"forwarded" if forwarded else b"x-forwarded-for"
    client_address("10.0.0.1", [(name, value)], PROXIES)
    assert str(client_address("203.0.113.7", [(name, value)], PROXIES)) == "203.0.113.7"


def test_an_ipv6_subscriber_is_counted_once():
    one, same, other = (client_address(peer, [], ()) for peer in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"))
    assert counted(one) == counted(same) == "2001:db8::/64"
    assert counted(other) != counted(one)
    assert counted(client_address("::ffff:198.51.100.1", [], ())) == "198.51.100.1"


@pytest.mark.parametrize("text", ["nonsense", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.1;10.0.0.2"])
def test_proxies_that_cannot_be_meant_are_refused_at_the_start(text: str):
    with pytest.raises(SettingsError, match="YINLING_TRUSTED_PROXIES"):
        load({"YINLING_DATABASE_URL": "x", "YINLING_DEMO": "1", "YINLING_TRUSTED_PROXIES": text})


def test_the_proxies_are_a_setting_and_nobody_is_trusted_without_it():
    plain = {"YINLING_DATABASE_URL": "x", "YINLING_DEMO": "1"}
    assert load(plain).proxies == ()
    assert load(plain | {"YINLING_TRUSTED_PROXIES": "10.0.0.7/8, ::1"}).proxies == networks("10.0.0.0/8,::1/128")
