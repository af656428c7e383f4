"""Tables as LaTeX."""

from __future__ import annotations

import pandas as pd

from derainbench.report.tables.table import Table

_WRITTEN_OUT = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def latex_escaped(text: str) -> str:
    """Text with the characters that mean something to LaTeX written out."""
    return text.translate(_WRITTEN_OUT)


def latex(table: Table, label: str) -> str:
    """A table as LaTeX, one line per row; greyed rows are grey.

    Args:
        table: with its caption.
        label: to refer to it.
    """
    if not table.grey:
        return table.view.to_latex(
            index=False, escape=True, caption=latex_escaped(table.caption), label=label
        )
    view = table.view.rename(columns=latex_escaped).map(latex_escaped)
    grey = [place in table.grey for place in range(len(view))]
    view.loc[grey] = view.loc[grey].map(
        lambda cell: f"\\textcolor{{gray}}{{{cell}}}" if cell else ""
    )
    body = view.to_latex(
        index=False, escape=False, caption=latex_escaped(table.caption), label=label
    )
    return f"% packages: booktabs, xcolor\n{body}"


def long_latex(table: Table, label: str) -> str:
    """A table as LaTeX: as wide as the page, cells wrapped, over several pages if need be."""
    if table.view.empty:
        return f"\\paragraph{{{latex_escaped(table.name)}}} {latex_escaped(table.caption)}\n"
    body = table.view.to_latex(
        index=False,
        escape=True,
        longtable=True,
        column_format=_column_format(table.view),
        caption=latex_escaped(table.caption),
        label=label,
    )
    return (
        "% packages: array, booktabs, longtable; best on a page in landscape\n"
        f"{{\\scriptsize\\setlength{{\\tabcolsep}}{{2pt}}\n{body}}}\n"
    )


def _column_format(view: pd.DataFrame) -> str:
    """Columns as wide as the square root of their longest cell asks, together one line."""
    longest = [max(int(view[column].str.len().max()), 4) ** 0.5 for column in view]
    share = [0.93 * width / sum(longest) for width in longest]
    return "".join(f">{{\\raggedright\\arraybackslash}}p{{{w:.3f}\\linewidth}}" for w in share)
