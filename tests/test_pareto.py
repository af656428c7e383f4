"""Names of the figure of parameters against PSNR: beside the circles, or by number in a key."""

import pytest
from invented import results

from derainbench.report.figures import pareto


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = results(tmp_path)
    titles = [*pareto.pareto_points(config)["title"], *pareto.published_points(config)["title"]]

    def draw(fit: int):
        monkeypatch.setattr(pareto, "NAMES_THAT_FIT", fit)
        figure = pareto.pareto(config)
        return [text.get_text() for text in figure.axes[0].texts], figure.legends

    return titles, draw


def test_few_networks_are_named_beside_their_circles(drawn):
    titles, draw = drawn
    names, keys = draw(len(titles))
    assert set(titles) <= set(names) and keys == []


def test_more_are_numbered_and_the_key_names_every_number(drawn):
    titles, draw = drawn
    names, [key] = draw(len(titles) - 1)
    wanted = [f"{number}  {title}" for number, title in enumerate(titles, 1)]
    assert [text.get_text().replace("\n", " ") for text in key.get_texts()] == wanted
    assert {str(number) for number in range(1, len(titles) + 1)} <= set(names)
    assert not set(titles) & set(names)
