"""YAML, JSON and tables that nobody expects: read, or refused in one line, and never waited for."""

import os
from pathlib import Path

import pytest
from helpers import one_line, refusal

from derainbench.catalog.files import read_yaml as catalogue_yaml
from derainbench.catalog.recipes import load_recipe
from derainbench.config.schema import load
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import read_yaml
from derainbench.results.reading import read_json as read_result
from derainbench.results.reading import read_table


def aliases(start: str, more: str) -> str:
    """Nine lines, each of which names the one before ten times."""
    lines = [start] + [
        more.format(f"{chr(98 + i)}: &{chr(98 + i)}", ", ".join([f"*{chr(97 + i)}"] * 10))
        for i in range(9)
    ]
    return "\n".join(lines)


ODD_YAML = {
    "deep list": "a: " + "[" * 100_000,
    "deep mapping": "{a: " * 2000,
    "deep block": "- " * 5000,
    "aliases": aliases("a: &a [1, 2]", "{} [{}]"),
    "merged aliases": aliases("a: &a {k: 1}", "{} {{<<: [{}]}}"),
    "itself": "a: &a [*a]",
    "key twice": "name: x\nname: y",
    "key twice inside": "a: {b: {c: 1, c: 2}}",
    "huge number": "a: " + "9" * 5000,
    "huge hexadecimal": "a: 0x" + "f" * 5000,
    "tab": "a:\n\tb: 1",
    "zero byte": "a: \0",
    "no day": "a: 2024-13-45",
    "list as key": "? [1]\n: 2",
    "unknown alias": "a: *b",
    "object": "a: !!python/object/apply:os.system [ls]",
    "two documents": "a: 1\n---\nb: 2",
    "list": "- a: 1",
    "no number": "a: 0b_",
    "UTF-16": "a: 1".encode("utf-16"),
    "Latin-1": "a: ü".encode("latin-1"),
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("kind", ODD_YAML)
def test_odd_yaml_is_refused_in_one_line(kind, tmp_path):
    path, content = tmp_path / "my.yaml", ODD_YAML[kind]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for reader in (read_yaml, load, lambda p: load_recipe(str(p)), catalogue_yaml):
        if kind == "list" and reader is catalogue_yaml:
            continue
        with pytest.raises(BenchError) as refused:
            reader(path)
        assert one_line(refused.value).startswith(f"{path}: ")
        assert len(str(refused.value)) < 400


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path):
    (tmp_path / "my.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read_yaml(tmp_path / "my.yaml") == {"a": 1}


def test_merged_and_repeated_parts_of_a_file_are_fine(tmp_path):
    (tmp_path / "my.yaml").write_text("a: &a {b: 1, c: 2}\nd: {<<: *a, b: 3}\ne: [*a, *a]\n")
    assert read_yaml(tmp_path / "my.yaml")["d"] == {"b": 3, "c": 2}


@pytest.mark.parametrize("reader", [read_yaml, load, read_result, read_table, catalogue_yaml])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_reading_never_comes_to_the_end_of_is_refused(reader, kind, tmp_path):
    path = tmp_path / "my.yaml"
    {"pipe": os.mkfifo, "device": lambda p: p.symlink_to("/dev/zero"), "folder": Path.mkdir}[kind](
        path
    )
    with pytest.raises(BenchError) as refused:
        reader(path)
    assert one_line(refused.value).startswith(f"{path}: is a {kind}")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": ' * 100 + "1" + "}" * 100, "9" * 5000, "{", ""]
)
def test_odd_json_of_results_is_refused_in_one_line(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BenchError) as refused:
        read_result(tmp_path / "a.json")
    assert one_line(refused.value).startswith(f"{tmp_path}/a.json: damaged JSON")


@pytest.mark.parametrize("content", [b"", b'a,b\n"1', b"a\n1,2\n3,4,5\n", bytes(range(256))])
def test_an_odd_table_of_results_is_refused_in_one_line(content, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(BenchError) as refused:
        read_table(tmp_path / "a.csv")
    assert one_line(refused.value).startswith(f"{tmp_path}/a.csv: not a CSV table")


@pytest.mark.parametrize("option", ["--kwarg", "--set"])
@pytest.mark.parametrize("kind", [k for k, text in ODD_YAML.items() if isinstance(text, str)])
def test_odd_values_on_the_command_line_are_refused_in_one_line(option, kind, cli, tmp_path):
    text = refusal(
        cli(
            *("train", "--model", "prn", "--data", tmp_path / "set", "--out", tmp_path / "out"),
            *(option, f"epochs={ODD_YAML[kind]}"),
        ),
        1 if kind == "list" else 2,
    )
    assert len(text) < 600


@pytest.mark.parametrize("seed", ["-1", "1099511627776", "9" * 30, "9" * 5000, "1.5", "x"])
@pytest.mark.parametrize(
    "verb",
    [
        ("train", "--model", "prn", "--data", "d"),
        ("data", "synthesise", "light"),
        ("data", "recomposite", "--layers", "a", "--clean", "b"),
    ],
    ids=lambda verb: verb[-1],
)
def test_an_odd_seed_is_refused_in_one_line(verb, seed, cli, tmp_path):
    assert "--seed" in refusal(cli(*verb, "--out", tmp_path / "out", f"--seed={seed}"), 2)


def test_a_home_folder_may_follow_an_equals_sign(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    done = cli(
        "data",
        "synthesise",
        "light",
        "--out=~/s t",
        "--size=32",
        "--train=2",
        "--val=1",
        "--test=1",
    )
    assert done.code == 0
    assert (tmp_path / "s t" / "dataset.json").is_file()
