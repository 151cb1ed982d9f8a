"""R24, S21: every mistake in a configuration is named with file, line and key, and no secret stands in a file or a message."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from kefud.cli import kefud
from kefud.cli.check import plugin_problems, secret_problems
from kefud.cli.ticket import state_named
from kefud.config import Secret, load
from kefud.errors import ConfigError, KefudError, Usage
from kefud.testing import site

CANARY = "c4n4ry-Pa55w0rd"
BOX = '[[channel]]\nid = "kefu"\nplugin = "imap_mailbox"\n'
FAULTS = {
    "no table": ("[service\n", 1, "", "no valid TOML"),
    "unknown table": ('[servce]\nname = "x"\n', 1, "servce", "unknown key"),
    "unknown key": ('[service]\n\nhotlin = "400"\n', 3, "service.hotlin", "correct its spelling"),
    "unknown key further in": ('[service]\noutgoing = { adress = "a@example.com" }\n', 2, "service.outgoing.adress", "unknown"),
    "one for many": ('[service]\nown_addresses = "a@example.com"\n', 2, "service.own_addresses", "must be a list"),
    "word for yes": ('[service]\ntrust_internal_mail = "often"\n', 2, "service.trust_internal_mail", "boolean"),
    "no such choice": ('[service]\nprofile = "owner"\n', 2, "service.profile", "'developer' or 'property'"),
    "no such place": ('[service]\ntimezone = "Asia/Pekin"\n', 0, "calendar", "Asia/Shanghai"),
    "blank in an id": ('[[channel]]\nid = "a b"\nplugin = "maildir"\n', 2, "channel[0].id", "pattern"),
    "no plugin": ('[[channel]]\nid = "a"\n', 1, "channel[0].plugin", "is missing; add it"),
    "id twice": (BOX + BOX, 5, "channel[1].id", "ids must differ"),
    "no duration": (f'{BOX}every = "soon"\n', 1, "channel[0]", '"30s"'),
    "table for tables": ('[channel]\nid = "x"\n', 1, "channel", "must be a list"),
    "password": (f'{BOX}password = "{CANARY}"\n', 4, "channel[0].password", "must not stand in the file"),
    "token": (f'{BOX}refresh_token = "{CANARY}"\n', 4, "channel[0].refresh_token", "must not stand in the file"),
    "secret elsewhere": (f'{BOX}client_secret = {{ text = "{CANARY}" }}\n', 4, "channel[0].client_secret", "{ file ="),
    "in clear": (f'{BOX}host = "imap.example.com"\ntls = "none"\n', 5, "channel[0].tls", "loopback"),
    "no such deadline": ('[deadlines]\nreply_soon = "2 working_days"\n', 2, "deadlines.reply_soon", "known are"),
    "no term": ('[deadlines]\n"reply.sales" = "two moons"\n', 2, "deadlines.reply.sales", "3 working_days"),
    "no hour": ('[calendar]\nservice_hours = { mon = ["25:00-26:00"] }\n', 1, "calendar", "does not exist"),
    "no day": ('[calendar]\npublic_holidays = ["2025-13-01"]\n', 2, "calendar.public_holidays[0]", "month"),
    "no such party": ('[[party]]\nid = "x"\nkind = "friend"\n', 3, "party[0].kind", "'contractor'"),
    "no category": ('[[party]]\nid = "x"\nhandles = ["Water Leak"]\n', 3, "party[0].handles", "is no category"),
    "no end": ('[[role]]\nid = "x"\nabsences = [{ since = "2025-01-01" }]\n', 3, "role[0].absences[0].until", "is missing"),
    "no address": ('[[party]]\nid = "x"\naddresses = ["*@example.cn", "wuye example.cn"]\n', 3, "party[0].addresses", "no mail address"),
    "no address further on": ('[[party]]\nid = "x"\naddresses = ["a@example.cn", "b example.cn"]\n', 3, "party[0].addresses", "no pattern"),
    "no fallback": ('[[party]]\nid = "x"\nfallback = "nonsense"\n', 3, "party[0].fallback", "no mail address"),
    "no address of a role": ('[[role]]\nid = "x"\naddress = "adviser.x.cn"\n', 3, "role[0].address", "no mail address"),
    "no deputy": (
        '[[role]]\nid = "x"\ndeputy = "张三"\nabsences = [{ since = 2025-01-01, until = 2025-01-02 }]\n', 3, "role[0].deputy",
        "no mail address",
    ),
    "no sender": ('[service]\noutgoing = { address = "kefu" }\n', 2, "service.outgoing.address", "no mail address"),
    "one house twice": ('[[house]]\nid = "5-1-201"\n[[house]]\nid = "5号楼1单元201"\n', 4, "house[1].id", "twice"),
    "no list of houses": ('houses = "nowhere.csv"\n', 1, "houses", "cannot be read"),
    "no number": ('[limits]\nletters_per_hour = "many"\n', 2, "limits.letters_per_hour", "integer"),
    "below nothing": ("[limits]\nletters_per_hour = -3\n", 2, "limits.letters_per_hour", "greater than or equal to 0"),
    "no time at all": ("[limits]\nworker_seconds = 0\n", 2, "limits.worker_seconds", "greater than or equal to 1"),
    "kept for less than no time": ("[retention]\npersonal_days = -1\n", 2, "retention.personal_days", "greater"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_is_named_with_its_place_and_what_to_do(tmp_path: Path, name: str) -> None:
    text, line, key, words = FAULTS[name]
    file = tmp_path / "kefud.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    [problem] = caught.value.problems
    assert (problem.file, problem.line, problem.key) == (str(file), line, key)
    assert words in problem.message and CANARY not in str(caught.value)
    assert caught.value.exit_status == 78


PLAUSIBLE = """
[[party]]
id = "government"
addresses = ["*@*.gov.example.cn", "*gov.example.cn"]
[[party]]
id = "property_company"
addresses = ["", "wuye@property.example.com", "物业@示例.cn", "wuye-?@property.example.com"]
fallback = ""
handles = ["house_quality"]
[[role]]
id = "cs_clerk"
address = "neiqin@localhost"
deputy = "cs_manager"
absences = [{ since = 2025-01-01, until = 2025-01-02 }]
[[role]]
id = "cs_manager"
address = "jingli+kefu@estate.example.com"
[[role]]
id = "adviser"
[[house]]
id = "12"
phone = "未知"
[[house]]
id = "5号楼1单元201"
phone = "138-0000-0201"
"""


def test_what_is_plausible_is_accepted_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "kefud.toml").write_text(f'[service]\nhotline = "400"\n{PLAUSIBLE}', "utf-8")
    found = load(tmp_path / "kefud.toml")
    company, clerk = found.site.party("property_company"), found.site.role("cs_clerk")
    assert found.warnings == () and company and company.address == "wuye@property.example.com"
    assert clerk and clerk.address_on(date(2025, 1, 1)) == "jingli+kefu@estate.example.com"


def test_what_is_doubtful_is_told_with_its_place_and_accepted(tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text("id,phone\n5-1-201,1380000\n", "utf-8")
    (tmp_path / "kefud.toml").write_text(
        'houses = "houses.csv"\n[service]\nhotline = "400"\n[[party]]\nid = "x"\nhandles = ["house_qualty"]\n'
        '[[role]]\nid = "adviser"\ndeputy = "张三"\n[[house]]\nid = "三号楼"\n',
        "utf-8",
    )
    told = [(Path(p.file).name, p.line, p.key, p.message) for p in load(tmp_path / "kefud.toml").warnings]
    assert [x[:3] for x in told] == [
        ("kefud.toml", 11, "house[0].id"), ("houses.csv", 2, "phone"),
        ("kefud.toml", 6, "party[0].handles"), ("kefud.toml", 9, "role[0].deputy"),
    ]  # fmt: skip
    assert 'did you mean "house_quality"?' in told[2][3]


def test_every_mistake_is_named_at_once_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "kefud.toml").write_text('include = ["more.toml", "nowhere.toml"]\n[service]\nnme = "x"\n', "utf-8")
    (tmp_path / "more.toml").write_text('[[party]]\nid = "x"\nknd = "other"\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "kefud.toml")
    assert [Path(p.file).name for p in caught.value.problems] == ["nowhere.toml"]
    (tmp_path / "nowhere.toml").write_bytes("[service]\nestate = '示范'\n".encode("gbk"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "kefud.toml")
    (tmp_path / "nowhere.toml").write_text("", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "kefud.toml")
    found = {(Path(p.file).name, p.line, p.key) for p in caught.value.problems}
    assert found == {("kefud.toml", 3, "service.nme"), ("more.toml", 3, "party[0].knd")}


def test_a_secret_is_shown_by_nothing_and_read_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(f"{CANARY}\n", "utf-8")
    (tmp_path / "kefud.toml").write_text(f'{BOX}password = {{ file = "pw" }}\n', "utf-8")
    found = load(tmp_path / "kefud.toml")
    secret = found.config.channel[0].settings["password"]
    assert isinstance(secret, Secret) and secret.reveal() == CANARY
    assert CANARY not in f"{secret} {secret!r} {found!r} {found.model_dump()}"
    (tmp_path / "pw").unlink()
    with pytest.raises(KefudError, match="No such file"):
        secret.reveal()


@pytest.mark.parametrize(("mode", "faults"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1)])
def test_a_secret_that_others_may_read_is_a_fault(tmp_path: Path, mode: int, faults: int) -> None:
    (tmp_path / "pw").write_text(CANARY, "utf-8")
    (tmp_path / "pw").chmod(mode)
    (tmp_path / "kefud.toml").write_text(f'{BOX}password = {{ file = "pw" }}\n', "utf-8")
    problems = secret_problems(load(tmp_path / "kefud.toml"))
    assert len(problems) == faults and all("chmod 600" in p.message and p.key == "channel[0].password" for p in problems)


@pytest.mark.parametrize(
    ("url", "mode", "faults"),
    [
        (f"postgresql://kefud:{CANARY}@db.example.com/kefud", 0o644, 1), ("postgresql://kefud@db.example.com/kefud", 0o644, 0),
        (f"postgresql://kefud:{CANARY}@db.example.com/kefud", 0o640, 0), ("", 0o644, 0),
    ],
)  # fmt: skip
def test_a_password_in_the_address_of_the_database_is_for_nobody_else(tmp_path: Path, url: str, mode: int, faults: int) -> None:
    file = tmp_path / "kefud.toml"
    file.write_text(f'[service]\ndatabase = "{url}"\n', "utf-8")
    file.chmod(mode)
    problems = secret_problems(load(file))
    assert len(problems) == faults and all("chmod 640" in p.message and CANARY not in str(p) for p in problems)


def test_a_directory_of_plugins_that_others_may_write_to_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins").chmod(0o775)
    (tmp_path / "kefud.toml").write_text('[service]\nplugins = ["plugins", "none"]\n', "utf-8")
    problems = plugin_problems(load(tmp_path / "kefud.toml"), strict=False)
    assert [p.key for p in problems] == ["service.plugins"] * 2
    assert "no directory" in problems[0].message and "chmod go-w" in problems[1].message


def test_nothing_is_run_of_a_directory_that_others_may_write_to(tmp_path: Path) -> None:
    """Not only `kefud check` says so: the daemon does not start (exit 78)."""
    place = tmp_path / "plugins" / "leak"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "utf-8")
    (tmp_path / "kefud.toml").write_text('[service]\nplugins = ["plugins"]\n[rules]\norder = ["leak"]\n', "utf-8")
    place.chmod(0o777)
    for arguments in (["run"], ["run", "--once"]):
        done = CliRunner().invoke(kefud, ["-c", str(tmp_path / "kefud.toml"), *arguments])
        assert isinstance(done.exception, ConfigError) and "chmod go-w" in str(done.exception)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "spool").exists()


MISTAKES = """
[service]
hotline = "400"
[plugin.reports]
off = ["dayly", "missing", "calls"]
roles = { monthly = ["boss", "cs_manager", "property_company"] }
[plugin.routing]
rotes = { }
[plugin.merging]
same = 0.3
[plugin.rutting]
a = 1
[[channel]]
id = "calls"
plugin = "phone_log"
folder = "calls"
encoding = "gkb"
[[channel]]
id = "more-calls"
plugin = "phone_log"
folder = "calls"
columns = { callerr = ["x"] }
[[party]]
id = "property_company"
[[knowledge]]
topic = "停车费"
answer = "这个不归我管,不知道。"
verified_on = 2025-05-01
valid_until = 2025-01-01
"""


def test_the_check_names_settings_that_mean_nothing_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "kefud.toml").write_text(MISTAKES, "utf-8")
    told = json.loads(CliRunner().invoke(kefud, ["-c", str(tmp_path / "kefud.toml"), "check", "--json"]).stdout)
    assert {p["file"] for p in told["problems"]} == {str(tmp_path / "kefud.toml")}
    assert sorted((p["line"], p["key"]) for p in told["problems"]) == [
        (5, "plugin.reports.off"), (6, "plugin.reports.roles"), (8, "plugin.routing.rotes"), (17, "channel[0].encoding"),
        (22, "channel[1].columns"), (29, "knowledge[0].valid_until"),
    ]  # fmt: skip
    said = {p["key"]: p["message"] for p in [*told["problems"], *told["warnings"]]}
    assert 'did you mean "daily"?' in said["plugin.reports.off"] and '"boss"' in said["plugin.reports.roles"]
    assert "pydantic" not in str(said) and "callerr" in said["channel[1].columns"] and "utf-8" in said["channel[0].encoding"]
    assert 'did you mean "routing"?' in said["plugin.rutting"] and "不归我管" in said["knowledge[0].answer"]


@pytest.mark.parametrize(("given", "state"), [("open", "open"), ("in_progress", "in_progress"), ("处理中", "in_progress")])
def test_a_state_may_be_named_in_both_languages(given: str, state: str) -> None:
    assert state_named(given) == state


def test_what_is_no_state_lists_nothing_but_says_so(tmp_path: Path) -> None:
    answer = CliRunner().invoke(kefud, ["-c", str(tmp_path / "kefud.toml"), "ticket", "list", "--status", "foo"])
    assert isinstance(answer.exception, Usage) and answer.exception.exit_status == 64 and "处理中" in str(answer.exception)


@pytest.mark.parametrize("written", ["138-0000-0201", "+86 138 0000 0201", "13800000201/13900000202", "张样例 13900000202"])
def test_a_house_is_known_by_its_number_however_it_is_written(tmp_path: Path, written: str) -> None:
    house = f'[[house]]\nid = "5-1-201"\nowner = "何样板"\nphone = "{written}"\nemail = "He@mail.example.com"\n'
    facts = site(tmp_path, house)
    number = "13900000202" if "139" in written else "13800000201"
    for asked in (number, f"+86{number}", f"{number[:3]} {number[3:7]} {number[7:]}", "he@mail.example.com", "HE@mail.example.com"):
        assert [h.id for h in facts.houses_by_contact(asked)] == ["5-1-201"], asked
    assert facts.houses_by_contact("13700000000") == facts.houses_by_contact("") == ()
