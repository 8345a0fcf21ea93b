"""Which transports there are, and which of them a workspace may use: a test workspace can never reach Instagram."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from iglayers.accounts.model import Mode

GROUP = "iglayers.transports"

_OF_MODE: dict[Mode, tuple[str, ...]] = {
    Mode.LIVE: ("instagram", "assisted"),
    Mode.TEST: ("sandbox", "assisted"),
}
_OURS = frozenset(name for names in _OF_MODE.values() for name in names)


@cache
def plugins() -> dict[str, EntryPoint]:
    """Transports of other packages, by name; ours cannot be replaced."""
    return {each.name: each for each in entry_points(group=GROUP) if each.name not in _OURS}


def allowed(mode: Mode) -> list[str]:
    """The transports that a sender of this mode may name; plugins reach real people, so live only."""
    return [*_OF_MODE[mode], *(sorted(plugins()) if mode is Mode.LIVE else ())]
