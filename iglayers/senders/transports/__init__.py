"""The ways for messages to leave, a folder each, by name; other packages add theirs at the entry point."""

from iglayers.accounts.services import Services
from iglayers.senders.installed import plugins
from iglayers.senders.model import Transport
from iglayers.senders.transports.assisted.transport import AssistedTransport
from iglayers.senders.transports.instagram.transport import InstagramTransport
from iglayers.senders.transports.sandbox.transport import SandboxTransport


def build(services: Services) -> dict[str, Transport]:
    """Every transport of this installation. An entry point of the group `iglayers.transports` takes Services."""
    ours: list[Transport] = [SandboxTransport(services.db), AssistedTransport(), InstagramTransport(services)]
    return {each.name: each for each in ours} | {name: each.load()(services) for name, each in plugins().items()}
