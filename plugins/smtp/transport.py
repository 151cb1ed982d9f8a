"""One letter out by SMTP; the connection stays open for the next one until `finish`.

A letter for several recipients goes to those the server accepts. If some are refused the letter counts as failed, the
answer names them, and a second try reaches only those who have not got it. 5xx is final, anything else is not; trouble with
the connection, the login or the encryption is never the letter's fault.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from kefud.api import DeliveryFailed, KefudError, Parcel

from .dialogue import Answer, Denied, Dialogue, Lost, Outcome
from .envelope import acceptable, on_the_wire
from .settings import Settings

OUR_OWN_FAULT = (502, 503, 530, 534, 535, 538)
REMEMBERED = 1000


class Smtp:
    """A Transport. Constructing one does no I/O."""

    def __init__(self, id: str, settings: Settings) -> None:
        self.id = id
        self.settings = settings
        self.announced: Callable[[], object] | None = None
        self.meanwhile: Callable[[], object] | None = None
        self._dialogue: Dialogue | None = None
        self._served: OrderedDict[str, set[str]] = OrderedDict()

    def send(self, parcel: Parcel) -> str:
        """The server's answer to the message. Raises DeliveryFailed."""
        sender = "" if self.settings.null_return_path else parcel.sender
        self._check(sender, parcel.recipients)
        served = self._served.get(parcel.message_id, set())
        missing = [recipient for recipient in dict.fromkeys(parcel.recipients) if recipient not in served]
        if not missing:
            return "250 delivered before"
        outcome = self._delivered(sender, missing, parcel.message)
        return self._result(parcel, missing, outcome)

    def probe(self) -> None:
        """Connect and log in, to see whether the settings are right. Raises DeliveryFailed."""
        self._connected()
        self.finish()

    def finish(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.quit()

    def _check(self, sender: str, recipients: tuple[str, ...]) -> None:
        bad = [address for address in (sender, *recipients) if address and not acceptable(address)]
        if bad or not recipients or "" in recipients:
            which = ascii(bad[0])[:100] if bad else "none given" if not recipients else "empty"
            raise DeliveryFailed(f"no usable address: {which}", code=553, permanent=True)

    def _delivered(self, sender: str, recipients: list[str], message: bytes) -> Outcome:
        """A connection kept from an earlier letter may have died meanwhile: then once more on a fresh one."""
        while True:
            dialogue, fresh = self._connected()
            data = on_the_wire(message)
            extras = self._extras(dialogue, sender, recipients, message, len(data))
            try:
                outcome = dialogue.deliver(
                    sender, recipients, data, extras, announced=self.announced, meanwhile=self.meanwhile
                )
            except Lost as loss:
                self._dialogue = None
                if fresh or dialogue.body_sent:
                    raise DeliveryFailed(self._where(dialogue, str(loss))) from None
                continue
            if self._closing(outcome):
                self._drop()
                if not fresh and not dialogue.body_sent:
                    continue
            return outcome

    def _connected(self) -> tuple[Dialogue, bool]:
        if self._dialogue is not None and self._dialogue.letters >= self.settings.letters_per_connection:
            self.finish()
        if self._dialogue is not None:
            return self._dialogue, False
        if self.announced is not None:
            self.announced()  # connecting may take long
        dialogue = Dialogue(self.settings)
        try:
            dialogue.open(self.settings.password.reveal() if self.settings.password else "")
        except Denied as denial:
            raise DeliveryFailed(f"{self.settings.host}: {denial}", code=denial.code) from None
        except (Lost, KefudError) as error:
            raise DeliveryFailed(f"{self.settings.host}: {error}") from None
        self._dialogue = dialogue
        return dialogue, True

    def _extras(self, dialogue: Dialogue, sender: str, recipients: list[str], message: bytes, size: int) -> str:
        """Parameters of MAIL. What the server cannot carry fails here, before it is sent."""
        extras = ""
        if "SIZE" in dialogue.can:
            extras += f" SIZE={size}"
            most = dialogue.can["SIZE"]
            if most.isdigit() and 0 < int(most) < size:
                raise DeliveryFailed(f"552 {size} bytes are more than the server takes ({most})", code=552, permanent=True)
        if not message.isascii():
            if "8BITMIME" not in dialogue.can:
                raise DeliveryFailed("554 the letter has 8-bit text and the server takes none", code=554, permanent=True)
            extras += " BODY=8BITMIME"
        if not all(address.isascii() for address in (sender, *recipients)):
            if "SMTPUTF8" not in dialogue.can:
                raise DeliveryFailed("553 the server takes no addresses with Chinese letters", code=553, permanent=True)
            extras += " SMTPUTF8"
        return extras

    def _result(self, parcel: Parcel, recipients: list[str], outcome: Outcome) -> str:
        if outcome.final is None or not outcome.final.good:
            answers = [outcome.final] if outcome.final else list(outcome.refused.values())
            text = str(outcome.final) if outcome.final else _listed(outcome.refused)
            raise DeliveryFailed(text, code=answers[0].code, permanent=_permanent(answers))
        if not outcome.refused:
            self._served.pop(parcel.message_id, None)
            return str(outcome.final)
        taken = {recipient for recipient in recipients if recipient not in outcome.refused}
        self._remember(parcel.message_id, taken)
        answers = list(outcome.refused.values())
        text = f"{_listed(outcome.refused)}; delivered to {', '.join(sorted(taken))}: {outcome.final}"
        raise DeliveryFailed(text, code=answers[0].code, permanent=_permanent(answers))

    def _remember(self, message_id: str, taken: set[str]) -> None:
        self._served.setdefault(message_id, set()).update(taken)
        while len(self._served) > REMEMBERED:
            self._served.popitem(last=False)

    def _where(self, dialogue: Dialogue, loss: str) -> str:
        if dialogue.body_sent:
            return f"{self.settings.host}: {loss} (after the message; it may have been taken)"
        return f"{self.settings.host}: {loss}"

    def _closing(self, outcome: Outcome) -> bool:
        answers = [*outcome.refused.values(), *([outcome.final] if outcome.final else [])]
        return any(answer.code == 421 for answer in answers)

    def _drop(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.drop()


def _permanent(answers: list[Answer]) -> bool:
    return bool(answers) and all(answer.code >= 500 and answer.code not in OUR_OWN_FAULT for answer in answers)


def _listed(refused: dict[str, Answer]) -> str:
    return "; ".join(f"{recipient}: {answer}" for recipient, answer in refused.items())
