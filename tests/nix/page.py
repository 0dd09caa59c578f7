"""docs/nixos.md: its reference is printed from the options. `python3 tests/nix/page.py` writes it."""
import pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from evaluate import ROOT, evaluate
from harness import Skip

PAGE = ROOT / "docs/nixos.md"
MARK = "<!-- printed from the options by scripts/generate; do not edit below -->\n"


def printed():
    return evaluate("packages.x86_64-linux.docs.text")


def compare():
    guide, mark, reference = PAGE.read_text().partition(MARK)
    assert mark, "the page has no mark"
    assert reference == printed(), "docs/nixos.md is not what the options say: run scripts/generate"


if __name__ == "__main__":
    try:
        PAGE.write_text(PAGE.read_text().partition(MARK)[0] + MARK + printed())
    except Skip as why:
        print(f"docs/nixos.md stays as it is: {why}", file=sys.stderr)
