"""What a text means: kind, category, urgency and all marks, weighed from the words found in it (RULES §1, §2; D13–D15).

A word counts less or not at all where it is denied (没有漏水), only supposed (如果着火), over (已修好) or another's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from kefud.api import number

from .examples import Examples, signs
from .lexicon import Hit, Lexicon, Reading

CATEGORY_ORDER = (
    "vacant_house", "attitude", "safety", "house_quality", "design", "environment", "facility", "personalisation",
    "certificate", "utility_fee", "leasing", "fees", "handover", "sales_service", "sales_policy", "activity", "general",
)  # fmt: skip
WRONGS = ("environment", "safety", "attitude", "sales_service", "design")
"""Categories in which telling what is the case is already blaming."""
THINGS = ("house_quality", "facility")
"""Categories in which telling of a thing, and asking nothing, reports that it is not as it should be."""
SHARE, MOST, FLOOR = 0.3, 24.0, -2.5
"""What the words of a category count for beside examples, up to which sum, and how much examples speak against it at most."""
OWN, SAID, LOUD = 0.7, 0.6, 8.0
"""What the verdict of the words on the kind counts for: by itself, for each unit of their weight, up to which weight."""
TRUSTED, NEAR, FAR = 3.5, 0.5, -0.8
"""How far examples may outweigh another kind, what leaves it in doubt, and what is too far to be of a category."""
PLAN_ORDER = ("fire", "gas", "lift_entrapment", "water_leak", "power", "injury")
IN_DANGER = ("safety", "facility", "house_quality", "environment", "attitude")
"""Categories an emergency may have; a gas company's number or a fee beside it says nothing."""
ERRANDS = (
    "fees", "leasing", "certificate", "utility_fee", "handover", "activity", "personalisation", "sales_policy", "general",
)  # fmt: skip
"""What somebody came for when the manners of staff spoilt it."""
ASSERTED = ("complaint", "repair")
PLAIN_DENIALS = ("不是", "并非", "并不是", "排除", "不存在")
LONGEST_WINDOW, NEXT, THOUGHT = 4, 1, 10
"""How many characters may stand between a denial and its word, and its second half; between 以为 and what was thought."""
DENIALS = ("anonymous", "confidential", "chase", "late")
"""Marks whose words are denials themselves."""
BLAME, SPOKEN = 3.0, 4.0
"""What is blame, not praise, whatever was mended; and a word that says outright that this is a complaint."""
BROKEN = 2.0
"""From when on it is told that things are not as they should be."""
THREATS = ("press", "authority", "court")

_HOUSEHOLDS = re.compile(
    r"(?<![0-9.])([0-9]{1,3}|[一二三四五六七八九十百两]{1,4})(?:余|多|来)?(?:户|家业主|[位名个]业主|户人家|位邻居|家住户)"
)
_GREETING = re.compile(r"^[^\n。,]{0,16}(?::|您好|你们?好|(?:朋友|伙伴|同志|大家)们?好|好[呀啊哇~])", re.M)
_POLITE = re.compile(r"请(?:问|教)")
"""请 that asks a question, and nothing to be done: 请问会所几点开放."""
_THANKS = re.compile(r"谢|感激|感恩|表扬|点赞|夸|称赞|好样|锦旗|辛苦|满意")
_THANKED = re.compile(r"谢谢|多谢|感谢$|辛苦$")
"""Thanks that only close a request: 灯坏了三天没人换,谢谢."""
_TOGETHER = re.compile(r"我们|代表|联名|共同|一致|一起|集体|业主签|签名")


@dataclass(slots=True)
class Meaning:
    """The findings about one text."""

    scores: dict[str, float] = field(default_factory=dict)
    categories: dict[str, float] = field(default_factory=dict)
    placed: dict[str, float] = field(default_factory=dict)
    kind: str = "consultation"
    category: str = "general"
    urgency: str = "normal"
    plans: tuple[str, ...] = ()
    marks: frozenset[str] = frozenset()
    other: str = ""
    accused: str = ""
    praised: str = ""
    topics: frozenset[str] = frozenset()
    broken: float = 0.0
    bad: float = 0.0
    haste: float = 0.0
    insults: tuple[tuple[int, int], ...] = ()
    quoted_insults: tuple[tuple[int, int], ...] = ()
    why: str = ""

    @property
    def has_kind(self) -> bool:
        """Whether the words say by themselves what kind it is, so that it can stand as a matter of its own."""
        return max(self.scores.values(), default=0) >= 1.5

    @property
    def weight(self) -> float:
        return self.categories.get(self.category, 0.0)


