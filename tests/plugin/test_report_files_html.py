"""``--pareto-html`` in a session: the page is there, whatever the session came to."""

import pytest

TEST = """
import pytest

@pytest.mark.parametrize("size", [1, 2])
def test_it(pareto, size):
    pareto.record("<cost>", float(size), better="lower")
    pareto.record("gain", 3.0 * size, better="higher")
    assert size < 3
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "-p", "no:hypothesispytest")


def test_a_session_writes_its_page(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    done = pytester.runpytest_subprocess(
        "--pareto", "--pareto-html=out/report.html", "--pareto-missing=warn", *QUIET
    )
    assert done.ret == 0
    page = (pytester.path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "&lt;cost&gt;" in page
    assert "<cost>" not in page
    assert "yet (looked in pareto_baselines)" in page


def test_a_failing_session_writes_it_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST.replace("size < 3", "size < 2"))
    pytester.makeini("[pytest]\npareto_html = report.html")
    done = pytester.runpytest_subprocess("--pareto", "--pareto-missing=warn", *QUIET)
    assert done.ret == 1
    assert "test_it[1]" in (pytester.path / "report.html").read_text(encoding="utf-8")


def test_without_the_option_there_is_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    pytester.runpytest_subprocess("--pareto", "--pareto-missing=warn", *QUIET)
    assert not list(pytester.path.rglob("*.html"))
