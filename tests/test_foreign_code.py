"""No file of others can run code here, and nothing but what fetches can reach a network."""

import ast

import pytest
from helpers import ROOT

FOLDERS = ("derainbench", "esdnet", "baselines", "benchmarks", "tools")
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
# Modules that make objects, and with them run code, out of bytes.
UNPICKLING = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NETWORK = {
    "requests",
    "urllib3",
    "gdown",
    "socket",
    "http",
    "ftplib",
    "httpx",
    "aiohttp",
    "smtplib",
}
NETWORK |= {"huggingface_hub", "urllib.request", "torch.hub"}
FETCHING = {
    "derainbench/data/acquisition/download.py",
    "derainbench/data/acquisition/drive_folders.py",
}
LOCAL = {  # sockets of this machine alone
    "derainbench/workflow/fork_call.py",
    "derainbench/workflow/fork_server.py",
    "tools/slurm_node.py",
}


def name_of(node: ast.AST) -> str:
    """``torch.load`` for the node of ``torch.load``."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imports(nodes: list[ast.AST]) -> set[str]:
    """Modules that are imported, and names taken out of them: ``torch``, ``torch.hub``."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def is_among(name: str, modules: set[str]) -> bool:
    """Whether a name is one of the modules, or lies in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def unsafe_reads(source: str) -> list[str]:
    """What in a program may run code out of a file, in words."""
    return unsafe_among(list(ast.walk(ast.parse(source))))


def unsafe_among(nodes: list[ast.AST]) -> list[str]:
    """The same of the nodes of its syntax tree."""
    found = []
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        name = name_of(call.func)
        words = {k.arg: ast.unparse(k.value) for k in call.keywords}
        if (
            name.endswith(("torch.load", "serialization.load"))
            and words.get("weights_only") != "True"
        ):
            found.append(f"{ast.unparse(call)}: without weights_only=True")
        if words.get("allow_pickle", "False") != "False":
            found.append(f"{ast.unparse(call)}: unpickles")
        if name.split(".")[-1] in {"read_pickle", "unsafe_load", "full_load", "add_safe_globals"}:
            found.append(f"{name}: runs what it reads")
        if name in {"eval", "exec"} or name.startswith(("torch.hub.", "torch.jit.load")):
            found.append(f"{name}: runs what it reads")
    imported = imports(nodes)
    used = {name_of(node) for node in nodes if isinstance(node, ast.Attribute)}
    found += [name for name in sorted(imported | used) if is_among(name, UNPICKLING)]
    found += sorted(imported & {"torch.load", "numpy.load"})
    return [line for line in found if line not in {"pickle", "pickle.UnpicklingError"}]


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=trusted)",
        "import joblib",
        "import pickle; pickle.load(stream)",
        "from pickle import loads",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "torch.hub.load('a', 'b')",
        "eval(text)",
    ],
)
def test_every_way_to_run_code_out_of_a_file_is_recognised(line):
    assert unsafe_reads(line)
    assert not unsafe_reads("torch.load(path, weights_only=True); np.load(path); model.eval()")


@pytest.fixture(scope="module")
def programs():
    """The nodes of every program's syntax tree, by its path."""
    return {
        file.relative_to(ROOT).as_posix(): list(ast.walk(ast.parse(file.read_text("utf-8"))))
        for file in FILES
    }


def test_nothing_is_unpickled(programs):
    assert len(programs) > 200
    found = {name: unsafe_among(nodes) for name, nodes in programs.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_only_the_modules_that_fetch_can_reach_a_network(programs):
    assert {
        name
        for name, nodes in programs.items()
        if any(is_among(module, NETWORK) for module in imports(nodes))
    } == FETCHING | LOCAL
