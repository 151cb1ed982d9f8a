"""`kefud demo`, as a newcomer runs it."""

import email
import email.policy
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from kefud.demo.mailbox import mailbox

KEFUD = [sys.executable, "-m", "kefud"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}


def kefud(*arguments, **options):
    return subprocess.run([*KEFUD, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, **options)


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """Where a demonstration was kept, and how it ended."""
    directory = tmp_path_factory.mktemp("demo") / "kept"
    done = kefud("demo", "--keep", directory, "--patience", "240", timeout=400)
    assert "Look further" in done.stdout, done.stderr
    return directory, done


def asked(directory, *command):
    answer = kefud("-c", directory / "config" / "kefud.toml", *command, "--json", timeout=60)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def written_by(tickets, address):
    return next(t for t in tickets if t["requester"]["email"] == address)


@pytest.mark.slow
def test_everything_that_came_in_became_what_it_is(office):
    tickets = asked(office[0], "ticket", "list")
    kinds = {t["requester"]["name"]: (t["kind"], t["urgency"]) for t in tickets}
    assert kinds["林示范"] == ("complaint", "normal")
    assert written_by(tickets, "zhoushiyong@mail.example.cn")["kind"] == "repair"  # who also called and reached nobody
    assert kinds["吴演示"][1] == kinds["陈模拟"][1] == "emergency"
    assert kinds["冯预览"][0] == "praise"
    assert kinds["王例子"][0] == kinds["蒋试写"][0] == "suggestion"
    assert written_by(tickets, "zhengyangli@mail.example.cn")["status"] == "closed"
    assert any("incoming_notice_no:" in effect for t in tickets for effect in t["effects"])
    assert [e["channel"] for e in asked(office[0], "shelf", "list")] == ["east-gate"]


@pytest.mark.slow
def test_work_orders_went_out_with_their_pdf(office):
    papers = [Path(d["path"]) for t in asked(office[0], "ticket", "list") for d in t["documents"] if d["form"] == "notice"]
    assert len(papers) >= 6
    assert all(paper.read_bytes().startswith(b"%PDF") for paper in papers)
    assert all(letter["status"] == "sent" for letter in asked(office[0], "outbox", "list"))
    orders = [path for path in office[0].glob("sent/*/*.eml") if "客联" in path.name]
    assert all(attached_pdf(path) for path in orders)


def attached_pdf(path):
    letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return [part.get_content()[:4] for part in letter.iter_attachments()] == [b"%PDF"]


@pytest.mark.slow
def test_answers_of_departments_moved_their_tickets(office):
    tickets = asked(office[0], "ticket", "list")
    assert written_by(tickets, "zhoushiyong@mail.example.cn")["status"] == "handled"
    assert written_by(tickets, "linshifan@mail.example.com")["status"] in ("acknowledged", "in_progress")


@pytest.mark.slow
def test_the_out_of_office_got_no_answer(office):
    assert len(list(office[0].glob("sent/wanglizi@mail.example.com/*.eml"))) == 1
    assert len(written_by(asked(office[0], "ticket", "list"), "wanglizi@mail.example.com")["arrivals"]) == 2


@pytest.mark.slow
def test_it_ends_well_and_the_store_is_in_order(office):
    assert office[1].returncode == 0, office[1].stderr
    checked = kefud("-c", office[0] / "config" / "kefud.toml", "verify", timeout=60)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_what_it_prints_names_the_files_and_the_commands(office):
    directory, printed = office[0], office[1].stdout
    assert all(ticket["number"] in printed for ticket in asked(directory, "ticket", "list"))
    assert all(str(paper) in printed for paper in directory.glob("var/papers/*/*/notice-*.pdf"))
    assert f"export KEFUD_CONFIG={directory}/config/kefud.toml" in printed


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_process_behind(tmp_path, end):
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell lets what it starts in the background ignore it
    child = subprocess.Popen(
        [*KEFUD, "demo", "--keep", tmp_path / "kept"], stderr=subprocess.PIPE, env=ENVIRONMENT, preexec_fn=heard
    )
    assert child.stderr
    said = b""
    while "投入".encode() not in said:
        said = child.stderr.readline()
        assert said, "it ended early"
    family = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(end)
    assert child.wait(40) == 1
    assert b"interrupted" in child.stderr.read()
    child.stderr.close()
    assert len(family) >= 2
    assert alive_after(5, family) == []


def alive_after(seconds, processes):
    until = time.monotonic() + seconds
    while [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] and time.monotonic() < until:
        time.sleep(0.1)
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_a_directory_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    refused = kefud("demo", "--keep", tmp_path, timeout=60)
    assert refused.returncode == 64
    assert "is not empty" in refused.stderr
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.parametrize("program", [None, "/bin/false"])
def test_without_dovecot_the_mailbox_is_a_maildir(tmp_path, program):
    mail = b"Subject: hello\r\n\r\nhello\r\n"
    with mailbox(tmp_path, program) as box:
        box.deliver(mail, 1)
        assert 'plugin = "maildir"' in box.channel
        assert "Maildir" in box.note
    assert [path.read_bytes() for path in (tmp_path / "in" / "maildir" / "new").iterdir()] == [mail]
