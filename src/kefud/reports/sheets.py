"""The data of a report → its tables, for spreadsheets and pages. Pure; the same data give the same tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kefud.desk.ticket import chinese
from kefud.desk.view import MEDIUM_NAMES
from kefud.reports.reader import Row
from kefud.reports.table import Table, of_rows, plain

TITLES: dict[str, str] = {
    "daily": "客服前台工作台帐日报", "weekly": "客服前台工作台帐周报", "effect": "每周咨询效果小结",
    "internal": "每周内部例会材料",
    "briefing": "每周信息简报", "record": "客服组日工作记录表", "monthly": "客户服务月报", "visit-analysis": "回访意见分析",
    "contractors": "施工维保单位月度考核", "meeting": "例会材料", "yearly": "物业公司年终考核", "spot-check": "服务抽查清单",
    "breaches": "规则执行情况", "kpi": "服务指标", "visits": "定期走访计划", "ledger": "客服前台工作台帐",
    "calls": "来电登记表",
    "box": "意见箱开箱登记表", "documents": "收发文登记簿", "tasks": "改进事项",
}  # fmt: skip

ROWS = (
    ("number", "工单号"), ("kind_zh", "性质"), ("category_zh", "问题类别"), ("house_zh", "房号"), ("summary", "内容"),
    ("department_zh", "责任部门"), ("handler_zh", "经办人"), ("status_zh", "状态"), ("due", "时限"), ("late", "逾期"),
    ("reason", "说明"),
)  # fmt: skip
KPIS = (
    ("name", "指标"), ("text", "本期"), ("part", "分子"), ("whole", "分母"), ("target", "目标%"), ("red", "未达标"),
    ("definition", "口径"), ("rule", "依据"),
)  # fmt: skip
RANKED = (("name", "名称"), ("count", "件数"), ("numbers", "工单号"))
BREACHES = (("rule", "条款"), ("checks", "检查"), ("breaches", "违反"), ("open", "未纠正"))
BREACH_LIST = (
    ("rule", "条款"), ("number", "工单号"), ("summary", "内容"), ("department_zh", "责任部门"), ("due", "时限"),
    ("met", "实际"), ("late_minutes", "迟(分钟)"), ("reason", "说明"),
)  # fmt: skip
HANDLERS = (
    ("handler_zh", "经办岗位"), ("received", "受理"), ("handled", "办结"), ("open", "未办结"), ("overdue", "逾期"),
    ("on_time", "按时率"), ("satisfaction", "满意率"),
)  # fmt: skip
SCORES = (
    ("firm_zh", "单位"), ("orders", "派单"), ("due", "应完成"), ("on_time", "按时"), ("on_time_text", "按时率"),
    ("accepted", "首次验收"), ("passed", "一次合格"), ("passed_text", "一次合格率"), ("reopened", "重新处理"),
    ("evidence", "取证"),
)  # fmt: skip
MONTHS = (
    ("month", "月份"), ("missing", "缺数据"), ("complaints", "投诉"), ("suggestions", "建议"), ("praise", "表扬"),
    ("notices", "联系单"), ("on_time_text", "按时率"), ("passed_text", "一次合格率"), ("satisfaction_text", "满意率"),
    ("repeats", "重复问题"), ("reopened", "重新处理"),
)  # fmt: skip
VISIT_ROWS = (
    ("department_zh", "责任部门"), ("satisfied", "满意"), ("mostly", "基本满意"), ("unsatisfied", "不满意"),
    ("unreached", "未联系上"), ("text", "满意率"),
)  # fmt: skip
REPEATS = (("house_zh", "房号"), ("category_zh", "问题类别"), ("count", "次数"), ("numbers", "工单号"))

LISTS: dict[str, str] = {
    "overdue": "逾期未办", "important": "重要事项", "held": "待放行的函件", "due_soon": "今明两日到期", "stuck": "需要协调", "reopened": "重新处理",
    "received": "新收", "closed": "办结", "open": "未办结", "late": "答复逾期", "unanswered": "尚未答复",
    "policies": "销售政策与来联",
    "engineering": "工程与设计来联", "documents": "来文", "misses": "约定时间未兑现", "notices": "未回复联系单",
    "vacant": "空置房",
    "handover": "交接事项", "fresh": "新增逾期", "near": "即将逾期",
}  # fmt: skip


def tables(kind: str, data: Mapping[str, Any]) -> list[Table]:
    """The tables of a report."""
    make = _TABLES.get(kind, _digest)
    return make(data)


def title(kind: str, data: Mapping[str, Any]) -> str:
    period = data.get("period") or ""
    return f"{TITLES.get(kind, kind)} {period}".strip()


def _facts(data: Mapping[str, Any], *more: tuple[str, Any]) -> Table:
    rows: list[Sequence[Any]] = [["统计时段", f"{data.get('start', '')} — {data.get('end', '')}"]]
    rows += [[name, value] for name, value in (data.get("counts") or {}).items()]
    rows += [[name, plain(value)] for name, value in more]
    rows += [[f"{head}:{name}", value] for head, key in (("渠道", "channels"), ("性质", "kinds"))
             for name, value in (data.get(key) or {}).items()]  # fmt: skip
    rows += [[name, value] for name, value in (data.get("figures") or {}).items()]
    return Table("概况", ("项目", "数值"), rows)


def _lists(data: Mapping[str, Any], *keys: str) -> list[Table]:
    return [of_rows(LISTS[key], ROWS, data[key]) for key in keys if key in data]


def _digest(data: Mapping[str, Any]) -> list[Table]:
    found = [_facts(data), *_lists(data, "overdue", "important", "held", "due_soon", "stuck", "reopened", "received", "closed", "open")]
    if data.get("breaches"):
        found += _breach_tables(data["breaches"])
    return found


def _effect(data: Mapping[str, Any]) -> list[Table]:
    return [_facts(data), *_lists(data, "late", "unanswered")]


def _internal(data: Mapping[str, Any]) -> list[Table]:
    guidance = of_rows("收到的指导意见", (("at", "时间"), ("by", "批示人"), ("text", "内容")), data["guidance"])
    tasks = of_rows("改进事项", (("period", "期间"), ("text", "内容"), ("state", "状态")), data["tasks"])
    return [
        _facts(data),
        *_lists(data, "overdue", "reopened"),
        of_rows("经办岗位", HANDLERS, data["handlers"]),
        guidance,
        tasks,
    ]


def _briefing(data: Mapping[str, Any]) -> list[Table]:
    hot = Table("热点", ("热点",), [[line] for line in data["hotspots"]])
    return [*_lists(data, "policies", "engineering", "documents", "important"), hot]


def _record(data: Mapping[str, Any]) -> list[Table]:
    v = data["visits"]
    facts = _facts(
        data,
        ("值班人", data["duty"]),
        ("回访", v["count"]),
        ("满意", v["satisfied"]),
        ("主管批示", data.get("instruction", "")),
    )
    transfers = of_rows(
        "转办", (("notice", "联系单号"), ("department_zh", "部门"), ("number", "工单号"), ("at", "时间")), data["transfers"]
    )
    papers = of_rows("来文", (("number", "文号"), ("title", "标题"), ("ticket", "工单号")), data["documents"])
    return [facts, *_lists(data, "received", "closed", "open", "overdue", "important", "handover"), transfers, papers]


def _monthly(data: Mapping[str, Any]) -> list[Table]:
    visits = data["visits"]
    return [
        _movement(data), of_rows("主要指标", KPIS, data["kpis"]),
        of_rows("时限兑现", (("name", "时限"), ("kept", "按时"), ("of", "应办"), ("percent", "%")), data["on_time"]),
        *_lists(data, "misses", "overdue"), *_breach_tables(data["breaches"]),
        of_rows("主要原因", RANKED, data["causes"]), of_rows("问题类别排行", RANKED, data["top"]["categories"]),
        of_rows("楼栋排行", RANKED, data["top"]["buildings"]), of_rows("热点", RANKED, data["hot_spots"]),
        of_rows("30日内重复", REPEATS, data["repeats"]), of_rows("回访满意度", VISIT_ROWS, visits["departments"]),
        of_rows("不满意原因", RANKED, visits["reasons"]), of_rows("经办岗位", HANDLERS, data["handlers"]),
        of_rows("改进事项", (("text", "内容"), ("rule", "依据")), data["improvements"]),
    ]  # fmt: skip


def _movement(data: Mapping[str, Any]) -> Table:
    """Received, handled and open by class, kind, category, channel, origin, department."""
    moved = data["movement"]
    rows: list[Sequence[Any]] = [
        ["合计", "", moved["received"]["total"], moved["handled"]["total"], moved["open"]["total"]],
        ["期初未办结", "", None, None, moved["open_before"]],
        ["办结后重新打开", "", None, None, moved.get("opened_again")],
        ["重新处理", "", None, None, moved["reopened"]],
        ["期末逾期", "", None, None, moved["overdue"]],
    ]
    classes = {"daily": "日常类", "complaint": "投诉类", "repair": "维修类"}
    for key, head in (("by_class", "类别"), ("by_kind", "性质"), ("by_category", "问题类别"), ("by_channel", "渠道"),
                      ("by_origin", "来源"), ("by_department", "责任部门")):  # fmt: skip
        names = dict.fromkeys([*moved["received"][key], *moved["handled"][key], *moved["open"][key]])
        for name in names:
            label = (classes if key == "by_class" else MEDIUM_NAMES if key == "by_channel" else {}).get(name) or chinese(name)
            rows.append([head, label, *(moved[m][key].get(name, 0) for m in ("received", "handled", "open"))])
    return Table("受理办结存量", ("分类", "名称", "受理", "办结", "期末未办结"), rows)


def _breach_tables(rows: Sequence[Row]) -> list[Table]:
    each = [x for r in rows for x in r["list"]]
    return [of_rows("按条款", BREACHES, rows), of_rows("违反明细", BREACH_LIST, each)]


def _visits(data: Mapping[str, Any]) -> list[Table]:
    answers = Table("回访结果", ("结果", "件数"), [[k, v] for k, v in data["answers"].items()])
    facts = Table("概况", ("项目", "数值"), [["满意率", _share(data)], ["发出回访", data["sent"]], ["已表态", data["answered"]],
                                          ["回应率", data["response"]]])  # fmt: skip
    return [facts, answers, of_rows("按责任部门", VISIT_ROWS, data["departments"]),
        of_rows("不满意原因", RANKED, data["reasons"]),
            of_rows("不满意明细", ROWS, data["unsatisfied"])]  # fmt: skip


def _share(data: Mapping[str, Any]) -> str:
    return f"{data['percent']:.1f}%(n={data['of']})" if data["percent"] is not None else "—(n=0)"


def _contractors(data: Mapping[str, Any]) -> list[Table]:
    if data["off"]:
        return [Table("说明", ("说明",), [[data["off"]]])]
    each = [x for s in data["scores"] for x in (*s["late"], *s["failed"])]
    return [of_rows("考核", SCORES, data["scores"]), of_rows("明细", ROWS, each)]


def _meeting(data: Mapping[str, Any]) -> list[Table]:
    notices = of_rows("未回复联系单", (("notice", "联系单号"), ("at", "发出时间"), *ROWS), data["notices"])
    decided = of_rows("上次例会决定", (("text", "决定"), ("number", "工单号"), ("state", "状态")), data["decisions"])
    return [
        notices, *_lists(data, "overdue"), of_rows("30日内重复", REPEATS, data["repeats"]),
        of_rows("热点", RANKED, data["hot_spots"]), *_lists(data, "vacant"),
        of_rows("施工维保单位", SCORES, data["contractors"]),
        decided,
    ]  # fmt: skip


def _yearly(data: Mapping[str, Any]) -> list[Table]:
    if data["off"]:
        return [Table("说明", ("说明",), [[data["off"]]])]
    whole = {"month": "全年", "missing": bool(data["missing"]), **data["total"]}
    return [of_rows("各月情况", MONTHS, [*data["months"], whole])]


def _kpi(data: Mapping[str, Any]) -> list[Table]:
    on_time = of_rows("时限兑现", (("name", "时限"), ("kept", "按时"), ("of", "应办"), ("percent", "%")), data["on_time"])
    return [
        of_rows("指标", KPIS, data["kpis"]),
        of_rows("经办岗位", HANDLERS, data["handlers"]),
        on_time,
        *_lists(data, "misses"),
    ]


def _breaches(data: Mapping[str, Any]) -> list[Table]:
    return _breach_tables(data["breaches"])


def _plan(data: Mapping[str, Any]) -> list[Table]:
    columns = (("house_zh", "房号"), ("adviser_zh", "走访人"), ("last", "最近联系"), ("days", "间隔天数"))
    return [of_rows(f"{data['days']}日未联系住户", columns, data["houses"])]


def _spot(data: Mapping[str, Any]) -> list[Table]:
    columns = (*ROWS[:8], ("verdict_zh", "结论"), ("verdict_by", "检查人"), ("verdict_at", "时间"), ("verdict_text", "说明"))
    return [of_rows("抽查", columns, data["rows"])]


def _tasks(data: Mapping[str, Any]) -> list[Table]:
    columns = (("period", "期间"), ("text", "内容"), ("rule", "依据"), ("state", "状态"), ("answer", "处理"))
    return [of_rows("改进事项", columns, data["rows"])]


_TABLES: dict[str, Callable[[Mapping[str, Any]], list[Table]]] = {
    "daily": _digest, "weekly": _digest, "effect": _effect, "internal": _internal, "briefing": _briefing, "record": _record,
    "monthly": _monthly, "visit-analysis": _visits, "contractors": _contractors, "meeting": _meeting, "yearly": _yearly,
    "kpi": _kpi, "breaches": _breaches, "visits": _plan, "spot-check": _spot, "tasks": _tasks,
}  # fmt: skip
