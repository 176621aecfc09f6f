"""Every way in which something does not work, as people are told it: one sentence and a way on, never a code."""

from typing import Final

from msgspec import Struct


class Sentence(Struct, frozen=True):
    """Say what did not work and what to do, in both languages; `{hotline}` stands for the number to ring."""

    zh: str
    en: str

    def told(self, language: str, hotline: str) -> str:
        """The sentence in a language."""
        return (self.en if language == "en" else self.zh).replace("{hotline}", hotline)


_ASK: Final = Sentence("没能办成，什么都没有改。请打 {hotline}。", "That did not work and nothing was changed. Please ring {hotline}.")  # fmt: skip
_GONE: Final = Sentence("这里没有您要找的东西。", "What you are looking for is not here.")
PROBLEMS: Final = {
    "invalid_request": Sentence("有的地方没填对，请看一看。", "Something is not filled in as it should be; please look again."),
    "invalid_json": _ASK,
    "invalid_phone": Sentence("这个号码打不通：手机号是11位，固定电话要带区号。", "We cannot ring this number: a mobile has 11 digits, a landline needs its area code."),
    "already_open": Sentence("已经有一个要回拨了，先把那个办完。", "A call is promised already; please see to that one first."),
    "no_account": Sentence("这个人不用短信数字登录，印不了卡。", "This person does not sign in with digits of a message, so no card can be printed."),
    "mistyped_code": Sentence("单号有一位不对，或者两位写反了，请再核对。", "A digit of this order number is wrong, or two are swapped; please check it."),
    "invalid_window": Sentence("结束的时间比开始的早，请改一改。", "The end lies before the beginning; please change it."),
    "idempotency_key_required": _ASK,
    "not_signed_in": Sentence("请先登录。", "Please sign in."),
    "sign_in_failed": Sentence("数字不对，或者过了时间。请再发一条。", "The digits are not right, or too old. Please have new ones sent."),
    "not_allowed": Sentence("这一页不是给您看的，或者开得太久了。请从首页再来一次。", "This page is not yours to see, or was open for too long. Please start again from the first page."),
    "own_evidence": Sentence("这次服务的记录是您录入的，要请别人来定。", "You entered records of this visit; somebody else decides about it."),
    "not_found": _GONE,
    "method_not_allowed": _GONE,
    "unknown_resident": Sentence("没有找到这位老人，或者他还没同意您看。", "We do not find this person, or they have not let you see them."),
    "unknown_worker": Sentence("没有找到这个人。", "We do not find this person."),
    "unknown_absence": Sentence("没有这条请假记录。", "There is no such absence."),
    "unknown_zone": Sentence("没有这个片区。", "There is no such zone."),
    "unknown_session": Sentence("那边已经退出了。", "It is signed out there already."),
    "unknown_consent": Sentence("这项同意已经收回了。", "This consent has ended already."),
    "unknown_request": Sentence("没有找到这件要同意的事。", "We do not find what was asked for."),
    "unknown_item": Sentence("现在没有这项服务。", "This service is not offered now."),
    "unknown_order": Sentence("没有找到这一单。", "We do not find this order."),
    "unknown_offer": Sentence("没有找到这张派单。", "We do not find this offer."),
    "unknown_task": Sentence("没有找到这件事。", "We do not find this task."),
    "unknown_emergency": Sentence("没有找到这次求助。", "We do not find this alarm."),
    "unknown_facility": Sentence("没有找到这个地方。", "We do not find this place."),
    "illegal_transition": Sentence("这一单现在不能这样办了。", "That cannot be done with this order any more."),
    "lines_missing": Sentence("还有没做完的，在下面打勾，或者选一个原因。", "Something is still to be done: tick it below, or choose why not."),
    "other_side_unheard": Sentence("要先听过两边怎么说，才能定。", "Both sides are heard before it is decided."),
    "stale_version": Sentence("刚在别处改过了。现在的情况在上面。", "It was just changed elsewhere. How it stands now is above."),
    "slot_taken": Sentence("这个时间刚被别人订走了，请看看别的时间。", "Somebody has just taken this time; please look at the others."),
    "offer_closed": Sentence("这一单已经派给别家了。", "This order has gone to another provider."),
    "already_taken": Sentence("别人在办了。", "Somebody else is seeing to it."),
    "already_absent": Sentence("这段时间已经记过请假了。", "An absence is recorded for some of that time already."),
    "already_asked": Sentence("您已经问过了，还在等回答。", "You have asked already; the answer is still to come."),
    "already_answered": Sentence("这件事已经回答过了，没有再改。", "This has been answered already; nothing was changed."),
    "refused_lately": Sentence("老人说了不同意，过些日子才能再问。", "They have said no; you can ask again some days from now."),
    "already_closed": Sentence("这件事已经办完了。", "This has been seen to already."),
    "closes_by_itself": Sentence("这件事要办完了才会自己关掉。", "This goes when it is over, and cannot be put away before."),
    "hold_at_limit": Sentence("不能再留更久了，到时间前都给您留着。", "It cannot be held any longer; it is yours until the time said."),
    "already_registered": Sentence("这个号码下已经登记过这位老人了。", "This person is already registered under this number."),
    "request_in_progress": Sentence("还在办，请等一下再看。", "It is still being done; please look again in a moment."),
    "hold_expired": Sentence("留的时间到了，请再选一次。", "The time it was held for is over; please choose again."),
    "body_too_large": Sentence("写得太长了，请短一点。", "That is too long; please make it shorter."),
    "unsupported_media_type": _ASK,
    "unreadable": Sentence("这条记录我们读不出来，会请人来看。", "We cannot read this record; somebody will look at it."),
    "in_the_past": Sentence("这个时间已经过了，请改一改。", "This time has passed; please change it."),
    "shift_too_long": Sentence("一天排不了这么长的班，请改短。", "Nobody works for so long on one day; please make it shorter."),
    "shift_holds_visits": Sentence("要去掉的时间里有答应了的单，请先换人。", "There are promised visits in the time that would go; please give them to others first."),
    "shifts_overlap": Sentence("这个人的两个班重叠了，请改一改。", "Two shifts of this person overlap; please change one."),
    "absence_too_long": Sentence("一次最多记一年，请把时间改短。", "At most a year is recorded at once; please make it shorter."),
    "slot_in_past": Sentence("这个时间过了，请重新选。", "This time has passed; please choose again."),
    "too_far_ahead": Sentence("那天还不能订。", "That day cannot be booked yet."),
    "slot_invalid": Sentence("这个时间过了，请重新选。", "This time is too old; please choose again."),
    "too_many_orders": Sentence("已经订了很多次了，要再订请打 {hotline}。", "There are very many bookings already; to book more please ring {hotline}."),
    "unreachable_place": Sentence("我们不知道怎么到那里，请打 {hotline}。", "We know no way to this place; please ring {hotline}."),
    "outside_zone": Sentence("这个位置离片区太远了，请核对一下。", "This position lies far outside the zone; please check both."),
    "no_shift": Sentence("那个时间没有人当班。", "Nobody is on shift then."),
    "consent_missing": Sentence("老人还没同意。我们可以打电话问他。", "They have not agreed to this. We can ring and ask them."),
    "not_entitled": Sentence("现在还不能订这项服务，请打 {hotline} 问一问。", "This service cannot be booked now; please ring {hotline} and ask."),
    "idempotency_key_reused": _ASK,
    "too_many_requests": Sentence("试得太多了，请过一会儿再来，或者打 {hotline}。", "Too many tries; please wait a little, or ring {hotline}."),
    "internal_error": Sentence("没能办成，什么都没有改。请再按一次，或者打 {hotline}。", "That did not work and nothing was changed. Please press once more, or ring {hotline}."),
    "not_ready": Sentence("刚开机，请过几秒再按一次。", "We have just started; please press once more in a few seconds."),
    "busy": Sentence("现在很多人在办，请过一会儿再按一次。", "Many people are asking now; please press once more in a moment."),
    "unavailable": Sentence("没能办成，什么都没有改。请再按一次，或者打 {hotline}。", "That did not work and nothing was changed. Please press once more, or ring {hotline}."),
}  # fmt: skip
FIELDS: Final = {"invalid_phone": "phone", "sign_in_failed": "code", "mistyped_code": "order"}
_EMPTY: Final = {
    "phone": Sentence("请写手机号。", "Please fill in your telephone number."),
    "code": Sentence("请写短信里的6个数字。", "Please fill in the 6 digits of the message."),
    "login": Sentence("请写登录名。", "Please fill in your sign-in name."),
    "password": Sentence("请写密码。", "Please fill in your password."),
    "totp": Sentence("请写6位动态码。", "Please fill in the 6 digits of your device."),
}
_WRONG: Final = {"phone": PROBLEMS["invalid_phone"]}
_MOBILE: Final = 11
_SLIP: Final = 4  # so many digits away from a mobile number, it was meant to be one
_LEFT_EMPTY: Final = Sentence("这里还没有填。", "This is still empty.")


def wrong_field(name: str, *, empty: bool) -> Sentence:
    """Tell what is wrong with one field: that it is empty, or does not fit."""
    return _EMPTY.get(name, _LEFT_EMPTY) if empty else _WRONG.get(name, PROBLEMS["invalid_request"])


def wrong_phone(text: str) -> Sentence:
    """Tell how many digits a mobile number has too few or too many; of anything else, what a number looks like."""
    digits = "".join(sign for sign in text.strip().removeprefix("+86") if sign.isdigit())
    off = len(digits) - _MOBILE
    if not digits.startswith("1") or not 0 < abs(off) <= _SLIP:
        return PROBLEMS["invalid_phone"]
    if off < 0:
        return Sentence(
            f"手机号少了{-off}位，请再看一看。",
            f"{-off} of the 11 digits of a mobile number are missing; please look again.",
        )
    return Sentence(
        f"手机号多了{off}位，请再看一看。",
        f"A mobile number has 11 digits; this one has {off} more. Please look again.",
    )
