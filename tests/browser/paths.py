"""Every page there is, for the tests that visit all of them and for the pictures: a new one has its line here."""

# Placeholders are ids of tests/web/world.py, by their collection.
PAGES = {
    "home": "/",
    "contacts": "/contacts",
    "contact": "/contacts/acme.fan",
    "templates": "/templates",
    "template-new": "/templates/new",
    "template": "/templates/{templates}",
    "clients": "/clients",
    "client-new": "/clients/new",
    "client": "/clients/{clients}",
    "suppressions": "/suppressions",
    "suppressions-new": "/suppressions/new",
    "webhooks": "/webhooks",
    "webhook-new": "/webhooks/new",
    "webhook": "/webhooks/{webhooks}",
    "webhook-edit": "/webhooks/{webhooks}/edit",
    "delivery": "/deliveries/{deliveries}",
    "api-keys": "/api-keys",
    "api-key-new": "/api-keys/new",
    "inbox": "/inbox",
    "thread": "/inbox/{inbox}",
    "inbox-log": "/inbox/log",
    "senders": "/senders",
    "sender-connect": "/senders/connect",
    "sender-new": "/senders/new",
    "sender": "/senders/{senders}",
    "outbox": "/outbox",
    "practice": "/practice/jane.doe",
    "usage": "/usage",
    "audit-log": "/audit-log",
    "people": "/people",
    "settings": "/settings",
    "account": "/account",
}
# Of nobody who is logged in.
PUBLIC_PAGES = {"login": "/login"}
