"""Evaluations: reproducible outputs per sample, failing metrics, looks, progress."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Looks
from pytest_pareto.scoring import Evaluation, Score, evaluate

IDS = [f"p{n}" for n in range(50)]


def noise(samples: Sequence[str], generator: Sequence[torch.Generator]) -> Any:
    return torch.stack([torch.rand(4, generator=g) for g in generator])


def first(output: Any, target: Any) -> Any:
    return output[0]


FIRST = {"first": Score(first, better="higher")}


@pytest.mark.parametrize("batch_size", [3, 50, 200])
def test_scores_do_not_depend_on_the_batch_size_or_other_samples(batch_size: int) -> None:
    alone = evaluate(noise, IDS, metrics=FIRST)
    assert evaluate(noise, IDS, metrics=FIRST, batch_size=batch_size).scores == alone.scores
    more = evaluate(noise, ["new", *IDS], metrics=FIRST, batch_size=batch_size)
    assert {key: more.scores["first"][key] for key in IDS} == alone.scores["first"]


def test_the_check_fails_with_one_generator_for_all_samples() -> None:
    shared = torch.Generator()

    def shared_generator(samples: Sequence[str], generator: Any) -> Any:
        return torch.rand(len(samples), 4, generator=shared)

    before = evaluate(shared_generator, IDS, metrics=FIRST).scores
    assert evaluate(shared_generator, IDS, metrics=FIRST, batch_size=7).scores != before


def test_a_pipeline_gets_the_generators_of_its_batch() -> None:
    class Pipeline:
        @torch.no_grad()  # type: ignore[untyped-decorator]  # as torch is
        def __call__(self, prompt: list[str], *, generator: Any = None) -> Any:
            assert [g.device.type for g in generator] == ["cpu"] * len(prompt)
            pixels = [int(torch.randint(256, (), generator=g)) for g in generator]
            return SimpleNamespace(images=[Image.new("L", (2, 2), p) for p in pixels])

    def grey(image: Any, prompt: str) -> float:
        return float(image.getpixel((0, 0)))

    result = evaluate(Pipeline(), IDS, metrics={"grey": Score(grey, better="lower")}, batch_size=8)
    assert len(set(result.scores["grey"].values())) > 30


def test_given_seeds_are_passed_unchanged() -> None:
    def with_seeds(samples: Sequence[str], seeds: list[int]) -> list[int]:
        return seeds

    metrics = {"seed": Score(lambda output, target: output, better="higher")}
    found = evaluate(with_seeds, ["a", "b"], metrics=metrics, seeds=[7, 8])
    assert found.scores["seed"] == {"a": 7, "b": 8}
    several = evaluate(
        with_seeds, ["a", "b"], metrics=metrics, seeds=[(1, 2), (3, 6)], batch_size=3
    )
    assert several.scores["seed"] == {"a": 1.5, "b": 4.5}
    assert several.used == 2
    with pytest.raises(ParetoError, match="no parameter 'generator'"):
        evaluate(len, ["a"], metrics=metrics, seeds=2)


def test_a_mean_over_seeds_is_one_score_per_prompt() -> None:
    result = evaluate(noise, IDS, metrics=FIRST, seeds=4, batch_size=6, keep_outputs=True)
    assert result.outputs is not None
    outputs = result.outputs["p3"]
    assert len(outputs) == 4
    assert result.scores["first"]["p3"] == pytest.approx(np.mean([float(o[0]) for o in outputs]))


def scored(**metrics: Any) -> Evaluation:
    return evaluate(noise, IDS, metrics={**FIRST, **metrics}, batch_size=8)


def raises(output: Any, target: str) -> float:
    if target == "p37":
        raise ValueError("no face found")
    return 1.0


def returns(value: Any) -> Any:
    return lambda output, target: value if target == "p37" else 1.0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (raises, r"'bad' raised ValueError \(no face found\) at sample 'p37'"),
        (
            returns(torch.ones(3)),
            r"'bad' returned Tensor of shape \(3,\) at sample 'p37'; one number",
        ),
        (returns([1, 2]), "'bad' returned list of length 2 at sample 'p37'"),
        (returns(float("nan")), "'bad' is nan at sample 'p37'; a finite number"),
        (returns(np.inf), "'bad' is inf at sample 'p37'"),
        (returns("good"), "'bad' returned str 'good' at sample 'p37'"),
        (returns(None), "'bad' returned NoneType None at sample 'p37'"),
    ],
)
def test_a_metric_that_fails_is_named_and_the_others_are_kept(broken: Any, message: str) -> None:
    result = scored(bad=Score(broken, better="higher"))
    good, bad = result.measurements
    assert good.values == scored().measurements[0].values
    assert bad.broken
    with pytest.raises(ParetoError, match=message):
        result.check()
    with pytest.raises(ParetoError, match=message):
        result.mean("bad")
    result.check("first")
    assert result.mean("first") == pytest.approx(np.mean(good.values))


def test_the_cause_is_chained() -> None:
    with pytest.raises(ParetoError) as caught:
        scored(bad=Score(raises, better="higher")).check()
    assert isinstance(caught.value.__cause__, ValueError)


def test_every_metric_that_failed_is_named() -> None:
    bad = Score(raises, better="higher")
    result = evaluate(noise, IDS, metrics={"bad": bad, "worse": bad})
    with pytest.raises(ParetoError, match=r"(?s)2 metrics failed.*'bad'.*'worse'"):
        result.check()


@pytest.mark.parametrize("value", [1, 1.0, True, np.float32(1), torch.tensor([1.0])])
def test_any_value_with_one_number_is_a_score(value: Any) -> None:
    assert scored(good=Score(returns(value), better="higher")).scores["good"]["p37"] == 1.0


def test_a_batch_is_scored_at_once() -> None:
    def mean(outputs: Any, targets: Sequence[str]) -> Any:
        assert outputs.shape == (len(targets), 4)
        return outputs.mean(1)

    result = scored(mean=Score(mean, better="higher", over="batch"))
    one = scored(mean=Score(lambda output, target: output.mean(), better="higher"))
    assert result.scores["mean"] == pytest.approx(one.scores["mean"])


def test_a_batch_with_another_number_of_scores_is_broken() -> None:
    result = scored(
        mean=Score(lambda outputs, targets: outputs.mean(), better="lower", over="batch")
    )
    assert "over='batch' needs one number for each of the 8 samples" in str(
        result.measurements[1].absent
    )


SET = Score(lambda x: float(x.std()), better="lower", over="set", features=lambda o, t: o)


def evaluate_with_looks(
    decided_at: int, **metrics: Any
) -> tuple[Evaluation, list[tuple[int, int]]]:
    seen: list[tuple[int, int]] = []

    def decide(looks: Looks, scores: Mapping[str, Mapping[str, float]]) -> bool:
        seen.append((looks.used, len(scores["first"])))
        return looks.at == decided_at

    result = evaluate(
        noise, IDS, metrics={**FIRST, **metrics}, batch_size=16, stop="decided", decide=decide
    )
    return result, seen


def test_it_stops_at_the_look_that_decides() -> None:
    result, seen = evaluate_with_looks(2)
    assert seen == [(10, 10), (20, 20)]
    assert (result.used, result.planned) == (20, 50)
    (measurement,) = result.measurements
    assert measurement.looks is not None
    assert (measurement.looks.at, measurement.looks.planned) == (2, 5)
    whole = evaluate(noise, IDS, metrics=FIRST).scores["first"]
    assert result.scores["first"] == {key: whole[key] for key in result.scores["first"]}
    assert list(result.scores["first"]) == [key for key in IDS if key in result.scores["first"]]
    assert list(result.scores["first"]) != IDS[:20]


def test_without_a_decision_it_uses_all_samples() -> None:
    result, seen = evaluate_with_looks(0)
    assert [used for used, _ in seen] == [10, 20, 30, 40, 50]
    assert result.measurements[0].looks is not None
    assert result.measurements[0].looks.complete
    assert list(result.scores["first"]) == IDS
    undecided = evaluate(noise, IDS, metrics=FIRST, stop="decided")
    assert undecided.scores == result.scores
    assert undecided.measurements[0].looks is None  # no look was taken
    assert evaluate(noise, IDS, metrics=FIRST).measurements[0].looks is None


def test_a_metric_of_the_set_needs_the_whole_set() -> None:
    result, seen = evaluate_with_looks(2, whole=SET)
    assert not seen
    assert result.used == 50
    assert result.measurements[1].whole == result.whole["whole"]
    ungated = Score(SET.fn, better="lower", over="set", features=SET.features, gate=False)
    result, seen = evaluate_with_looks(2, whole=ungated)
    assert result.used == 20
    assert result.measurements[1].absent == "the evaluation stopped after 20 of 50 samples"
    assert not result.measurements[1].broken
    assert not result.failures


def test_grades_are_ordinal() -> None:
    result = scored(grade=Score(lambda output, target: 3, better="higher", ordinal=True))
    assert result.measurements[1].metric.kind is Kind.ORDINAL
    assert set(result.measurements[1].values) == {3.0}


def test_the_first_image_of_each_sample_is_kept() -> None:
    kept: list[str] = []

    def pictures(samples: Sequence[str], seeds: list[int]) -> list[Any]:
        return [Image.new("L", (2, 2)) if sample != "p1" else 3.0 for sample in samples]

    metrics = {"one": Score(returns(1.0), better="higher")}
    evaluate(pictures, IDS[:4], metrics=metrics, seeds=2, keep=lambda key, image: kept.append(key))
    assert kept == ["p0", "p2", "p3"]


def test_progress_is_called_after_each_batch() -> None:
    calls: list[tuple[int, int]] = []
    evaluate(
        noise,
        IDS[:10],
        metrics=FIRST,
        seeds=2,
        batch_size=6,
        progress=lambda done, total, elapsed_s: calls.append((done, total)),
    )
    assert calls == [(3, 10), (6, 10), (9, 10), (10, 10)]


def test_the_repr_has_a_line_per_metric() -> None:
    result = scored(bad=Score(raises, better="higher"), whole=SET)
    lines = repr(result).splitlines()
    assert lines[0] == "Evaluation of 50 samples"
    assert "mean of 50 from" in lines[1]
    assert lines[2] == "  bad    BROKEN: 'bad' raised ValueError (no face found) at sample 'p37'"
    assert "of the whole set, lower is better" in lines[3]
    assert repr(evaluate_with_looks(2)[0]).startswith("Evaluation of 20 of 50 samples")
    with pytest.raises(ParetoError, match="one number of the whole set; those that have: first"):
        result.mean("whole")
    with pytest.raises(ParetoError, match="it is not here"):
        result.mean("whol")
