"""The texts of a campaign: its steps, each with one text or several variants of it. Pure."""

from iglayers.campaigns.model import Campaign, Variant
from iglayers.campaigns.queries import Step
from iglayers.core.errors import Invalid
from iglayers.core.ids import TemplateId

MAX_FOLLOW_UPS = 5
MAX_VARIANTS = 6
MAX_DELAY_HOURS = 24 * 90


def check(campaign: Campaign) -> None:
    """Refuse steps and variants that can never work, with the path of the field."""
    if len(campaign.follow_ups) > MAX_FOLLOW_UPS:
        raise Invalid(
            f"followUps has {len(campaign.follow_ups)} entries; {MAX_FOLLOW_UPS} are allowed.", param="followUps"
        )
    _check_variants(campaign.message_template_id, campaign.variants, "")
    for index, follow_up in enumerate(campaign.follow_ups):
        at = f"followUps[{index}]."
        if not 1 <= follow_up.delay_hours <= MAX_DELAY_HOURS:
            raise Invalid(f"{at}delayHours must be from 1 to {MAX_DELAY_HOURS}.", param=f"{at}delayHours")
        _check_variants(follow_up.message_template_id, follow_up.variants, at)


def _check_variants(first: TemplateId, variants: list[Variant], at: str) -> None:
    if not variants:
        return
    param, ids = f"{at}variants", [each.message_template_id for each in variants]
    if not 2 <= len(variants) <= MAX_VARIANTS:
        raise Invalid(f"{param} has {len(variants)} entries; 2 to {MAX_VARIANTS} are allowed, or none.", param=param)
    if ids[0] != first:
        at_first = f"{param}[0].messageTemplateId"
        raise Invalid(f"{at_first} must be {at}messageTemplateId: variants are all texts of the step.", param=at_first)
    for index, each in enumerate(ids):
        if each in ids[:index]:
            again = f"{param}[{index}].messageTemplateId"
            raise Invalid(f"{again} is a variant already.", param=again)


def steps(campaign: Campaign) -> list[Step]:
    """A row for each variant of each step."""
    texts = [(0, campaign.message_template_id, campaign.variants)]
    texts += [(each.delay_hours, each.message_template_id, each.variants) for each in campaign.follow_ups]
    return [
        Step(
            step=number, variant=place, template_id=each.message_template_id, weight=each.weight,
            delay_hours=delay_hours, body=None,
        )
        for number, (delay_hours, template_id, variants) in enumerate(texts)
        for place, each in enumerate(variants or [Variant(message_template_id=template_id)])
    ]  # fmt: skip


def path(step: Step) -> str:
    """The field that names the template of a step's variant."""
    at = f"followUps[{step.step - 1}]." if step.step else ""
    return f"{at}variants[{step.variant}].messageTemplateId" if step.variant else f"{at}messageTemplateId"
