"""Scores that a test records, through the fixture."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Run


def test_torchmetrics_objects_bring_their_direction(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it="""
import pytest
class Accuracy:
    higher_is_better = True
    def update(self, *args): self.args = args
    def compute(self): return 0.5
class Undirected(Accuracy):
    higher_is_better = None
def test_it(pareto):
    metric = Accuracy()
    metric.update([1], [1])
    pareto.record("accuracy", metric)
    with pytest.raises(Exception, match="direction of 'other' is missing"):
        pareto.record("other", Undirected())
"""
    )
    session = run("--pareto")
    assert session.exit_code == 0, session.text


def test_a_number_beyond_every_float_is_refused(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile("def test_it(pareto): pareto.record('x', 10**400, better='lower')")
    session = run("--pareto")
    assert session.exit_code == 1
    assert "'x' is too large a number: no float holds it" in session.text


def test_a_broken_budget_fails(pytester: pytest.Pytester, run: "Run") -> None:
    source = """
import pytest
@pytest.mark.pareto(budget={{"score": ">= 0.9"}})
def test_it(pareto):
    pareto.record("score", [{score}] * 50, ids=range(50), better="higher", tolerance=0.1)
"""
    pytester.makepyfile(test_it=source.format(score=0.8))
    session = run("--pareto")
    assert session.exit_code == 1
    assert "score 0.8000, limit >= 0.9000" in " ".join(session.text.split())
    pytester.makepyfile(test_it=source.format(score=0.95))
    assert run("--pareto").exit_code == 0
