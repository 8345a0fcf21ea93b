"""Operations on clients and message templates."""

from iglayers.clients.actions import ClientChange, NewClient
from iglayers.clients.model import Client
from iglayers.templates.actions import NewTemplate, PreviewFor, TemplateChange
from iglayers.templates.model import ChangedTemplate, MessageTemplate, Preview
from iglayers.web.openapi.operation import Query, Section, act, change, create, pages, read, remove

_BODY = "Hi {{firstName}}, love your {{category}} content! Open to a collab?"

CLIENTS = Section(
    "Clients",
    "The brands that you work for. Nobody is written to twice for one client.",
    [
        create(
            "/clients", "create_client", "Create a client", Client, body=NewClient,
            example={"name": "Acme Brand", "externalId": "acme_001"}, codes=("conflict",),
            note="A repeated `externalId` is a `conflict`; `existingId` names the client that has it.",
        ),
        pages(
            "/clients", "list_clients", "List clients", Client, of="cl",
            query=(Query("externalId", {"type": "string"}, "Only the client with this id of yours."),),
        ),
        read("/clients/{id}", "show_client", "Read a client", Client),
        change(
            "/clients/{id}", "change_client", "Change a client", Client, body=ClientChange,
            example={"dailyLimit": 200}, codes=("conflict", "invalid_state"),
            note="New limits hold from the next message.",
        ),
        remove(
            "/clients/{id}", "archive_client", "Archive a client", Client, codes=("conflict",),
            note="Refused while one of its campaigns runs. Its `externalId` stays taken.",
        ),
    ],
)  # fmt: skip

TEMPLATES = Section(
    "Message templates",
    "Texts with `{{firstName}}` or `{{firstName|there}}` in them: a published field of the target, `clientName`, "
    "`senderUsername` or any name in its `variables`, and what to say where there is none.",
    [
        create(
            "/message-templates", "create_template", "Create a message template", MessageTemplate, body=NewTemplate,
            example={"name": "Creator Intro", "body": _BODY},
            note="Braces that make no variable are refused, with their position.",
        ),
        pages("/message-templates", "list_templates", "List message templates", MessageTemplate, of="tpl"),
        read("/message-templates/{id}", "show_template", "Read a message template", MessageTemplate),
        change(
            "/message-templates/{id}", "change_template", "Change a message template", ChangedTemplate,
            body=TemplateChange, example={"body": _BODY}, codes=("invalid_state",),
            note="Campaigns that have started go on with the text they froze; `usedBy` names them.",
        ),
        remove(
            "/message-templates/{id}", "archive_template", "Archive a message template", MessageTemplate,
            codes=("conflict",), note="Refused while a campaign that has not ended uses it.",
        ),
        act(
            "/message-templates/{id}/preview", "preview_template", "See a text as a person would get it", Preview,
            body=PreviewFor, example={"sample": {"firstName": "Jane", "category": "fitness"}}, is_replayable=False,
            note="By the renderer that sends. Changes nothing.", codes=("target_not_found",),
        ),
    ],
)  # fmt: skip
