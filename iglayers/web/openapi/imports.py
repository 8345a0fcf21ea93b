"""Operations on imports of large files."""

from iglayers.targets.model_imports import Import
from iglayers.web.openapi.operation import Query, Section, act, create, flag, pages, read

IMPORTS = Section(
    "Imports",
    "CSV files of up to 1,000,000 rows and 100 MiB on their way into a campaign. Workers read them in the background; "
    "one that is interrupted goes on where it was.",
    [
        create(
            "/campaigns/{id}/imports", "create_import", "Import a file of targets", Import,
            csv="instagramUsername,firstName,city\ncreatorname,Creator,Madrid\n",
            query=(Query("dryRun", flag(), "Judge each row and store no target."),),
            codes=("missing_required_field", "conflict", "invalid_state"),
            note="The columns of an upload. Fails at once where the header cannot be used. At most 20 imports wait.",
        ),
        pages("/campaigns/{id}/imports", "list_imports", "List imports", Import, of="imp"),
        read("/imports/{id}", "show_import", "Read an import's progress", Import),
        read(
            "/imports/{id}/rejects", "export_rejects", "Read the rows that were rejected", None,
            files={"text/csv": "line,instagramUsername,code,reason\r\n4,jane.doe,target_suppressed,Suppressed.\r\n"},
            note="By line, while it runs too; kept for 30 days.",
        ),
        act(
            "/imports/{id}/cancel", "cancel_import", "Stop an import", Import,
            note="Targets that it made stay. One that has ended stays as it is.",
        ),
    ],
)  # fmt: skip