class Examiner:
    """Weighs readings of a lexicon."""

    def __init__(self, lexicon: Lexicon, households: int = 3, examples: Examples | None = None) -> None:
        self.lexicon = lexicon
        self.households = households
        self.examples = examples or Examples({}, lexicon)

    def examine(self, text: str, subject_end: int = 0) -> Meaning:
        """The meaning of a folded text whose first ``subject_end`` characters are the subject line."""
        reading = self.lexicon.read(text)
        return _Weighing(reading, subject_end, self.households, self.examples).result()


class _Weighing:
    def __init__(self, reading: Reading, subject_end: int, households: int, examples: Examples) -> None:
        self.reading = reading
        self.like_kinds, self.like_categories = examples.weigh(signs(reading))
        self.subject_end = subject_end
        self.households = households
        self._negators: dict[int, list[tuple[int, int, bool]]] = defaultdict(list)
        for group, window in (("context.negation", 4), ("context.negation_near", 1)):
            for hit in reading.of(group):
                plain = reading.text[hit.start : hit.end] in PLAIN_DENIALS
                self._negators[reading.clause(hit.start)].append((hit.end, window, plain))
        self._supposed = self._first_places("context.hypothetical")
        self._sentences = {
            name: {reading.sentence(hit.start) for hit in reading.of(f"context.{name}")}
            for name in ("past", "done", "again", "now", "prevention")
        }
        self._announced = self._places_announced()
        self._potential: dict[int, list[int]] = defaultdict(list)
        for hit in reading.of("context.potential"):
            self._potential[reading.clause(hit.start)].append(hit.end)

    def _first_places(self, group: str) -> dict[int, int]:
        places: dict[int, int] = {}
        for hit in self.reading.of(group):
            after = self.reading.text[hit.start : hit.end] == "的话"
            places.setdefault(self.reading.sentence(hit.start), 0 if after else hit.start)
        return places

    def _places_announced(self) -> list[tuple[int, int]]:
        """Where a notice tells of a stop and its cause: 因市政管网爆管抢修,4月19日停水. Somebody is at work there already."""
        if self._stands(self.reading.of("sign.running")):
            return []
        stops, days, homes = (self._sentences_of(g) for g in ("sign.stop", "sign.day", "place.home"))
        causes = [h for h in self.reading.of("sign.repaired") if self.reading.sentence(h.start) in stops]
        causes += [h for h in self.reading.of("sign.because") if self.reading.sentence(h.start) in (stops & days) - homes]
        told = {self.reading.sentence(h.start) for h in causes}
        named = [h for h in self.reading.of("sign.stop") if h.end <= self.subject_end or self.reading.sentence(h.start) in told]
        return [(h.start, h.end) for h in (*causes, *named)] if told else []

    def _sentences_of(self, group: str) -> set[int]:
        return {self.reading.sentence(hit.start) for hit in self.reading.of(group)}

    # how a word is meant

    def _denied(self, hit: Hit) -> bool:
        """An alarm's second half must be meant as well: 电梯又停了,没困人."""
        if self._is_denied_at(hit.start):
            return True
        if hit.word.family != "plan" or len(hit.spans) == 1:
            return False
        return self._is_nothing(hit) or any(self._is_denied_at(at, NEXT) for at, _ in hit.spans[1:])

    def _is_denied_at(self, place: int, most: int = LONGEST_WINDOW) -> bool:
        """Whether a denial stands before ``place``; 不是 and its like reach further than ``most``."""
        return any(
            0 <= place - end <= (window if plain else min(window, most))
            for end, window, plain in self._negators.get(self.reading.clause(place), ())
        )

    def _is_nothing(self, hit: Hit) -> bool:
        """Whether a part of an alarm belongs to a longer word that takes the meaning from it: 没人困住."""
        parts = [(at, to, hit.length + (place == 0)) for place, (at, to) in enumerate(hit.spans)]
        spans = [(a, b, none.length) for none in self.reading.of("plan.none") for a, b in none.spans]
        return any(a <= at and to <= b and length >= least for at, to, least in parts for a, b, length in spans)

    def _is_disproved(self, hit: Hit) -> bool:
        """What was thought, and not what it turned out to be: 以为是煤气,原来是排水管. While it goes on nothing is proved."""
        sentence = self.reading.sentence(hit.start)
        shown = [p for p in self.reading.of("thought.proved") if 0 <= self.reading.sentence(p.start) - sentence <= 2]
        thought = any(
            0 <= hit.start - m.end <= THOUGHT and not any(m.end <= p.start < hit.start for p in shown)
            for m in self.reading.of("thought.mistaken")
        )
        goes_on = any(n in self._sentences["again"] | self._sentences["now"] for n in range(sentence, sentence + 3))
        return thought and not goes_on and any(p.start >= hit.end for p in shown)

    def _is_announced(self, hit: Hit) -> bool:
        return any(start < hit.end and hit.start < end for start, end in self._announced)

    def _is_supposed(self, hit: Hit) -> bool:
        place = self._supposed.get(self.reading.sentence(hit.start))
        return place is not None and place <= hit.spans[-1][0]

    def _is_over(self, hit: Hit) -> bool:
        sentence, found = self.reading.sentence(hit.start), self._sentences
        if sentence in found["again"]:
            return False
        if sentence in found["done"]:
            return not self._is_contrasted(hit, sentence)
        return sentence in found["past"] and sentence + 1 in found["done"] and sentence + 1 not in found["again"]

    def _is_contrasted(self, hit: Hit, sentence: int) -> bool:
        """Whether a 但 stands between what was done and this word: 修好了,但墙面还是湿的."""
        places = [c.start for c in self.reading.of("context.contrast") if self.reading.sentence(c.start) == sentence]
        ends = [d.end for d in self.reading.of("context.done") if self.reading.sentence(d.start) == sentence]
        return any(end <= place <= hit.start for place in places for end in ends)

    def _is_past(self, hit: Hit) -> bool:
        sentence, found = self.reading.sentence(hit.start), self._sentences
        return sentence in found["past"] and sentence not in found["again"] and sentence not in found["now"]

    def _is_over_below(self, hit: Hit) -> bool:
        """Whether the text tells of what its subject line only names, and tells that it is over or some days ago."""
        if hit.start >= self.subject_end:
            return False
        told = [h for h in self.reading.of(hit.word.group) if h.start >= self.subject_end]
        return bool(told) and all(self._is_over(h) or self._is_past(h) for h in told)

    def _is_before(self, hit: Hit) -> bool:
        """Past, and the time of it is told before or in the same clause: 井盖没了,昨晚有人差点掉进去 tells of a cover that is missing."""
        if not self._is_past(hit):
            return False
        sentence, clause = self.reading.sentence(hit.start), self.reading.clause(hit.start)
        times = [p.start for p in self.reading.of("context.past") if self.reading.sentence(p.start) == sentence]
        return any(self.reading.clause(at) <= clause for at in times)

    def _is_feared(self, hit: Hit) -> bool:
        ends = self._potential.get(self.reading.clause(hit.start), ())
        return any(0 <= hit.start - end <= 8 for end in ends) or any(hit.start < end <= hit.end for end in ends)

    def _is_guessed(self, hit: Hit) -> bool:
        """What somebody else's pipe may do is no danger yet: 怀疑是他家水管漏."""
        return any(
            0 <= hit.start - m.end <= THOUGHT and self.reading.clause(m.start) == self.reading.clause(hit.start)
            for m in self.reading.of("thought.mistaken")
        )

    def _is_guarded(self, hit: Hit) -> bool:
        return self.reading.sentence(hit.start) in self._sentences["prevention"]

    def _stands(self, hits: Iterable[Hit]) -> list[Hit]:
        return [hit for hit in hits if not self._denied(hit)]

    # weighing

    def result(self) -> Meaning:
        found = Meaning(marks=self._marks())
        troubles = (*self.reading.of("state.broken"), *self.reading.family("plan"))
        self._any_over = any(self._is_over(hit) for hit in troubles)
        found.insults, found.quoted_insults = self._insults()
        found.topics = frozenset(hit.word.group.partition(".")[2] for hit in self._stands(self.reading.family("topic")))
        dangers, plans = self._emergencies()
        found.broken = self._sum(
            self._stands(self.reading.of("state.broken")),
            lambda h: 0.0 if self._is_supposed(h) or self._is_over(h) or self._is_announced(h) else 1.0,
        )
        found.bad = self._sum(
            self._stands(self.reading.of("state.bad")), lambda h: 0.0 if self._is_supposed(h) or self._is_over(h) else 1.0
        )
        found.scores = self._kinds(found)
        found.categories = self._categories(found, plans)
        found.category = self._best_category(found, plans)
        found.kind = self._best_kind(found, plans)
        if not plans:
            self._compare(found)
        found.plans = tuple(p for p in PLAN_ORDER if p in plans) if found.kind != "praise" else ()
        found.urgency = self._urgency(found, dangers)
        found.accused, found.praised = self._parties(found)
        return found

    def _sum(self, hits: Iterable[Hit], factor: object = None) -> float:
        best: dict[str, float] = {}
        text = self.reading.text
        for hit in hits:
            weight = hit.word.weight * (factor(hit) if callable(factor) else 1.0)
            if hit.start < self.subject_end:
                weight *= 1.5
            key = text[hit.start : hit.end]
            best[key] = max(best.get(key, -9.0), weight)
        return sum(best.values())

    def _kinds(self, found: Meaning) -> dict[str, float]:
        def faded(hit: Hit) -> float:
            return 0.25 if self._is_over(hit) and not (hit.word.group == "kind.complaint" and hit.word.weight >= SPOKEN) else 1.0

        def real(hit: Hit) -> float:
            return 0.0 if self._is_supposed(hit) or self._is_announced(hit) else faded(hit)

        stands = {k: self._stands(self.reading.of(f"kind.{k}")) for k in ("complaint", "repair", "suggestion", "praise")}
        scores = {
            "complaint": self._sum(stands["complaint"], faded),
            "repair": self._sum(stands["repair"], real) + min(found.broken, 4.0),
            "suggestion": self._sum(h for h in stands["suggestion"] if not _POLITE.match(self.reading.text, h.start)),
            "praise": self._sum(stands["praise"]),
            "consultation": self._sum(self.reading.of("kind.consultation")),
        }
        if found.marks & {"compensation", "refusal"} and scores["consultation"] < 4:
            scores["complaint"] += 4.0
        if found.marks & {"court", "press"} and scores["consultation"] < 4:
            scores["complaint"] += 2.0
        scores["complaint"] += min(found.bad, 4.0) * 0.75 + (4.0 if "violence" in found.marks else 0.0)
        if scores["praise"] and self._any_over and scores["complaint"] < BLAME:
            scores["praise"] += 5.0
        if mocked := self._mocked():
            scores["praise"], scores["complaint"] = 0.0, scores["complaint"] + mocked
        return scores

    def _mocked(self) -> float:
        """What tells of neglect in a sentence that praises, where no good deed is told: 谢谢物业,垃圾堆了一周没人收,服务真好."""
        if self.reading.of("sign.deed"):
            return 0.0
        praised = {self.reading.sentence(hit.start) for hit in self.reading.of("kind.praise") if not _THANKED.match(self._words(hit))}
        hits = [h for h in self._stands(self.reading.of("sign.neglect")) if self.reading.sentence(h.start) in praised]
        return self._sum(h for h in hits if not (self._is_over(h) or self._is_past(h) or self._is_supposed(h)))

    def _categories(self, found: Meaning, plans: dict[str, float]) -> dict[str, float]:
        scores: dict[str, float] = {}
        for category in CATEGORY_ORDER:
            hits = self._stands(self.reading.of(f"category.{category}"))
            if hits:
                over = 0.3 if category in IN_DANGER else 1.0  # what is asked about a mended pipe's water fee is the fee
                scores[category] = self._sum(hits, lambda h, over=over: over if self._is_over(h) else 1.0)
        self._add_places(scores, found)
        for plan in plans:
            extra = {"lift_entrapment": "facility", "water_leak": "", "power": "safety"}.get(plan, "safety")
            if extra:
                scores[extra] = scores.get(extra, 0.0) + 6.0
        if "personalisation" in scores and found.scores["suggestion"] >= 4 and not self.reading.of("place.home"):
            scores["personalisation"] *= 0.3  # what all use is to be changed
        if scores.get("personalisation", 0.0) >= 7 and not found.broken and "house_quality" in scores:
            scores["house_quality"] *= 0.5  # what is to be changed, not what is wrong
        if "personalisation" in scores and found.broken >= BROKEN and "house_quality" in scores:
            scores["personalisation"] *= 0.3  # what is wrong, whoever noticed it
        if plans:
            scores = {category: score for category, score in scores.items() if category in IN_DANGER} or {"facility": 3.0}
            if len(scores) > 1:
                scores.pop("environment", None)
        if scores.get("design", 0.0) >= 7:
            scores["design"] += 4.0
        if scores.get("design", 0.0) >= 18 and "house_quality" in scores:
            scores["house_quality"] *= 0.6  # who says so often that it was drawn so means the drawing
        if scores.get("sales_policy", 0.0) >= 9 and "sales_service" in scores:
            scores["sales_service"] *= 0.5
        if scores.get("attitude", 0.0) >= 6 and found.scores["complaint"] >= 4 and self._blamed():
            scores["attitude"] += 4.0
            for errand in ERRANDS:
                if errand in scores:
                    scores[errand] *= 0.5
        if "violence" in found.marks:
            scores["safety"] = scores.get("safety", 0.0) + 8.0
        if "major" in found.marks:
            scores["house_quality"] = scores.get("house_quality", 0.0) + 6.0
        return scores

    def _add_places(self, scores: dict[str, float], found: Meaning) -> None:
        """A defect belongs to the flat or to the common parts, whichever the words stand nearer to."""
        if found.broken and "handover" in found.topics and "house_quality" in scores:
            scores["house_quality"] += 6.0
        home, public = self._sum(self.reading.of("place.home")), self._sum(self.reading.of("place.public"))
        if found.broken and (home or public):
            mine = "house_quality" if home > public else "facility"
            other = "facility" if home > public else "house_quality"
            scores[mine] = scores.get(mine, 0.0) + 3.0
            if other in scores:
                scores[other] *= 0.6

    def _compare(self, found: Meaning) -> None:
        """Weigh the verdict of the words against what similar examples were; note the other kind where it is near."""
        if self._announced and found.kind == "consultation":
            return  # the words of a notice resemble a report
        strongest = max(found.scores.values(), default=0.0)
        like = self.like_kinds
        if self._mocked():
            like = {kind: weight for kind, weight in like.items() if kind != "praise"}
        denied = not found.broken and bool(self.reading.of("state.broken"))  # 没有漏水: all words are there, and not meant
        denied = denied and not self.reading.of("context.contrast")
        if not like or (denied and not strongest) or not (strongest or found.bad or found.categories or self._is_placed(found)):
            return
        sure = found.category == "design" and found.categories.get("design", 0.0) >= 14
        said = 5.5 if sure else OWN + SAID * min(strongest, LOUD)
        most = max(like.values())
        like = {kind: max(weight, most - TRUSTED) for kind, weight in like.items()}
        like[found.kind] = like.get(found.kind, most - TRUSTED) + said
        first, second = sorted(like, key=lambda kind: -like[kind])[:2]
        found.kind = first
        if found.category == "general" and first != "consultation":
            found.category = self._likely_category(found)
        found.other = second if like[first] - like[second] < NEAR else ""

    def _is_placed(self, found: Meaning) -> bool:
        """Whether examples alone place it: with no word of a kind or a category, being a little like one says nothing."""
        return found.category != "general" and found.placed.get(found.category, FLOOR) >= NEAR

    def _likely_category(self, found: Meaning) -> str:
        """For an opinion or a defect that nothing places: what comes nearest, if anything comes near."""
        if found.categories.get("general") or "club" in found.topics:
            return "general"
        told = max(found.categories, key=lambda name: found.categories[name], default="general")
        if found.categories.get(told, 0.0) >= OWN:
            return told
        likely = max(found.placed, key=lambda name: (name != "general", found.placed[name]), default="general")
        return likely if found.placed.get(likely, FLOOR) >= FAR else "general"

    def _best_category(self, found: Meaning, plans: dict[str, float]) -> str:
        like = {} if plans else self.like_categories
        words = found.categories
        if like:
            names = {*words, *like}
            found.placed = {n: SHARE * min(words.get(n, 0.0), MOST) + max(like.get(n, FLOOR), FLOOR) for n in sorted(names)}
            found.placed["general"] = found.placed.get("general", FLOOR) - NEAR  # only where nothing else is as near
        else:
            found.placed = words
        best = min(found.placed, key=lambda name: (-found.placed[name], CATEGORY_ORDER.index(name)), default="general")
        near = like and found.placed[best] > (0 if words else NEAR)  # a few letters of any note resemble something
        return best if words.get(best, 0.0) >= 2 or near else "general"

    def _best_kind(self, found: Meaning, plans: dict[str, float]) -> str:
        s = found.scores
        if plans and s["praise"] < 5:
            return self._kind_of_emergency(found, plans)
        meant = not found.bad or self._any_over or any(_THANKS.search(self._words(hit)) for hit in self.reading.of("kind.praise"))
        meant = meant and self._blamed_apart() < BLAME
        if meant and s["praise"] >= 5 and s["praise"] >= s["complaint"] and s["praise"] > s["repair"] * 0.8:
            return "praise"
        drawn_so = found.category == "design" and found.categories.get("design", 0.0) >= 7
        if drawn_so and s["consultation"] <= 2 and s["suggestion"] < 4:
            return "complaint"
        asked = s["consultation"]
        blame = s["complaint"] + (3.0 if found.insults else 0.0)
        demanded = s["repair"] - min(found.broken, 4.0)
        if found.broken >= BROKEN and demanded >= SPOKEN and s["repair"] >= max(2 * blame, asked) and self._grumbles(found):
            return "repair"
        if found.bad and blame >= 1.5 and asked < 5 and s["suggestion"] < 3 and found.category in WRONGS:
            return "complaint"
        if blame >= 4 and blame >= asked * 0.5 and blame >= s["suggestion"] * 0.75:
            return "complaint"
        if found.broken:
            wanted = s["repair"] >= max(2.0, asked * 0.75, s["suggestion"])
        else:
            wanted = s["repair"] >= max(4.0, asked, s["suggestion"] + 0.1)
        if wanted:
            return "complaint" if blame >= 3 and blame >= s["repair"] * 0.5 else "repair"
        if asked < 1.5 and max(s["suggestion"], s["praise"]) < 2:
            return self._told(found)
        best = max(("complaint", "suggestion", "consultation", "praise", "repair"), key=lambda k: (s[k], k == "complaint"))
        if best == "praise" and s["praise"] < 2:
            best = "consultation"
        return best if s[best] >= 1.5 else "consultation"

    def _grumbles(self, found: Meaning) -> bool:
        """Whether nothing but how long or how often it is amiss is told beside it: 老是认不出我的车,请检修 demands no redress."""
        spoken = self._sum(self._stands(self.reading.of("kind.complaint")))
        return spoken < SPOKEN / 2 and not (found.insults or found.marks & {"violence", "compensation", "refusal", *THREATS})

    def _blamed_apart(self) -> float:
        """What is blamed in sentences without a word of praise: 谢谢你们修好门禁。楼上半夜还在切瓷砖."""
        praised = {self.reading.sentence(hit.start) for hit in self.reading.of("kind.praise")}
        hits = [h for h in self._stands(self.reading.of("kind.complaint")) if self.reading.sentence(h.start) not in praised]
        return self._sum(h for h in hits if not self._is_over(h) and not self._is_past(h))

    def _words(self, hit: Hit) -> str:
        return self.reading.text[hit.start : hit.end]

    def _told(self, found: Meaning) -> str:
        """A plain statement: of dirt, danger or manners it is a complaint, of a thing that does not work a report."""
        if found.scores["complaint"] >= 1.5 or found.marks & {"violence", *THREATS}:
            return "complaint"
        if found.broken:
            return "repair"
        if found.scores["suggestion"] >= 1.5:
            return "suggestion"
        if found.bad or (found.category in WRONGS and (found.weight or found.placed.get(found.category, 0.0) >= NEAR)):
            return "complaint"
        said = found.scores["consultation"] or self.reading.of("state.broken")  # asked, or told that nothing is broken
        told = found.category in THINGS and found.weight >= 4 and not said
        return "repair" if told else "consultation"

    def _kind_of_emergency(self, found: Meaning, plans: dict[str, float]) -> str:
        blame, broken = found.scores["complaint"], found.scores["repair"]
        said = blame - min(found.bad, 4.0) * 0.75  # a smell is bad, and blames nobody
        if said >= 1.5 and not broken and not set(plans) & {"fire", "lift_entrapment", "water_leak"}:
            return "complaint"
        if set(plans) == {"injury"}:
            return "repair" if found.broken and blame < 4 else "complaint"
        return "complaint" if blame >= 6 and blame > broken else "repair"

    def _emergencies(self) -> tuple[float, dict[str, float]]:
        """How much danger the words tell of, and the plans called for now (S1-5.4.2, S2-1.B4)."""
        danger, plans = 0.0, dict[str, float]()
        unhurt = any(self._denied(hit) for hit in self.reading.of("plan.injury"))
        treated = self._is_treated()
        for hit in self._stands(self.reading.family("plan")):
            plan = hit.word.group.partition(".")[2]
            if plan == "none" or self._is_supposed(hit) or self._is_over(hit) or self._is_guarded(hit):
                continue
            if self._is_over_below(hit) or self._is_announced(hit):
                continue
            if plan in ("gas", "fire", "lift_entrapment") and self._is_disproved(hit):
                continue
            if self._is_feared(hit) or (unhurt and plan == "injury"):
                danger += 3.0
            elif treated and plan == "injury":
                danger += 0.0 if self._is_past(hit) else 3.0  # nobody is in danger; what hurt him may be there still
            elif self._is_past(hit):
                danger += 3.0 if plan not in ("injury", "lift_entrapment") else 0.0
            else:
                plans[plan] = plans.get(plan, 0.0) + hit.word.weight
        if shut_in := self._in_a_lift():
            plans["lift_entrapment"] = plans.get("lift_entrapment", 0.0) + shut_in
        return danger, plans

    def _is_treated(self) -> bool:
        """Whether a doctor has seen to whoever was hurt, and nobody was hurt since: 去医院缝了五针."""
        seen = [h for h in self._stands(self.reading.of("sign.treated")) if not self._is_supposed(h)]
        return bool(seen) and not self._stands(self.reading.of("sign.fresh"))

    def _in_a_lift(self) -> float:
        """What tells of somebody inside, where a lift is spoken of: 电梯停在九楼,隐约听见里头有个老太太在拍门."""
        lifts = {self.reading.sentence(hit.start) + later for hit in self.reading.of("sign.lift") for later in (0, 1)}
        return self._sum(
            hit for hit in self._stands(self.reading.of("sign.inside"))
            if self.reading.sentence(hit.start) in lifts
            and not (self._is_supposed(hit) or self._is_over(hit) or self._is_past(hit) or self._is_guarded(hit))
        )  # fmt: skip

    def _urgency(self, found: Meaning, danger: float) -> str:
        if found.plans:
            return "emergency"
        found.haste = haste = self._sum(self._stands(self.reading.of("urgent.haste")))
        if found.kind in ASSERTED:
            danger += 3.0 if found.marks & {"violence", "structure"} else 0.0
            hits = [h for h in self._stands(self.reading.of("urgent.danger")) if not self._is_supposed(h)]
            over = (self._is_over, self._is_before, self._is_over_below, self._is_guessed)
            danger += self._sum(h for h in hits if not any(test(h) for test in over))
            danger += self._sum(h for h in self._stands(self.reading.of("urgent.lasting")) if not self._is_supposed(h))
            return "urgent" if danger + haste >= 3 else "normal"
        return "urgent" if haste >= 3 and found.kind == "consultation" else "normal"

    def _marks(self) -> frozenset[str]:
        found = set()
        for hit in self.reading.family("mark"):
            name = hit.word.group.partition(".")[2]
            if name not in ("none", "insult") and (name in DENIALS or not self._denied(hit)):
                found.add(name)
        if self._is_group():
            found.add("group")
        if self._is_cracked():
            found.add("major")
        for hit in self._stands(self.reading.of("plan.injury")):
            if not (self._is_supposed(hit) or self._is_feared(hit) or self._is_guarded(hit)):
                found.add("injury")
        return frozenset(found)

    def _is_cracked(self) -> bool:
        """Whether what bears the house is cracked, or a crack goes through: 大梁…一道斜缝; 墙上裂缝…背面也看得到."""
        def places(group: str) -> set[int]:
            return {self.reading.sentence(hit.start) for hit in self._stands(self.reading.of(group)) if not self._is_supposed(hit)}

        cracked = places("sign.crack")
        through = {n - later for n in places("sign.through") for later in (0, 1)}
        return bool(cracked & places("sign.bearing") or cracked & places("sign.wall") & through)

    def _is_group(self) -> bool:
        text = self.reading.text
        for match in _HOUSEHOLDS.finditer(text):
            near = text[max(match.start() - 16, 0) : match.end() + 16]
            if (number(match[1]) or 0) >= self.households and _TOGETHER.search(near):
                return True
        return False

    def _insults(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        own: list[tuple[int, int]] = []
        quoted: list[tuple[int, int]] = []
        speakers = [(self.reading.sentence(h.start), h.start) for h in self.reading.of("context.quoted")]
        for hit in self.reading.of("mark.insult"):
            said = any(s == self.reading.sentence(hit.start) and 0 <= hit.start - at <= 16 for s, at in speakers)
            (quoted if said else own).append((hit.start, hit.end))
        return tuple(own), tuple(quoted)

    def _parties(self, found: Meaning) -> tuple[str, str]:
        """Who is blamed for bad manners, and who is praised."""
        blamed, praised = self._weights_of_parties()
        return _most(blamed or praised), _most(praised)

    def _blamed(self) -> bool:
        return bool(self._weights_of_parties()[0])

    def _weights_of_parties(self) -> tuple[dict[str, float], dict[str, float]]:
        manners = {self.reading.sentence(h.start) for h in self.reading.of("category.attitude")}
        thanked = {self.reading.sentence(h.start) for h in self.reading.of("kind.praise")}
        blamed: dict[str, float] = defaultdict(float)
        praised: dict[str, float] = defaultdict(float)
        greetings = [match.span() for match in _GREETING.finditer(self.reading.text)]
        for hit in self.reading.family("party"):
            party = hit.word.group.partition(".")[2]
            sentence = self.reading.sentence(hit.start)
            if party != "none" and not any(start <= hit.start < end for start, end in greetings):
                praised[party] += hit.word.weight * (2 if sentence in thanked else 1)
                if sentence in manners:
                    blamed[party] += 2 * hit.word.weight
                elif sentence + 1 in manners:
                    blamed[party] += hit.word.weight
        return blamed, praised


def _most(weights: dict[str, float]) -> str:
    return max(weights, key=lambda name: weights[name]) if weights else ""
