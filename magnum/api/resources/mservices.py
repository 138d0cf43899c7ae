"""Magnum's own services: which conductors there are, and which of them are at work."""

from datetime import datetime

from sqlalchemy import select
from wsme import types as wtypes

from magnum.api import views
from magnum.api.call import Answer, Call
from magnum.api.fields import Field, Use, fields_of
from magnum.api.shapes import Listing, Object, Reply
from magnum.api.types import Boolean, Choice, Text, Timestamp, Whole
from magnum.common import clock
from magnum.db import models

_MOST = 2**31 - 1


class MServiceFields(wtypes.Base):
    """A service. Whether it is up is found out when it is asked for, and stored nowhere."""

    id = Field(Whole(1, _MOST), use=Use.SHOWN)
    host = Field(Text(255), use=Use.SHOWN)
    binary = Field(Text(64), use=Use.SHOWN)
    state = Field(Choice("up", "down"), use=Use.SHOWN)
    report_count = Field(Whole(0, _MOST), use=Use.SHOWN, text="How many times it said that it is at work.")
    disabled = Field(Boolean(), use=Use.SHOWN)
    disabled_reason = Field(Text(255), use=Use.SHOWN)
    created_at = Field(Timestamp(), use=Use.SHOWN)
    updated_at = Field(Timestamp(), use=Use.SHOWN)


LISTED = (Reply(200, Listing("mservices", Object(MServiceFields), paged=False)),)
_STORED = tuple(name for name in fields_of(MServiceFields) if name != "state")


class MServices:
    """What is answered under /v1/mservices."""

    def list(self, call: Call) -> Answer:
        """All services of this Magnum, for its operators."""
        call.allow("magnum-service:get_all")
        with call.services.database.reader() as session:
            rows = session.scalars(select(models.MagnumService).order_by(models.MagnumService.id)).all()
        patience, now = call.services.conf.conductor.service_down_time, clock.now()
        return Answer({"mservices": [{**_view(row), "state": _state(row, now, patience)} for row in rows]})


def _view(row: models.MagnumService) -> dict[str, object]:
    view = {name: getattr(row, name) for name in _STORED}
    return {**view, "created_at": views.timestamp(row.created_at), "updated_at": views.timestamp(row.updated_at)}


def _state(row: models.MagnumService, now: datetime, patience: float) -> str:
    heard = row.last_seen_up or row.updated_at or row.created_at
    silent = abs((now - heard).total_seconds()) > patience
    return "down" if row.forced_down or silent else "up"
