"""cuDNN has a plan for every convolution of the zoo: it was asked for all of them, and cudnn_plans.txt has the answers."""

from __future__ import annotations

import pytest
from cudnn_plans import PRECISIONS, nets, sites, table

from netcompiler import zoo
from netcompiler.targets.cuda.convolutions import MOST_ROOM

COMMAND = "`make cudnn` asks for it, too"


def asked(net: str, precision: str) -> None:
    new = [site for site in sites(net, precision) if site.digest not in table().asked]
    assert not new, COMMAND


def test_every_net_was_asked_for_in_every_precision() -> None:
    assert [(row.net, row.precision) for row in table().rows] == [(net, precision) for net in nets() for precision in PRECISIONS], COMMAND


def test_each_convolution_has_a_plan_within_its_workspace() -> None:
    for row in table().rows:
        assert row.workspace <= MOST_ROOM
        assert row.fewest > 0 or not row.sites, f"{row.net} in {row.precision} has a convolution without a plan"


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("net", zoo.names())
def test_a_net_asks_what_was_asked(net: str, precision: str) -> None:
    asked(net, precision)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("net", nets())
def test_every_variant_asks_what_was_asked(net: str, precision: str) -> None:
    asked(net, precision)
