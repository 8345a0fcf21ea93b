"""Names that programs read, in words for people."""

_RULES = {
    "now": "nothing limits it",
    "sender.hourly": "the account's hourly limit",
    "sender.daily": "the account's daily limit",
    "sender.gap": "the pause between two messages of the account",
    "sender.rest": "Instagram asked the account to wait",
    "sender.state": "the account is stopped",
    "campaign.hourly": "the campaign's hourly limit",
    "campaign.daily": "the campaign's daily limit",
    "campaign.gap": "the campaign spreads its messages evenly",
    "client.hourly": "the client's hourly limit",
    "client.daily": "the client's daily limit",
    "client.gap": "the client's messages are spread evenly",
    "schedule": "the campaign's hours",
    "workspace.monthly": "the month's messages",
}


def rule_in_words(rule: str) -> str:
    """What a rule of pace is called."""
    return _RULES.get(rule, rule.replace(".", ": ").replace("_", " "))
