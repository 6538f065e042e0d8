"""What is read off NAPALM's classes."""

import pytest

from drivers.napalm import NapalmDriver
from drivers.napalm.platforms import PORTS, platform

DRIVER = NapalmDriver()


@pytest.mark.parametrize(
    ("name", "revert_in", "rollback", "replace", "some", "none"),
    [
        ("ios", True, True, True, "get_ipv6_neighbors_table", "get_firewall_policies"),
        ("eos", True, True, True, "ping", "get_ntp_peers"),
        ("junos", True, True, True, "get_probes_results", "get_vlan"),
        ("iosxr_netconf", False, False, True, "traceroute", "ping"),
        ("nxos", False, True, False, "get_users", "get_optics"),
        ("nxos_ssh", False, True, False, "get_optics", "get_bgp_config"),
    ],
)
def test_capabilities(name: str, revert_in: bool, rollback: bool, replace: bool, some: str, none: str) -> None:
    able = DRIVER.capabilities(name)
    assert able.config
    assert able.dry_run
    assert (able.revert_in, able.rollback, able.replace) == (revert_in, rollback, replace)
    assert some in able.getters
    assert none not in able.getters
    assert "get_facts" in able.getters
    assert not able.files


def test_capabilities_by_another_name_and_of_all() -> None:
    assert DRIVER.capabilities("cisco_xe") == DRIVER.capabilities("ios")
    every = DRIVER.capabilities(None)
    assert every.revert_in
    assert set(DRIVER.capabilities("nxos").getters) < set(every.getters)


def test_every_name_has_capabilities() -> None:
    for name in DRIVER.device_types():
        assert DRIVER.capabilities(name).getters
    assert set(PORTS) <= set(DRIVER.device_types())


def test_a_class_with_next_to_nothing_of_its_own() -> None:
    able = platform("mock").capabilities
    assert able.getters == ()  # they are made up as they are asked for
    assert able.config


def test_the_arguments_of_a_getter() -> None:
    assert platform("ios").takes("get_route_to") == {"destination", "protocol", "longer"}
    assert platform("ios").takes("get_facts") == frozenset()
