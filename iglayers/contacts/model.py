"""Contacts and suppressions as values."""

from datetime import datetime

import msgspec

from iglayers.core.errors import Conflict, NotFound
from iglayers.core.ids import ClientId, ContactId, SuppressionId


class ContactNotFound(NotFound):
    code = "not_found"
    remedy = "Check the username and the workspace of your key."


class MergedMeanwhile(Conflict):
    """Between the look and the lock, the person became another one."""

    code = "conflict"
    remedy = "Send the request again."


class SuppressionNotFound(NotFound):
    code = "not_found"
    remedy = "List the suppressions of this person: GET /suppressions?instagramUsername=..."


class SuppressionKept(Conflict):
    """The suppression of an erased person cannot be lifted."""

    code = "conflict"
    remedy = "Nothing can be done: all else that was known of this person is gone."


class TargetSuppressed(Conflict):
    code = "target_suppressed"
    remedy = "Leave this person out, or lift the suppression: DELETE /suppressions/{username}."


# Said by the person, or left of one: no list of ours weakens these, and erasure alone writes the second.
OPT_OUT, ERASURE = "opt_out", "erasure"


class ContactRow(msgspec.Struct, frozen=True):
    """The person behind a handle. Of merged contacts, the one that is left.

    Erased ones have no username, nor have those whom retention has forgotten (`is_forgotten`).
    """

    id: ContactId
    handle_hash: bytes
    username: str | None
    is_forgotten: bool = False


class Gone(msgspec.Struct, frozen=True):
    """When and how the name of a person went, if it did."""

    erased_at: datetime | None
    forgotten_at: datetime | None


class Suppression(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Somebody who must not be written to, by a client or (no client) by the whole workspace."""

    id: SuppressionId
    username: str | None = msgspec.field(name="instagramUsername")
    client_id: ClientId | None
    reason: str
    source: str
    expires_at: datetime | None
    created_at: datetime
