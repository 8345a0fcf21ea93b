"""How ids and moments look outside: the two hooks of every JSON encoder and decoder, and the encoder itself."""

from datetime import datetime

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.ids import Id


def json_bytes(tree: object) -> bytes:
    return msgspec.json.encode(tree, enc_hook=encode_special)


def encode_special(item: object) -> str:
    if isinstance(item, Id):
        return str(item)
    if isinstance(item, Moment):
        return item.rfc3339()
    raise NotImplementedError(repr(type(item)))


def decode_special(kind: type[object], item: object) -> object:
    if issubclass(kind, Id):
        if not isinstance(item, str):
            raise ValueError(f"expected an id that starts with {kind.prefix}_")
        return kind.parse(item)
    if issubclass(kind, Moment):
        return _moment(item)
    raise NotImplementedError(kind)


def _moment(item: object) -> Moment:
    try:
        parsed = msgspec.convert(item, datetime)
    except msgspec.ValidationError:
        raise ValueError("expected an RFC 3339 time such as 2026-05-01T09:00:00Z") from None
    if parsed.tzinfo is None:
        raise ValueError("the time needs a zone, such as 2026-05-01T09:00:00Z or +02:00")
    if not 2000 <= parsed.year <= 2200:
        raise ValueError("the year must be from 2000 to 2200")
    return Moment.of(parsed)
