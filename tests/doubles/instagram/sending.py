"""POST /{IG_ID}/messages: what may be sent to whom, in the order in which the platform says no."""

import re
from dataclasses import dataclass
from typing import Any

from tests.doubles.instagram import errors, events
from tests.doubles.instagram.webhooks import Webhooks
from tests.doubles.instagram.world import DAY_S, HOUR_S, Account, Comment, Peer, Token, World

MAX_TEXT_BYTES = 1000
RETIRED_TAGS = {"CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE", "POST_PURCHASE_UPDATE"}
MEDIA_TYPES = {"audio", "video", "file", "image"}
SENDER_ACTIONS = {"typing_on", "typing_off", "mark_seen", "react", "unreact"}
Body = dict[str, Any]


@dataclass
class Rules:
    """Switches where the documentation leaves more than one answer open."""

    blocked_code: int = 551
    private_reply_text_only: bool = True
    too_long_subcode: int | None = 2534015


def send(world: World, hooks: Webhooks, token: Token, body: Body, rules: Rules) -> dict[str, Any]:
    """The answer of a call that was accepted; raises GraphError otherwise. Nothing is stored then."""
    account = world.accounts[token.ig_id]
    recipient = body.get("recipient")
    if not isinstance(recipient, dict) or ("id" in recipient) == ("comment_id" in recipient):
        raise errors.parameter("(recipient) must have either id or comment_id")
    if ("message" in body) == ("sender_action" in body):
        raise errors.parameter("Exactly one of message and sender_action is required")
    if not account.messages_access:
        raise errors.messages_access_off()
    if "comment_id" in recipient:
        return _private_reply(world, hooks, token, body, rules)
    _need(token, "instagram_business_manage_messages")
    if "sender_action" in body:
        return _act(world, account, body)
    _check_tag(account, body.get("tag"))
    message = _checked(world, account, body.get("message"), rules)
    peer = _peer(world, account, str(recipient["id"]))
    _refuse_blocked(peer, rules)
    if not peer.is_self and not _is_open(peer, world.now(), body.get("tag")):
        raise errors.outside_window()
    if "reply_to" in body:
        message["reply_to"] = _reply_to(world, account, peer, body["reply_to"])
    _limit(world, account, "media" if _is_heavy(message) else "send")
    route = "human_agent" if body.get("tag") == "HUMAN_AGENT" else "standard"
    stored = world.store(peer, by="api", route=route, message=message, tag=body.get("tag"))
    hooks.tell(events.echo(peer, stored), is_echo=True)
    return {"recipient_id": peer.igsid, "message_id": stored.mid}


def _private_reply(world: World, hooks: Webhooks, token: Token, body: Body, rules: Rules) -> dict[str, Any]:
    account = world.accounts[token.ig_id]
    _need(token, "instagram_business_manage_comments")
    if "sender_action" in body or body.get("tag") or "reply_to" in body:
        raise errors.parameter("A private reply takes a message only")
    message = _checked(world, account, body.get("message"), rules)
    if rules.private_reply_text_only and "text" not in message:
        raise errors.parameter("A private reply must be text", 2534015)
    comment = world.comments.get(str(body["recipient"]["comment_id"]))
    if comment is None or not _takes_private_reply(world, account, comment):
        raise errors.comment_not_valid()
    if comment.private_reply_mid is not None:
        raise errors.already_replied()
    _refuse_blocked(comment.peer, rules)
    _limit(world, account, "live_private_reply" if comment.is_live else "private_reply")
    stored = world.store(comment.peer, by="api", route="private_reply", message=message, comment_id=comment.id)
    comment.private_reply_mid = stored.mid
    hooks.tell(events.echo(comment.peer, stored), is_echo=True)
    return {"recipient_id": comment.peer.igsid, "message_id": stored.mid}


def _takes_private_reply(world: World, account: Account, comment: Comment) -> bool:
    is_young = world.now() - comment.at <= 7 * DAY_S
    is_on_air = not comment.is_live or comment.media_id not in world.ended_lives
    is_of_somebody = not comment.peer.is_self
    return comment.ig_id == account.ig_id and not comment.is_deleted and is_young and is_on_air and is_of_somebody


def _act(world: World, account: Account, body: Body) -> dict[str, Any]:
    action = body["sender_action"]
    if action not in SENDER_ACTIONS:
        raise errors.parameter(f"sender_action must be one of {sorted(SENDER_ACTIONS)}")
    peer = _peer(world, account, str(body["recipient"]["id"]))
    if action in {"react", "unreact"}:
        payload = body.get("payload")
        mid = str(payload.get("message_id")) if isinstance(payload, dict) else ""
        found = world.find_message(account.ig_id, mid)
        if found is None or found[0].peer is not peer:
            raise errors.parameter("(payload.message_id) is no message of this conversation")
    return {"recipient_id": peer.igsid}


def _need(token: Token, scope: str) -> None:
    if scope not in token.scopes:
        raise errors.no_permission(scope)


def _check_tag(account: Account, tag: object) -> None:
    if tag in RETIRED_TAGS:
        raise errors.parameter(f"The tag {tag} is no longer supported")
    if tag is not None and tag != "HUMAN_AGENT":
        raise errors.parameter("Param tag must be HUMAN_AGENT")
    if tag == "HUMAN_AGENT" and not account.human_agent:
        raise errors.GraphError(10, "Application does not have the Human Agent feature")


def _peer(world: World, account: Account, igsid: str) -> Peer:
    """An IGSID exists for this account only once the person has turned to it."""
    if igsid == account.ig_id:
        return world.self_peer(account)
    peer = world.peer_by_igsid(account.ig_id, igsid)
    if peer is None or not peer.is_known:
        raise errors.no_matching_user()
    return peer


