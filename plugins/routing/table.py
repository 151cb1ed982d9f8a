"""The routing table as data: which department leads a matter, who contributes, who must approve (RULES §2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kefud.api import Ticket


@dataclass(frozen=True, slots=True)
class Route:
    """One answer of the table."""

    department: str = ""
    handler: str = ""
    joint: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    approval: str = ""
    why: str = ""

    def over(self, other: Route) -> Route:
        """This route, with what it leaves open taken from ``other``."""
        return Route(
            self.department or other.department,
            self.handler or other.handler,
            tuple(dict.fromkeys((*other.joint, *self.joint))),
            tuple(dict.fromkeys((*other.copies, *self.copies))),
            self.approval or other.approval,
            ";".join(filter(None, (other.why, self.why))),
        )


class Table:
    """routes.toml, with the administrator's changes laid over it."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    def route(self, ticket: Ticket) -> Route:
        """Department, handler and helpers for a ticket; every kind and category has an answer (S2-4.2)."""
        if ticket.has("outside_scope") and not ticket.house:
            return self._elsewhere(ticket)
        route = self._plain(ticket)
        if ticket.kind not in ("praise", "document"):
            route = self._by_topic(ticket, route)
            route = self._by_staff(ticket, route)
        if ticket.kind in ("complaint", "repair"):
            route = self._by_weight(ticket, route)
        return route

    def _elsewhere(self, ticket: Ticket) -> Route:
        """What lies in another estate stays with us until a person decides; a house given to it makes it ours (S0-2.0)."""
        estate = ticket.fields.get("outside_estate") or "其他小区"
        found = _route(self.data["special"]["outside_scope"], f"所述地点为{estate},不在本小区")
        return found.over(Route(handler=self.data["handlers"][ticket.kind]))

    def _plain(self, ticket: Ticket) -> Route:
        if ticket.has("inspection"):
            inspected = str(ticket.fields.get("inspected") or "property_company")
            return Route(inspected, self.data["handlers"]["complaint"], why="巡查发现,限期整改")
        routes = self.data["routes"].get(ticket.category) or self.data["routes"]["general"]
        found = routes.get(ticket.kind) or self.data["kinds"].get(ticket.kind) or routes["default"]
        handler = self.data["handlers"][ticket.kind]
        if ticket.kind == "repair" and ticket.category in ("certificate", "utility_fee"):
            found = {**found, "approval": ""}
        return _route(found, f"{ticket.category}/{ticket.kind}").over(Route(handler=handler))

    def _by_topic(self, ticket: Ticket, route: Route) -> Route:
        topic = ticket.fields.get("topic", "")
        if topic == "club" and ticket.category != "general" and ticket.kind in ("complaint", "suggestion", "consultation"):
            joint = self.data["topics"].get("club", {}).get("joint", ())
            return replace(route, joint=tuple(dict.fromkeys((*route.joint, *joint))))
        applies = ticket.category == "general" if topic == "club" else ticket.kind == "consultation"
        found = self.data["topics"].get(topic) if applies else None
        return _route(found, f"涉及{topic}").over(route) if found else route

    def _by_staff(self, ticket: Ticket, route: Route) -> Route:
        if ticket.kind != "complaint" or ticket.category not in ("attitude", "sales_service", "general"):
            return route
        found = self.data["accused"].get(ticket.fields.get("accused", ""))
        return _route(found, "被反映的是本单位人员" if "handler" in found else "").over(route) if found else route

    def _by_weight(self, ticket: Ticket, route: Route) -> Route:
        special = self.data["special"]
        if ticket.has("major_quality"):
            route = _route(special["major_quality"], "重大质量").over(route)
        if ticket.dispute and route.handler != "leader_in_charge":
            route = _route(special["dispute"], "纠纷").over(route)
        if ticket.urgency == "emergency":
            route = _route(special["emergency"], "紧急事件由物业到场").over(route)
        return route


def _route(data: Mapping[str, Any], why: str) -> Route:
    return Route(
        data.get("department", ""),
        data.get("handler", ""),
        tuple(data.get("joint", ())),
        tuple(data.get("copies", ())),
        data.get("approval", ""),
        why,
    )


def merged(data: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """``more`` laid over ``data``, table by table."""
    result = dict(data)
    for key, value in more.items():
        have = result.get(key)
        result[key] = merged(have, value) if isinstance(value, Mapping) and isinstance(have, Mapping) else value
    return result
