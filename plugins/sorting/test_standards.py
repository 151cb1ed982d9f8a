"""A matter of environment or facility knows which part of it it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from kefud.testing import site as site_of

from .rule import Sorting
from .standards import Standards
from .test_sorting import TOML, mail, one


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Sorting:
    return Sorting(site_of(tmp_path_factory.mktemp("standards"), TOML), {})


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("綠化枯死", "environment/greening"),
        ("5号楼前的草坪枯死一大片,没人浇水,我要投诉。", "environment/greening"),
        ("楼道垃圾三天没人打扫,我要投诉。", "environment/cleaning"),
        ("草坪上全是烟头和垃圾,没人清扫,投诉。", "environment/cleaning"),
        ("地下室老鼠、蟑螂成群,请消杀。", "environment/pests"),
        ("3号楼电梯又停了,请派人修。", "facility/lift"),
        ("7号楼前的路灯不亮了,请修。", "facility/lighting"),
    ],
)
def test_the_part_of_a_matter(rule: Sorting, text: str, part: str) -> None:
    told, _, noted = one(rule, mail(text))
    assert noted["subcategory"] == part and part.startswith(f"{told.category}/")


@pytest.mark.parametrize("text", ["请问物业费怎么交?", "5-1-201客厅墙面空鼓开裂,请维修。", "我要投诉保安态度恶劣,骂人。"])
def test_other_categories_have_no_parts(rule: Sorting, text: str) -> None:
    assert "subcategory" not in one(rule, mail(text))[2]


def test_an_office_adds_parts_and_words(tmp_path: Path) -> None:
    more = {"facility": {"pool": ["泳池"]}, "safety": {"parking": ["乱停车"]}, "environment": {"greening": ["竹林"]}}
    own = Standards(more)
    assert own.part_of("facility", "泳池的水很浑") == "facility/pool"
    assert own.part_of("environment", "竹林倒了") == "environment/greening" and own.part_of("environment", "请修剪")
    assert own.part_of("safety", "有人亂停車") == "safety/parking" and not own.part_of("design", "泳池")
