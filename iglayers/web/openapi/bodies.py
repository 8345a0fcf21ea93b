"""Bodies that a route reads by hand: what it takes is written here as a struct, for their schemas alone."""

from typing import Annotated

import msgspec

from iglayers.targets.model import MAX_ROWS
from iglayers.targets.rows import SentRow


class NewTarget(SentRow, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One person. `instagramUsername` is required; a row without it is rejected, the others are taken."""


class UploadedTargets(msgspec.Struct, forbid_unknown_fields=True):
    """Rows are judged one by one, in the order sent."""

    targets: Annotated[list[NewTarget], msgspec.Meta(min_length=1, max_length=MAX_ROWS)]
