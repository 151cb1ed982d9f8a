"""`kefud outbox`: letters on their way."""

from __future__ import annotations

from typing import Any

import click

from kefud.cli.common import as_json, cut, local, office, show, table
from kefud.errors import Usage
from kefud.store import letters


@click.group()
def outbox() -> None:
    """Letters on their way, with attempts and answers of the receiving server."""


def letter_json(row: dict[str, Any]) -> dict[str, Any]:
    """A letter in the shape of the contract. One that a newer letter replaced is held: it leaves only if a person says so."""
    return {
        "id": row["id"], "ticket": row["ticket_number"], "to": ", ".join(row["addresses"]) or None,
        "recipient": row["recipient"], "template": row["template"], "message_id": row["message_id"],
        "status": "held" if row["status"] == "superseded" else row["status"], "attempts": row["attempts"], "next_attempt": row["next_attempt"],
        "last_answer": row["last_answer"] or None, "hold": row["hold"] or None, "subject": row["subject"],
        "created_at": row["created_at"], "sent_at": row["sent_at"],
    }  # fmt: skip


@outbox.command("list")
@click.option("--status", type=click.Choice(["pending", "leased", "sent", "failed", "held", "superseded"]))
@click.option("--limit", default=200, show_default=True)
@as_json
@click.pass_context
def list_(ctx: click.Context, status: str | None, limit: int, as_json: bool) -> None:
    """Letters, newest first."""
    with office(ctx) as found:
        with found.db.read() as tx:
            rows = letters.listed(tx, status=status, most=limit)
        zone = found.site.calendar.zone
    if as_json:
        show([letter_json(r) for r in rows])
        return
    lines = [
        [r["id"], r["ticket_number"], ", ".join(r["addresses"]), r["template"], r["status"], r["attempts"],
         local(r["next_attempt"], zone) if r["status"] == "pending" else "", cut(r["hold"] or r["last_answer"], 50)]
        for r in rows
    ]  # fmt: skip
    table(lines, ["id", "ticket", "to", "template", "status", "tries", "next", "answer"])


@outbox.command("show")
@click.argument("id", type=int)
@as_json
@click.pass_context
def show_(ctx: click.Context, id: int, as_json: bool) -> None:
    """One letter with its text and every attempt."""
    with office(ctx) as found, found.db.read() as tx:
        rows = letters.listed(tx, id=id)
        if not rows:
            raise Usage(f"there is no letter {id}")
        tries = [{"at": a["at"], "code": a["code"], "answer": a["answer"]} for a in letters.attempts_of(tx, id)]
    document = {**letter_json(rows[0]), "text": rows[0]["text"], "history": tries}
    if as_json:
        show(document)
        return
    for key, value in document.items():
        if key not in ("text", "history"):
            click.echo(f"{key}: {value}")
    for attempt in tries:
        click.echo(f"attempt {attempt['at']}: {attempt['answer']}")
    click.echo("")
    click.echo(document["text"])


def _change(name: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument("id", type=int)
    @click.pass_context
    def command(ctx: click.Context, id: int) -> None:
        with office(ctx) as found:
            with found.db.write() as tx:
                done = letters.change(tx, id, name, found.clock())
                row = None if done else letters.by_id(tx, id)
        if not done:
            now = f"is {row['status']} {row['hold']}".strip() if row else "does not exist"
            raise Usage(f"letter {id} {now}; it cannot be changed by {name}")
        click.echo(f"letter {id}: {name}", err=True)

    return command


outbox.add_command(_change("retry", "Send it now, however often it failed."))
outbox.add_command(_change("hold", "Keep it back."))
outbox.add_command(_change("release", "Let a held letter go."))
