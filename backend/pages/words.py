"""The board's words, 中文 first, and how each state of an order is shown: text and sign, never colour alone."""

from typing import Final

from msgspec import Struct


class State(Struct, frozen=True):
    """One state as people read it: its group, a sign, and its name in two languages."""

    name: str
    group: str
    sign: str
    zh: str
    en: str

    def label(self, lang: str) -> str:
        """The name in a language."""
        return self.en if lang == "en" else self.zh


_ROWS: Final = (
    ("held", "waiting", "◌", "占位", "held"),
    ("placed", "waiting", "○", "待派单", "placed"),
    ("offered", "waiting", "◔", "待接单", "offered"),
    ("manual", "trouble", "!", "人工派单", "at the desk"),
    ("accepted", "accepted", "◑", "已接单", "accepted"),
    ("en_route", "under_way", "➤", "已出发", "on the way"),
    ("arrived", "under_way", "⌂", "已到达", "arrived"),
    ("in_service", "under_way", "●", "服务中", "in service"),
    ("awaiting_acceptance", "done", "✓", "待确认", "to confirm"),
    ("completed", "done", "✓", "已完成", "completed"),
    ("verified", "done", "✓", "已核验", "verified"),
    ("settled", "done", "✓", "已结算", "settled"),
    ("unserved", "trouble", "×", "未能安排", "unserved"),
    ("missed", "trouble", "×", "缺服", "missed"),
    ("no_access", "trouble", "!", "无人应答", "no answer"),
    ("aborted", "trouble", "×", "已中止", "aborted"),
    ("disputed", "trouble", "!", "有异议", "disputed"),
    ("exception", "trouble", "!", "待核实", "to verify"),
    ("rejected", "trouble", "×", "不予结算", "rejected"),
    ("clawed_back", "trouble", "×", "追回", "clawed back"),
    ("cancelled", "closed", "–", "已取消", "cancelled"),
    ("lapsed", "closed", "–", "已释放", "lapsed"),
)
STATES: Final = {row[0]: State(*row) for row in _ROWS}
KINDS: Final = {
    "meal": {"zh": "助餐", "en": "meal"},
    "bath": {"zh": "助浴", "en": "bath"},
    "rehab": {"zh": "康复护理", "en": "rehab"},
    "care": {"zh": "照护", "en": "care"},
}
REASONS: Final = {
    "no_gap": {"zh": "时段已满", "en": "no free time"},
    "capacity": {"zh": "餐箱已满", "en": "the meal box is full"},
    "no_skill": {"zh": "无相应技能", "en": "nobody has the skill"},
    "no_shift": {"zh": "无人当班", "en": "nobody on shift"},
    "resident_busy": {"zh": "与本人其他服务冲突", "en": "the resident has another service then"},
    "crew_together": {"zh": "两人无法同时到", "en": "no two at once"},
    "nobody_accepted": {"zh": "无机构接单", "en": "nobody accepted"},
    "provider_excluded": {"zh": "机构均已拒单", "en": "all declined"},
    "window": {"zh": "超出时间窗", "en": "outside the window"},
    "unreadable": {"zh": "订单数据异常", "en": "cannot be read"},
    "not_dispatched": {"zh": "系统派单失败", "en": "dispatching failed"},
    "gender": {"zh": "性别要求", "en": "gender wish"},
    "refused": {"zh": "老人不要这些人", "en": "refused by the resident"},
}
WEEKDAYS: Final = {
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
FLAGS: Final = {
    "TOO_EARLY": {"zh": "签到过早", "en": "too early"},
    "TOO_SHORT": {"zh": "时长过短", "en": "too short"},
    "TWO_PLACES": {"zh": "同时在两处", "en": "in two places at once"},
    "OUT_OF_RANGE": {"zh": "不在现场范围", "en": "not at the place"},
    "REPEATED": {"zh": "重复上报", "en": "reported twice"},
    "NO_PICK_UP": {"zh": "未取餐", "en": "meal not picked up"},
    "MISSING_OUT": {"zh": "未签退", "en": "no check-out"},
    "NO_POSITION": {"zh": "无定位", "en": "no position"},
    "OFFLINE": {"zh": "离线补传", "en": "sent later"},
    "DEVICE_CLOCK": {"zh": "手机时间不符", "en": "phone's clock differs"},
    "PAPER": {"zh": "纸质补录", "en": "keyed in from paper"},
    "SERVED_TWICE": {"zh": "重复服务", "en": "served twice"},
    "OUT_OF_ORDER": {"zh": "顺序不符", "en": "out of order"},
    "NOT_IN_CREW": {"zh": "已换人", "en": "no longer in the crew"},
    "NO_PRE_CHECK": {"zh": "检查未过", "en": "checks before it not passed"},
    "LINES_MISSING": {"zh": "有没做的项", "en": "not everything was done"},
    "WRONG_CODE": {"zh": "门口数字不对", "en": "wrong digits at the door"},
}
ABORTED: Final = {
    "precheck_failed": ("洗前检查不合格", "the check before the bath failed"),
    "unwell": ("身体不舒服", "they do not feel well"),
    "resident_refuses": ("老人不愿意", "they do not want it"),
    "equipment": ("设备有问题", "the equipment fails"),
    "unsafe": ("现场不安全", "it is not safe there"),
    "out": ("出门了", "they are out"),
    "hospital": ("住院了", "they are in hospital"),
    "moved": ("搬走了", "they have moved"),
    "emergency": ("出事了，已急救", "there was an emergency"),
    "death": ("去世了", "they have died"),
    "other": ("别的原因", "another reason"),
}
"""Why a visit was not carried out; read by the resident, those they have let in, the crew and the desk alone."""
LEFT_OUT: Final = {
    "resident_declined": ("老人不要", "they did not want it"),
    "unwell": ("身体原因", "they were not well enough"),
    "no_time": ("来不及", "there was no time"),
    "other": ("别的原因", "another reason"),
}
"""Why something that is done at such a visit was left out."""
ENDED: Final = {
    "resident_asked": ("老人要求", "they asked for it"),
    "unwell": ("身体原因", "their health"),
    "waited": ("等人", "somebody had to be waited for"),
    "equipment": ("设备", "the equipment"),
    "other": ("别的", "another reason"),
}
"""Why a visit ended long before its planned end, or long after it."""
DECIDED: Final = {
    "completed resident_confirmed": ("算完成：老人确认做了", "completed: the resident says it was done"),
    "completed document_seen": ("算完成：看过单据", "completed: a document was seen"),
    "completed phone_or_position_wrong": ("算完成：手机或定位不准", "completed: the phone or position was wrong"),
    "completed agreed_by_both": ("算完成：双方说法一致", "completed: both sides agree"),
    "completed carried_out_in_part": ("算完成：做了一部分", "completed: carried out in part"),
    "rejected not_carried_out": ("不予结算：没做", "rejected: not carried out"),
    "rejected carried_out_in_part": ("不予结算：只做了一部分", "rejected: carried out in part"),
    "rejected made_up": ("不予结算：是编造的", "rejected: made up"),
    "rejected document_seen": ("不予结算：看过单据", "rejected: a document was seen"),
    "rejected agreed_by_both": ("不予结算：双方说法一致", "rejected: both sides agree"),
    "exception looked_at_further": ("还要再查", "to be looked at further"),
}
"""How an operator decides about a doubted or disputed visit: the outcome and what it is counted as."""
SIDES: Final = {
    "resident": ("老人", "resident"), "family": ("家属", "family"), "provider": ("机构", "provider"), "worker": ("护理员", "worker"),
}  # fmt: skip
REPORTED: Final = {
    "en_route": ("出发", "set out"), "check_in": ("到了", "checked in"), "check_out": ("签退", "checked out"),
    "pick_up": ("取餐", "meal fetched"), "hand_over": ("送到", "handed over"), "no_access": ("没人开门", "nobody opened"),
    "abort": ("中止", "stopped"),
}  # fmt: skip
WORDS: Final = {
    "title": {"zh": "调度总览", "en": "Dispatch board"},
    "tagline": {"zh": "互联网 + 养老服务", "en": "Internet + elderly care"},
    "live": {"zh": "实时", "en": "live"},
    "offline": {"zh": "连接中断，每 5 秒刷新", "en": "connection lost, refreshing every 5 s"},
    "orders": {"zh": "今日订单", "en": "Orders today"},
    "zones": {"zh": "服务片区", "en": "Zones"},
    "waiting": {"zh": "待派", "en": "waiting"},
    "accepted": {"zh": "已接", "en": "accepted"},
    "under_way": {"zh": "进行中", "en": "under way"},
    "done": {"zh": "完成", "en": "done"},
    "trouble": {"zh": "需关注", "en": "attention"},
    "closed": {"zh": "关闭", "en": "closed"},
    "days": {"zh": "护理员一日", "en": "The workers' day"},
    "desk": {"zh": "人工派单", "en": "At the operator's desk"},
    "desk_empty": {"zh": "没有等待人工处理的订单", "en": "Nothing waits for a person"},
    "late": {"zh": "晚点", "en": "Late"},
    "late_min": {"zh": "分钟", "en": "min late"},
    "rate": {"zh": "演示时钟：这里一分钟，城里 {} 分钟", "en": "Demo clock: a minute here is {} minutes there"},
    "jumped": {"zh": "时钟刚拨过：现在是", "en": "The clock has just been set: it is"},
    "news": {"zh": "最新动态", "en": "Latest"},
    "offer_median": {"zh": "派单中位用时", "en": "placed → offered, median"},
    "offer_p99": {"zh": "派单 99% 用时", "en": "placed → offered, p99"},
    "on_time": {"zh": "准时率", "en": "on time"},
    "seconds": {"zh": "秒", "en": "s"},
    "by": {"zh": "前", "en": "by"},
    "crew": {"zh": "双人", "en": "crew of two"},
    "meal": {"zh": "助餐", "en": "meal"},
    "bath": {"zh": "助浴", "en": "bath"},
    "rehab": {"zh": "康复护理", "en": "rehab"},
    "break": {"zh": "休息", "en": "break"},
    "now": {"zh": "现在", "en": "now"},
    "other": {"zh": "English", "en": "中文"},
}
