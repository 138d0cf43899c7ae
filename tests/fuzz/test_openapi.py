"""The application keeps what its OpenAPI document says."""

from itertools import count
from typing import Any

import pytest

from magnum.api.versions import NEWEST, OLDEST, Version
from tests.fuzz.campaign import PHASES, Person, run
from tests.fuzz.world import World

FEW = 3
MANY = 40


@pytest.mark.parametrize("version", [OLDEST, NEWEST], ids=str)
def test_it_answers_as_described(
    application: Any,
    senders: list[Person],
    world: World,
    version: Version,
    seed: int,
    request: pytest.FixtureRequest,
) -> None:
    wanted = request.config.getoption("--cases")
    campaign = run(application, senders, version, seed, FEW, PHASES, world.prepare)
    for further in count(1):
        if campaign.cases >= wanted:
            break
        campaign.add(run(application, senders, version, seed + further, MANY, ("fuzzing", "stateful"), world.prepare))
    print(f"\nVersion {version}, SEED={seed}: {campaign.cases} requests, answered {campaign.answered()}")
    assert not campaign.findings, campaign.report()
