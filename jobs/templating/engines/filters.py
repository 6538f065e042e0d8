"""The filters that a template has beyond jinja2's own: what network people know from Ansible and netutils.

None may lead out of the sandbox: no names of attributes, no files, no network, nothing but plain data in its answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import yaml
from jinja2 import Undefined

from jobs.templating.engines.addresses import FILTERS as ADDRESS_FILTERS

_NETUTILS: Mapping[str, str] = {
    "asn": "asn_to_int int_to_asdot",
    "bandwidth": "name_to_bits name_to_bytes bits_to_name bytes_to_name name_to_name",
    "banner": "normalise_delimiter_caret_c delimiter_change",
    "config.clean": "clean_config sanitize_config",
    "config.compliance": "section_config diff_network_config find_unordered_cfg_lines",
    "config.conversion": "paloalto_panos_clean_newlines paloalto_panos_brace_to_set",
    "interface": """interface_range_expansion interface_range_compress split_interface sort_interface_list
        canonical_interface_name canonical_interface_name_list
        abbreviated_interface_name abbreviated_interface_name_list""",
    "ip": """ip_to_hex ip_addition ip_to_bin ip_subtract is_classful is_ip is_ip_range is_ip_within is_netmask
        is_reversible_wildcardmask is_network netmask_to_cidr cidr_to_netmask cidr_to_netmaskv6
        netmask_to_wildcardmask wildcardmask_to_netmask get_broadcast_address get_first_usable get_peer_ip
        get_range_ips get_usable_range get_ips_sorted""",
    "mac": "is_valid_mac mac_to_format mac_to_int mac_type mac_normalize",
    "os_version": "compare_version_loose compare_version_strict",
    "route": "longest_prefix_match",
    "time": "uptime_seconds_to_string uptime_string_to_seconds",
    "vlan": "vlanlist_to_config vlanconfig_to_list",
}
"""By module. Not among them: ipaddress_address and its kin, and hash_data (they walk any attribute), compliance (it
opens files), dns and ping."""

_ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


def filters() -> dict[str, Callable[..., Any]]:
    """By name. An Ansible name wins over netutils' of the same name."""
    found = {}
    for module, names in _NETUTILS.items():
        functions = import_module(f"netutils.{module}")
        found.update({name: getattr(functions, name) for name in names.split()})
    return found | dict(ADDRESS_FILTERS) | dict(_OWN)


def to_json(value: Any, indent: int | None = None, sort_keys: bool = False) -> str:
    """As JSON on one line."""
    return json.dumps(value, default=_plain, indent=indent, sort_keys=sort_keys, ensure_ascii=False)


def to_nice_json(value: Any, indent: int = 4, sort_keys: bool = True) -> str:
    """As JSON to be read by people."""
    return to_json(value, indent, sort_keys)


def to_yaml(value: Any, indent: int = 2, sort_keys: bool = True) -> str:
    """As YAML in blocks."""
    plain = json.loads(to_json(value))
    return str(yaml.safe_dump(plain, indent=indent, sort_keys=sort_keys, default_flow_style=False, allow_unicode=True))


def regex_replace(value: object, pattern: str, replacement: str = "", ignorecase: bool = False, count: int = 0) -> str:
    """`value` with what matches replaced; `\\1` stands for a group."""
    return re.sub(pattern, replacement, str(value), count=count, flags=re.IGNORECASE if ignorecase else 0)


def regex_search(value: object, pattern: str, *groups: str, ignorecase: bool = False, multiline: bool = False) -> Any:
    """The first match, or a list of the groups named as `\\1` or `\\g<name>`; none without a match."""
    match = re.search(pattern, str(value), _flags(ignorecase, multiline))
    if match is None or not groups:
        return match[0] if match else None
    return [match.expand(group) for group in groups]


def regex_findall(value: object, pattern: str, ignorecase: bool = False, multiline: bool = False) -> list[Any]:
    """All matches; with groups, a list of those of each match."""
    return re.findall(pattern, str(value), _flags(ignorecase, multiline))


def hash_of(value: object, algorithm: str = "sha1") -> str:
    """A digest in hexadecimal."""
    if algorithm not in _ALGORITHMS:
        raise ValueError(algorithm)
    return hashlib.new(algorithm, str(value).encode(), usedforsecurity=False).hexdigest()


def split(value: str, separator: str | None = None, most: int = -1) -> list[str]:
    """The parts of a text."""
    return str(value).split(separator, most)


def ternary(value: object, true: Any, false: Any) -> Any:
    """One of two, by whether `value` counts as true."""
    return true if value else false


def combine(value: Mapping[str, Any], *others: Mapping[str, Any]) -> dict[str, Any]:
    """Several objects as one; the later win."""
    merged = dict(value)
    for other in others:
        merged.update(other)
    return merged


_OWN: Mapping[str, Callable[..., Any]] = {
    "to_json": to_json,
    "to_nice_json": to_nice_json,
    "from_json": json.loads,
    "to_yaml": to_yaml,
    "to_nice_yaml": to_yaml,
    "from_yaml": lambda text: json.loads(to_json(yaml.safe_load(text))),
    "regex_replace": regex_replace,
    "regex_search": regex_search,
    "regex_findall": regex_findall,
    "regex_escape": re.escape,
    "hash": hash_of,
    "split": split,
    "ternary": ternary,
    "combine": combine,
    "b64encode": lambda text: base64.b64encode(text.encode()).decode(),
    "b64decode": lambda text: base64.b64decode(text).decode(),
}


def _flags(ignorecase: bool, multiline: bool) -> int:
    return (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)


def _plain(value: object) -> Any:
    if isinstance(value, Undefined):
        return str(value)  # raises the error that names the variable
    if isinstance(value, (Iterator, set, frozenset)):
        return list(value)
    return str(value)