def _refuse_blocked(peer: Peer, rules: Rules) -> None:
    if not peer.has_blocked:
        return
    if rules.blocked_code == 551:
        raise errors.GraphError(551, "This person isn't available right now.", 1545041)
    raise errors.GraphError(2, "Service temporarily unavailable", status=500, is_transient=True)


def _is_open(peer: Peer, now: float, tag: object) -> bool:
    if peer.last_action_at is None:
        return False
    return now - peer.last_action_at <= (7 * DAY_S if tag == "HUMAN_AGENT" else DAY_S)


def _reply_to(world: World, account: Account, peer: Peer, reply_to: object) -> dict[str, Any]:
    mid = reply_to.get("mid") if isinstance(reply_to, dict) else None
    found = world.find_message(account.ig_id, str(mid))
    if found is None or found[0].peer is not peer or found[1].is_deleted:
        raise errors.parameter("(reply_to.mid) is no message of this conversation")
    return {"mid": mid, "is_self_reply": found[1].is_from_account}


def _limit(world: World, account: Account, what: str) -> None:
    calls, per_s = {
        "send": (100, 1.0), "media": (10, 1.0), "private_reply": (750, HOUR_S), "live_private_reply": (100, 1.0),
    }[what]  # fmt: skip
    if not world.within_limit(what, account.ig_id, calls=calls, per_s=per_s):
        raise errors.GraphError(613, "Calls to this api have exceeded the rate limit.", 2534040)


def _checked(world: World, account: Account, message: object, rules: Rules) -> dict[str, Any]:
    """The message as it will be stored."""
    if not isinstance(message, dict):
        raise errors.parameter("(message) must be an object")
    attachments = _attachments(message)
    if ("text" in message) == bool(attachments):
        raise errors.parameter("A message has either text or attachments", 2534015)
    stored: dict[str, Any] = {}
    if "text" in message:
        stored["text"] = _checked_text(message["text"], rules)
    else:
        for each in attachments:
            _check_attachment(world, account, each)
        if len(attachments) > 10 or (len(attachments) > 1 and any(each.get("type") != "image" for each in attachments)):
            raise errors.parameter("Up to 10 images may be sent in one message", 2534015)
        stored["attachments"] = attachments
    if "quick_replies" in message:
        stored["quick_replies"] = _checked_quick_replies(message["quick_replies"])
    return stored


def _checked_text(text: object, rules: Rules) -> str:
    if not isinstance(text, str) or not text.strip():
        raise errors.parameter("(message.text) must be a non-empty string", 2534015)
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise errors.parameter("Length of param message[text] must be at most 1000 bytes", rules.too_long_subcode)
    return text


def _attachments(message: Body) -> list[dict[str, Any]]:
    """`attachment`, or `attachments` as a list or, as in some samples, as one object."""
    found = message.get("attachments", message.get("attachment"))
    each = found if isinstance(found, list) else [] if found is None else [found]
    if not all(isinstance(item, dict) for item in each):
        raise errors.parameter("(message.attachment) must be an object", 2534015)
    return each


def _check_attachment(world: World, account: Account, attachment: dict[str, Any]) -> None:
    kind, payload = attachment.get("type"), attachment.get("payload")
    if kind == "like_heart":
        return
    if not isinstance(payload, dict):
        raise errors.parameter("(attachment.payload) must be an object", 2534015)
    if kind == "MEDIA_SHARE":
        if world.media.get(str(payload.get("id"))) != account.ig_id:
            raise errors.no_such_object(str(payload.get("id")))
    elif kind == "template":
        _check_template(payload)
    elif kind not in MEDIA_TYPES:
        raise errors.parameter("(attachment.type) is not supported", 2534015)
    elif "attachment_id" in payload:
        if world.attachments.get(str(payload["attachment_id"])) != account.ig_id:
            raise errors.parameter("(attachment_id) does not exist", 2018047)
    elif not re.match(r"https?://[^/\s]+", str(payload.get("url", ""))):
        raise errors.parameter("Failed to fetch the file from the url", 2018008)


def _check_template(payload: dict[str, Any]) -> None:
    kind = payload.get("template_type")
    elements = payload.get("elements") if kind == "generic" else [payload]
    if kind not in {"generic", "button"} or not isinstance(elements, list) or not 1 <= len(elements) <= 10:
        raise errors.parameter("The template must be button, or generic with 1 to 10 elements", 2534015)
    for each in elements:
        buttons = each.get("buttons", [])
        is_titled = each.get("text") if kind == "button" else each.get("title")
        if not is_titled or len(buttons) > 3 or (kind == "button" and not buttons):
            raise errors.parameter("An element has its text and up to 3 buttons", 2534015)
        if any(button.get("type") not in {"web_url", "postback"} for button in buttons):
            raise errors.parameter("A button is web_url or postback", 2534015)


def _checked_quick_replies(replies: object) -> list[dict[str, Any]]:
    if not isinstance(replies, list) or not 1 <= len(replies) <= 13:
        raise errors.parameter("(quick_replies) must have 1 to 13 items", 2534015)
    if any(each.get("content_type") != "text" or not each.get("title") for each in replies):
        raise errors.parameter("(quick_replies.content_type) must be text", 2534015)
    return [each | {"title": str(each["title"])[:20]} for each in replies]


def _is_heavy(message: dict[str, Any]) -> bool:
    return any(each.get("type") in {"audio", "video"} for each in message.get("attachments", []))
