"""Operations on the caller, the workspace, keys and the audit log."""

from iglayers.accounts.actions import NewKey
from iglayers.accounts.api import Me, Rotation
from iglayers.accounts.model import ApiKey, AuditEntry, CreatedKey, Scope, Workspace
from iglayers.messages.actions import WorkspaceChange
from iglayers.web.openapi.operation import Query, Section, change, create, pages, read, remove

ACCOUNT = Section(
    "Account",
    "Who is calling, what the workspace is set to, and what was changed by whom.",
    [
        read("/me", "me", "Who this key is, and what it may do", Me),
        read("/workspace", "show_workspace", "Read the workspace's settings", Workspace, scope=Scope.ADMIN),
        change(
            "/workspace", "change_workspace", "Change the workspace's settings", Workspace, scope=Scope.ADMIN,
            body=WorkspaceChange, example={"monthlyLimit": 3_000, "timezone": "Europe/Madrid"},
            note="They hold from the next message. No message begins while they change.",
        ),
        pages(
            "/audit-log", "audit_log", "Read who changed what", AuditEntry, of="aud", scope=Scope.ADMIN,
            query=(
                Query("action", {"type": "string"}, "What was done: `campaign.paused`, or `campaign` for all."),
                Query("objectId", {"type": "string"}, "To which object, by its id."),
                Query("actor", {"type": "string"}, "By whom, as the log names them: `key Zapier (…wxyz)`."),
                Query("since", {"type": "string", "format": "date-time"}, "Only from this moment on."),
            ),
            note="Every change, with what differed before and after. Lines stay as they are; erasing a person alone "
            "takes out what was about them.",
        ),
    ],
)  # fmt: skip

KEYS = Section(
    "API keys",
    "A key is shown once, when it is made; what is kept of it can only recognise it.",
    [
        create(
            "/api-keys", "create_key", "Create an API key", CreatedKey, scope=Scope.ADMIN, body=NewKey,
            example={"name": "CRM", "scopes": ["read", "write"]},
            note="The answer holds the key itself, this once.",
        ),
        pages("/api-keys", "list_keys", "List API keys", ApiKey, of="key", scope=Scope.ADMIN),
        create(
            "/api-keys/{id}/rotate", "rotate_key", "Replace an API key", CreatedKey, scope=Scope.ADMIN, body=Rotation,
            example={"overlapHours": 24}, codes=("invalid_state",),
            note="A new key with the same name, scopes, client and addresses; the old one ends after the overlap, 0 to "
            "24 hours.",
        ),
        remove("/api-keys/{id}", "revoke_key", "Revoke an API key", ApiKey, scope=Scope.ADMIN),
    ],
)  # fmt: skip
