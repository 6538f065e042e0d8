"""Flash, and the commands for its files."""

import hashlib

import pytest

from drivers.lab.ios.cli import Ios
from drivers.lab.ios.flash import CAPACITY_BYTES, Flash
from drivers.lab.users import User
from tests.unit.lab.typist import Typist, at


def router() -> Ios:
    return Ios("R1", "secret")


def quiet() -> Ios:
    made = router()
    made.running.enter(None, "file prompt quiet", None)
    return made


def test_flash_is_bounded_and_counts_a_replaced_file_only_once() -> None:
    flash = Flash()
    room = flash.free_bytes
    flash.write("x", b"a" * 100)
    flash.write("x", b"b" * 60)
    assert flash.free_bytes == room - 60
    with pytest.raises(OSError, match="No space left"):
        flash.write("y", bytes(flash.free_bytes + 1))
    with pytest.raises(OSError, match="No such file or directory"):
        flash.write("folder/y", b"")
    assert f"{CAPACITY_BYTES} bytes total ({room - 60} bytes free)" in flash.listing()


def test_a_copy_of_the_running_configuration_is_a_file_like_any_other() -> None:
    async def use(ann: Typist) -> None:
        assert "bytes copied" in await ann("copy running-config flash:saved.txt")
        text = await ann("more flash:/saved.txt")
        assert "hostname R1" in text.splitlines()
        digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        assert f"verify /md5 (flash:/saved.txt) = {digest}" in await ann("verify /md5 flash:saved.txt")
        assert "%Error verifying" in await ann("verify /md5 flash:saved.txt 00")
        listing = await ann("dir flash:/saved.txt")
        assert listing.startswith("Directory of flash:/saved.txt\n")
        assert str(len(text)) in listing
        assert await ann("delete /force flash:saved.txt") == ""
        assert "%Error opening flash:/saved.txt (No such file or directory)" in await ann("dir flash:saved.txt")

    at(quiet(), use)


def test_files_outlive_a_restart() -> None:
    device = quiet()

    async def use(ann: Typist) -> None:
        await ann("copy running-config flash:kept.txt")
        device.restart()
        assert "kept.txt" in await ann("dir")

    at(device, use)


def test_file_commands_ask_unless_they_are_told_not_to() -> None:
    async def use(ann: Typist) -> None:
        shown = await ann("copy running-config flash:a.txt", "b.txt\r")
        assert "Destination filename [a.txt]? " in shown
        assert "over write? [confirm]" in await ann("copy running-config flash:b.txt", "\rn")
        assert "Delete flash:/b.txt? [confirm]" in await ann("delete b.txt", "\ry")
        assert "b.txt" not in await ann("dir")

    at(router(), use)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("more flash:nofile", "%Error opening flash:/nofile (No such file or directory)"),
        ("copy flash:nofile running-config", "%Error opening flash:/nofile (No such file or directory)"),
        ("copy running-config usb9:x", "%Error opening usb9:x (No such device)"),
        ("delete /force flash:nofile", "%Error deleting flash:/nofile (No such file or directory)"),
        ("configure replace flash:nofile force", "%Error opening flash:/nofile (No such file or directory)"),
    ],
)
def test_what_is_not_there_is_named(line: str, said: str) -> None:
    async def use(ann: Typist) -> None:
        assert said in await ann(line)

    at(quiet(), use)


def test_copying_a_file_to_the_running_configuration_adds_its_lines_and_shows_the_bad_ones() -> None:
    device = quiet()
    device.flash.write("m.txt", b"interface lo7\n description seven\nfrobnicate 1\nntp server 192.0.2.7\nno ip cef\n")

    async def use(ann: Typist) -> None:
        shown = await ann("copy flash:m.txt running-config")
        assert "frobnicate 1\n ^\n% Invalid input detected" in shown
        assert device.running.blocks["interface Loopback7"] == ["description seven"]
        assert {"ntp server 192.0.2.7", "no ip cef", "hostname R1"} <= device.running.blocks.keys()
        assert device.changed_by == "ann"

    at(device, use)


def test_scp_wants_the_server_and_the_privilege() -> None:
    device, ann, bob = router(), User("ann", "x"), User("bob", "x", 1)
    device.write_file(ann, "flash:/up.txt", b"text")
    assert device.read_file(ann, "flash:up.txt") == b"text"
    with pytest.raises(PermissionError, match="Privilege denied"):
        device.read_file(bob, "flash:up.txt")
    device.running.remove(None, "ip scp server enable")
    with pytest.raises(PermissionError, match="Administratively disabled"):
        device.write_file(ann, "flash:/up.txt", b"other")
