from digits_diffusion.data import load_halves
from digits_diffusion.scores import Reader, Similarity


def test_the_reader_reads_digits_that_it_has_not_seen() -> None:
    shown, _ = load_halves()
    correct = Reader().correct(shown.images, shown.labels)
    assert correct.shape == shown.labels.shape
    assert correct.mean() > 0.97
    assert Reader().correct(shown.images, (shown.labels + 1) % 10).mean() < 0.03


def test_similarity_is_greater_to_the_right_digit() -> None:
    shown, _ = load_halves()
    right = Similarity().similarity(shown.images, shown.labels)
    wrong = Similarity().similarity(shown.images, (shown.labels + 1) % 10)
    assert right.mean() > wrong.mean() + 0.1


def test_the_two_halves_share_no_image() -> None:
    shown, kept = load_halves()
    assert len(shown.labels) + len(kept.labels) == 1797
    assert len({i.numpy().tobytes() for i in (*shown.images, *kept.images)}) == 1797
