"""Every page there is, for the tests that visit all of them and for the pictures: a new one has its line here."""

# Placeholders are ids of tests/web/world.py, by their collection.
PAGES = {
    "home": "/",
    "campaigns": "/campaigns",
    "campaign-new": "/campaigns/new",
    "campaign": "/campaigns/{campaigns}",
    "campaign-setup": "/campaigns/{campaigns}/setup",
    "campaign-pace": "/campaigns/{campaigns}/pace",
    "target": "/campaigns/{campaigns}/targets/{targets}",
    "unknown": "/unknown",
    "clients": "/clients",
    "client-new": "/clients/new",
    "client": "/clients/{clients}",
    "usage": "/usage",
    "audit-log": "/audit-log",
    "people": "/people",
    "account": "/account",
}
# Of nobody who is logged in.
PUBLIC_PAGES = {"login": "/login"}
