"""Operations on people: who must not be written to, and all that is known of one."""

import msgspec

from iglayers.accounts.model import Scope
from iglayers.contacts.actions import WantedSuppression, WantedSuppressions
from iglayers.contacts.model import Suppression
from iglayers.core.ids import SuppressionId
from iglayers.reports.merge import Merge
from iglayers.reports.model_people import Merged, Person
from iglayers.web.openapi.operation import FORMAT_NOTE, Query, Section, act, create, ids, one_of, pages, read, remove

_CLIENT = Query("clientId", ids("cl"), "For this client; without it for the whole workspace.")
_CSV = (
    "instagramUsername,clientId,reason,source,expiresAt,createdAt\r\n"
    "jane.doe,,asked us by mail,manual,,2026-05-04T09:30:00.000Z\r\n"
)


class RefusedRow(msgspec.Struct, rename="camel", omit_defaults=True):
    """Why a row was refused."""

    code: str
    message: str
    param: str | None = None
    remedy: str | None = None


class SuppressedRow(msgspec.Struct, rename="camel", omit_defaults=True):
    """What became of one row; an `id` where it was accepted, an `error` where it was not."""

    index: int
    instagram_username: str
    status: str
    id: SuppressionId | None = None
    error: RefusedRow | None = None


class SuppressedMany(msgspec.Struct):
    """Results in the order sent."""

    accepted: int
    rejected: int
    results: list[SuppressedRow]


class RefusedLine(msgspec.Struct, rename="camel"):
    """A line of a file that names nobody."""

    line: int
    instagram_username: str
    error: RefusedRow


class SuppressedList(msgspec.Struct, rename="camel"):
    """What became of a file; of many refused lines the first thousand are shown."""

    accepted: int
    rejected: int
    rejects: list[RefusedLine]
    rejects_left_out: int


SUPPRESSIONS = Section(
    "Suppressions",
    "People who must not be written to, by one client or by the whole workspace. It holds for what has not begun, "
    "from the answer on.",
    [
        create(
            "/suppressions", "create_suppressions", "Suppress one person, or up to 10,000",
            (Suppression, SuppressedMany), body=(WantedSuppression, WantedSuppressions),
            example={"instagramUsername": "jane.doe", "reason": "asked us by mail"}, codes=("client_not_found",),
            note='Many: `{"suppressions": [...]}`, up to 10 MiB. Suppressing somebody again renews it. If no row was '
            "accepted, the answer is the first row's refusal with `accepted`, `rejected` and `results` beside it.",
        ),
        create(
            "/suppressions/import", "import_suppressions", "Suppress everybody in a file", SuppressedList,
            csv="instagramUsername,reason\njane.doe,asked us by mail\n", query=(_CLIENT,),
            codes=("client_not_found", "missing_required_field"),
            note="CSV with the column `instagramUsername`, maybe `clientId`, `reason`, `source` and `expiresAt`: what "
            "the export gives can be read again. Up to 10 MiB.",
        ),
        pages(
            "/suppressions", "list_suppressions", "List suppressions", Suppression, of="sup",
            query=(
                Query("instagramUsername", {"type": "string"}, "Only those of this person, in any spelling."),
                Query("clientId", ids("cl"), "Only those of this client."),
                Query("format", one_of("json", "csv", default="json"), FORMAT_NOTE),
            ),
            codes=("client_not_found",), files={"text/csv": _CSV},
        ),
        remove(
            "/suppressions/{username}", "lift_suppression", "Lift a suppression", Suppression, query=(_CLIENT,),
            codes=("conflict",), note="That of an erased person stays: `conflict`.",
        ),
    ],
)  # fmt: skip

CONTACTS = Section(
    "Contacts",
    "A person, known by the Instagram username.",
    [
        read("/contacts/{username}", "show_person", "Read all that is known of a person", Person),
        act(
            "/contacts/{username}/merge", "merge_people", "Merge two names of one person", Merged, scope=Scope.ADMIN,
            body=Merge, example={"into": "jane.new", "reason": "changed her name"}, codes=("conflict",),
            note="For somebody who changed the username, or is known under two: from now on `into` is written to, and "
            "whatever held for either name holds for both. Where both are queued in a campaign, one is skipped as "
            "`target_duplicate`; where both were written to before, `writtenToTwice` says so, the older target stays "
            "the first contact, and no follow-up goes out from the other. Once more changes nothing. `conflict`: a "
            "message is on its way, somebody was erased, or the two are merged the other way round. **This cannot be "
            "undone.**",
        ),
        remove(
            "/contacts/{username}", "erase_person", "Erase a person", Person, scope=Scope.ADMIN, codes=("conflict",),
            note="Their data is gone everywhere; a keyed hash stays and keeps them suppressed. Who repeats a call that "
            'told of them, with its `Idempotency-Key`, gets `{"erased": true}`. This cannot be undone.',
        ),
    ],
)  # fmt: skip
