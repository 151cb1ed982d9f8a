"""Who brings which matter, and what departments, owners and managers then do: late, not at all, wrongly, or as they should.

A plot is a matter with what its people do. Each act names its time in minutes after the ticket is opened, who acts, what the
act *means* by the service rules, and the words used. The office gets the words; the recount of the test gets the meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

FULL = "已处理完毕:楼道已清扫干净。\n调查:现场核实属实。\n原因:{cause}。\n措施:增加清扫次数。\n与业主沟通:已当面致歉,业主认可。"
FIXED = "已维修完毕:更换损坏部件,试用正常。"


@dataclass(frozen=True)
class Act:
    """Who does what, ``after`` so many minutes from the opening of the ticket.

    ``who`` is a party, a role, "owner", "stranger", "server" (of mail) or "call" (a row of our telephone log).
    """

    after: int
    who: str
    means: str
    words: str = ""


@dataclass(frozen=True)
class Plot:
    """A matter and its people.

    Words may hold {house}, {phone}, {trouble}, {nuisance}, {defect}, {matter} and {idea}; those of an act {cause}, {later}.
    """

    name: str
    words: str
    kind: str
    department: str
    acts: tuple[Act, ...] = ()
    way: str = "mail"
    urgency: str = "normal"
    category: str = "environment"
    important: bool = False


H, D = 60, 24 * 60
DIRTY = "我是{house}的业主,电话{phone}。{trouble},我要投诉物业。"
BROKEN = "{house},电话{phone}。{defect},请安排维修。"
TROUBLES = (
    "楼道三天没人打扫", "门口保安对访客大声呵斥", "地下车库的灯坏了两周", "花坛里的月季全部枯死", "快递车每天堵住消防通道",
    "健身器材锈得不能用", "儿童滑梯旁边狗粪没人清", "电梯轿厢里贴满小广告", "大门门禁形同虚设", "垃圾桶夏天臭气熏天",
    "保洁员把污水倒进下水道口", "夜里巡逻岗亭空无一人", "雨后广场积水半个月", "楼顶平台被人堆满杂物", "监控探头歪着没人管",
    "石板路松动翘起一角", "物业前台接电话爱理不理", "装修垃圾堆在绿地上", "凉亭座椅断了一条腿", "共享单车乱停挡住坡道",
    "蚊虫孳生却从不消杀", "信报箱锁全被撬开", "喷泉水池发绿长满青苔", "管家微信三天不回", "围栏缺口一直没有补",
    "中央空调外机噪声整夜不停", "草坪洒水器乱喷到行人", "公示栏的账目半年没更新", "宠物随地大小便无人劝阻",
    "充电桩排队没人维持秩序",
)  # fmt: skip
DEFECTS = (
    "客厅墙面空鼓", "阳台推拉门关不严", "卫生间地砖翘起", "主卧木地板开裂", "厨房吊柜门脱落", "入户门锁芯卡死", "飘窗石材断裂",
    "次卧天花板起皮", "书房插座没有电", "餐厅踢脚线松动",
    "衣帽间柜板发霉", "玄关瓷砖缺角", "地暖分水器不热",
)  # fmt: skip
NUISANCES = ("石凳又脏又旧没人擦洗", "自行车棚又脏又乱", "草坪里长满杂草", "水池漂着一层落叶", "公共座椅油漆斑驳")
MATTERS = ("搬家要不要提前登记", "门禁卡丢了怎么补办", "暖气几月份开始供应")
IDEAS = ("东门增设一组垃圾分类箱", "中心花园多装几盏路灯", "车库入口加装反光镜", "儿童乐园铺设软垫")
PC, FIRM, SPECIALIST, SUPERVISOR, CLERK = "property_company", "contractor-a", "cs_specialist", "cs_supervisor", "cs_clerk"


def works(party: str = PC, signs: int = 2 * H, done: int = 20 * H, words: str = FULL) -> tuple[Act, ...]:
    """The department signs, reports, and our acceptance passes it two hours later."""
    return (
        Act(signs, party, "signs", "收到。"),
        Act(done, party, "handles", words),
        Act(done + 2 * H, SUPERVISOR, "verifies"),
    )


def complaint(name: str, *acts: Act, **more: str) -> Plot:
    return Plot(name, DIRTY, "complaint", PC, acts, **more)  # type: ignore[arg-type]


def repair(name: str, *acts: Act, words: str = BROKEN) -> Plot:
    return Plot(name, words, "repair", FIRM, acts, category="house_quality")


PLOTS = (
    complaint("as it should be", *works(), Act(30 * H, "owner", "satisfied", "满意,谢谢你们。")),
    complaint("signs and no more", Act(H, PC, "signs", "收到")),
    complaint("signs late", *works(signs=9 * H, done=4 * D), Act(5 * D, "owner", "mostly", "基本满意。")),
    repair("nobody answers"),
    repair("done in time", *works(FIRM, done=3 * D, words=FIXED), Act(4 * D, "owner", "satisfied", "满意")),
    repair("done too late", *works(FIRM, done=9 * D, words=FIXED), Act(10 * D, "owner", "mostly", "基本满意")),
    complaint(
        "says done, not what",
        Act(2 * H, PC, "signs", "已收到"),
        Act(20 * H, PC, "says done", "已处理完毕。"),
        Act(30 * H, PC, "lacks", "已处理:楼道已清扫。原因:{cause}。"),
        Act(50 * H, SPECIALIST, "completes"),
        Act(52 * H, SUPERVISOR, "verifies"),
        Act(55 * H, "owner", "satisfied", "满意"),
    ),
    repair(
        "more time without a reason",
        Act(2 * H, FIRM, "signs", "收到"),
        Act(3 * D, FIRM, "asks badly", "申请延期至{later}"),
        Act(5 * D, FIRM, "handles", FIXED),
        Act(5 * D + 2 * H, SUPERVISOR, "verifies"),
        Act(6 * D, "owner", "satisfied", "满意"),
    ),
    repair(
        "more time, agreed",
        Act(2 * H, FIRM, "signs", "收到"),
        Act(3 * D, FIRM, "asks for time", "申请延期至{later},因材料未到货。"),
        Act(3 * D + 5 * H, "owner", "agrees", "同意"),
        Act(8 * D, FIRM, "handles", FIXED),
        Act(8 * D + 2 * H, SUPERVISOR, "verifies"),
        Act(9 * D, "owner", "satisfied", "满意"),
    ),
    repair(
        "more time, refused",
        Act(2 * H, FIRM, "signs", "收到"),
        Act(3 * D, FIRM, "asks for time", "申请延期至{later},因材料未到货。"),
        Act(3 * D + 5 * H, "owner", "disagrees", "不同意"),
        Act(8 * D, FIRM, "handles", FIXED),
        Act(8 * D + 2 * H, SUPERVISOR, "verifies"),
        Act(9 * D, "owner", "satisfied", "满意"),
    ),
    repair(
        "more time, silence",
        Act(2 * H, FIRM, "signs", "收到"),
        Act(3 * D, FIRM, "asks for time", "申请延期至{later},因材料未到货。"),
        Act(8 * D, FIRM, "handles", FIXED),
        Act(8 * D + 2 * H, SUPERVISOR, "verifies"),
        Act(9 * D, "owner", "satisfied", "满意"),
    ),
    complaint(
        "passed to nobody",
        Act(2 * H, PC, "passes to nobody", "转 火星事务部 因 不清楚归谁。"),
        *works(signs=5 * H)[:],
        Act(30 * H, "owner", "satisfied", "满意"),
    ),
    complaint(
        "passed on",
        Act(2 * H, PC, "passes on", "转 工程部 因 属于管道问题。"),
        Act(5 * H, "engineering", "signs", "收到"),
        Act(30 * H, "engineering", "handles", FULL),
        Act(32 * H, SUPERVISOR, "verifies"),
        Act(40 * H, "owner", "satisfied", "满意"),
    ),
    complaint("sent back", Act(2 * H, PC, "returns", "退回,因不属于我司职责。")),
    complaint(
        "away",
        Act(1, PC, "is away", "我正在休假,5月20日返回。"),
        *works(signs=26 * H, done=2 * D),
        Act(2 * D + 8 * H, "owner", "satisfied", "满意"),
    ),
    complaint("bounces", Act(2 * H, "server", "bounces"), *works(signs=3 * H), Act(30 * H, "owner", "satisfied", "满意")),
    complaint(
        "not satisfied",
        *works(),
        Act(30 * H, "owner", "unsatisfied", "不满意,垃圾还在。"),
        *(Act(a.after + 32 * H, a.who, a.means, a.words) for a in works()),
        Act(65 * H, "owner", "satisfied", "满意"),
    ),
    complaint("owner silent", *works()),
    complaint(
        "owner elsewhere",
        *works(),
        Act(30 * H, "stranger", "satisfied", "满意,谢谢。"),
        Act(50 * H, SPECIALIST, "visits", "满意"),
    ),
    complaint("owner impatient", Act(2 * H, PC, "signs", "收到"), Act(40 * H, "owner", "chases", "怎么还没有人来处理?")),
    Plot(  # no matter of safety, for those do not end because somebody gives up
        "owner gives up", "我是{house}的业主,电话{phone}。{nuisance},我要投诉物业。", "complaint", PC,
        (Act(2 * H, PC, "signs", "收到"), Act(9 * H, "owner", "withdraws", "我要撤回投诉,谢谢。")),
    ),
    Plot("archive answers", "请问快递驿站的取件时间是几点?{house},电话{phone}。", "consultation", "cs_center"),
    Plot(
        "clerk answers", "请问{matter}?{house},电话{phone}。", "consultation", "cs_center",
        (Act(5 * H, CLERK, "answers", "快递柜输入取件码即可开箱,如遇故障请拨打服务热线。"),), category="general",
    ),
    Plot("nobody answers a question", "请问{matter}?{house},电话{phone}。", "consultation", "cs_center", category="general"),
    Plot(
        "finance helps", "请问物业费的收费标准是什么?{house},电话{phone}。", "consultation", "cs_center",
        (
            Act(3 * H, "finance", "contributes", "意见如下:按建筑面积每月收取,标准见服务合同附件。"),
            Act(6 * H, CLERK, "answers", "物业费按建筑面积每月收取,标准见服务合同附件。"),
        ),
        category="fees",
    ),
    Plot("finance is silent", "请问物业费的收费标准是什么?{house},电话{phone}。", "consultation", "cs_center", category="fees"),
    Plot(
        "an idea", "{house},电话{phone}。建议在小区{idea}。", "suggestion", PC,
        (
            Act(2 * H, PC, "signs", "收到"),
            Act(30 * H, PC, "adopts", "采纳,计划下月安装。"),
            Act(32 * H, CLERK, "thanks"),
        ),
    ),
    Plot(
        "praise", "感谢3号楼保洁李阿姨,帮我找回了钥匙。{house},电话{phone}。", "praise", "cs_center",
        (Act(3 * H, CLERK, "closes"),),
    ),
    Plot(
        "stuck in the lift", "{house},电话{phone}。电梯停了,有老人困在里面,快来人!", "repair", PC,
        (
            Act(17, PC, "signs", "收到,已派人到场"),
            Act(60, SPECIALIST, "plans", "维保人员正在放人,预计一小时内恢复。"),
            Act(3 * H, PC, "handles", "已处理:人员已救出,电梯已修复,恢复运行。"),
            Act(4 * H, SUPERVISOR, "verifies"),
            Act(20 * H, "owner", "satisfied", "满意"),
        ),
        urgency="emergency", category="safety", important=True,
    ),
    Plot(
        "nobody comes to the lift", "{house},电话{phone}。电梯停了,有老人困在里面,快来人!", "repair", PC,
        urgency="emergency", category="safety", important=True,
    ),
    Plot(
        "leave asked and given", "{house},电话{phone}。请问房产证什么时候可以办理?", "consultation", "cs_center",
        (Act(3 * H, "pm_dept_manager", "approves", "同意 答复如下:房产证办理进度请以登记部门通知为准,届时我中心书面告知。"),),
        category="certificate",
    ),
    Plot(
        "leave given late", "{house},电话{phone}。请问房产证什么时候可以办理?", "consultation", "cs_center",
        (Act(60 * H, "director", "approves", "同意 答复如下:房产证办理进度请以登记部门通知为准,届时我中心书面告知。"),),
        category="certificate",
    ),
    Plot(
        "leave refused", "{house},电话{phone}。请问房产证什么时候可以办理?", "consultation", "cs_center",
        (
            Act(3 * H, "pm_dept_manager", "rejects", "不同意,请先核实。"),
            Act(20 * H, CLERK, "answers", "您咨询的事项正在与登记部门核对,后续进展由我中心书面告知。"),
        ),
        category="certificate",
    ),
    Plot(
        "nobody gives leave", "{house},电话{phone}。请问房产证什么时候可以办理?", "consultation", "cs_center",
        category="certificate",
    ),
    Plot(
        "threatens the press", DIRTY + "再不处理我就找电视台曝光。", "complaint", PC,
        (Act(21, SUPERVISOR, "takes note", "收到,已知悉。"), *works(), Act(30 * H, "owner", "satisfied", "满意")),
        important=True,
    ),
    Plot(
        "threatens, nobody notes", DIRTY + "再不处理我就找电视台曝光。", "complaint", PC,
        (*works(), Act(30 * H, "owner", "satisfied", "满意")), important=True,
    ),
    Plot(
        "by telephone", "{house}业主反映:{trouble},要投诉物业。", "complaint", PC,
        (
            *works(),
            Act(25 * H, SPECIALIST, "tells", "已告知处理结果。"),
            Act(46 * H, "call", "satisfied", "电话回访,业主表示满意"),
        ),
        way="call",
    ),
    Plot(
        "letter from the box", "物业公司：\n{trouble}，无人管理，我要投诉，请尽快整改。\n一名业主", "complaint", PC, works(),
        way="box",
    ),
    Plot(
        "call missed", "", "consultation", "cs_center",
        (Act(20, "call", "called back", "已回拨,业主咨询停车事宜,已解答"),), way="missed",
    ),
    Plot("call missed, nobody calls", "", "consultation", "cs_center", way="missed"),
)  # fmt: skip
