"""What the energy accounts say: tables, and figures by block, depth, firing rate and scenario."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from derainbench import provenance
from derainbench.config import Config
from derainbench.energy import account
from derainbench.energy.counting import SILENT, SPIKES
from derainbench.energy.scenarios import (
    DEFAULT_COSTS,
    PJ_PER_MJ,
    cost_tables,
    scenarios,
    work,
)
from derainbench.files import staged_folder
from derainbench.report import collect
from derainbench.report.cells import Table, captioned, number
from derainbench.report.style import palette, save, style

TWIN = "esdnet-ann"
SHOWN_RIVALS = (TWIN, "prenet", "mprnet", "restormer", "drsformer", "nafnet")
CLAIMED_SAVING = 0.54  # the paper's abstract; against which network is not said
PARTS = ("MACs, analog input", "SOPs, spikes", "attention", "membrane", "other")


def answers(config: Config, name: str) -> pd.DataFrame:
    """A table of ``derainbench scenarios``: "energy", "savings" or "sensitivity"."""
    return collect.read_table(Path(config.results) / "scenarios" / f"{name}.csv")


def plain(table: pd.DataFrame, costs: str = DEFAULT_COSTS) -> pd.DataFrame:
    """Rows of one cost table, nothing reused and no zero skipped."""
    return table[(table["costs"] == costs) & ~table["reuse"] & ~table["zero_skipping"]]


def saving_text(row: pd.Series) -> str:
    """``-21 % [-23, -20]``."""
    if pd.isna(row["saving"]):
        return ""
    interval = "" if pd.isna(row["low"]) else f" [{row['low']:.0%}, {row['high']:.0%}]"
    return f"{row['saving']:+.0%}{interval.replace('%', '')}".replace("%", " %")


def break_even_text(row: pd.Series) -> str:
    """The firing rate below which a spiking network is cheaper, or why there is none."""
    if row["fixed_share"] >= 1:
        return f"none: fixed part {row['fixed_share']:.2f}x"
    rate = row["break_even_rate"]
    return "every rate" if rate >= 1 else f"{rate:.3f}"


def over_seeds(savings: pd.DataFrame) -> pd.Series:
    """Savings of one run against another, of every seed: their mean, and the hull of intervals."""
    return pd.Series(
        {
            "saving": savings["saving"].mean(),
            "low": savings["low"].min(),
            "high": savings["high"].max(),
        }
    )


def savings(config: Config) -> Table:
    """Energy saved by every spiking run against every other run, under every scenario."""
    frame = answers(config, "savings")
    frame.insert(0, "configuration", config.name)
    measured = plain(frame[frame["source"] == "measured"])
    run, bits = measured["name"].str.partition("/")[0], measured["rival_bits"].fillna(0)
    view = [
        {
            "Spiking network": own["title"].iloc[0],
            "Rival": rival,
            "Firing rate": number(own["rate"].mean(), 3),
            **{
                f"({s})": saving_text(over_seeds(own[own["scenario"] == s]))
                for s in scenarios()
                if (own["scenario"] == s).any()
            },
        }
        for (_, rival, _), own in measured.groupby([run, "rival_title", bits], sort=False)
    ]
    caption = captioned(
        config,
        "energy saved per image (negative: spent) at the measured firing rate, mean over the images "
        "counted and its 95 % bootstrap interval; of several seeds the mean, and the lowest and "
        f"highest bound. Costs {DEFAULT_COSTS}; nothing reused, no zero "
        f"skipped; the CSV has every cost table and option. {_scenario_text()}",
    )
    if measured.empty:
        caption += " Empty: this configuration runs no spiking network beside another one."
    return Table("savings", caption, frame, pd.DataFrame(view))


def break_even(config: Config) -> Table:
    """Full-size ESDNet against every registered network, from the structure alone."""
    frame = answers(config, "savings")
    frame = frame[frame["source"] == "structure"].drop(columns=["saving", "low", "high", "rate"])
    frame.insert(0, "configuration", config.name)
    chosen = frame[
        ((frame["costs"] == DEFAULT_COSTS) | frame["rival_bits"].notna()) & ~frame["zero_skipping"]
    ]
    view = [
        {
            "Spiking network": title,
            "Rival": rival,
            "Costs": costs,
            **{
                f"({r['scenario']}){', reuse' if r['reuse'] else ''}": break_even_text(r)
                for _, r in rows.iterrows()
            },
        }
        for (title, rival, costs), rows in chosen.groupby(
            ["title", "rival_title", "costs"], sort=False
        )
    ]
    caption = (
        "Mean firing rate below which the full-size spiking network takes less energy than its "
        "rival, for one 256x256 image, from the structure alone. None: what no firing rate changes "
        "already costs the given multiple of the rival's whole energy. Reuse: what is constant "
        "over the time steps is computed once. Quantised rivals have as many activation levels as "
        f"the time steps tell apart, with 8-bit weights. {_scenario_text()}"
    )
    return Table("break_even", caption, frame, pd.DataFrame(view))


def crosscheck(config: Config) -> Table:
    """Our operation counts beside those of other counters."""
    frame = collect.read_table(Path(config.results) / "crosscheck" / "crosscheck.csv")
    frame.insert(0, "configuration", config.name)
    caption = (
        "Operation counts of other counters beside ours, at full size on freshly drawn weights, at "
        "256x256 or, where a counter looks at values, 32x32. Every difference is explained layer by "
        "layer in crosscheck/crosscheck-layers.csv; unexplained: what is left. thop goes by "
        "exact layer types and does not see spikingjelly's: its parameters of ESDNet are the "
        "likely origin of the 0.165 M in circulation."
    )
    view = [
        {
            "Model": row["model"],
            "Counter": f"{row['counter']} {row['version']}"
            if row["version"] == row["version"]
            else row["counter"],
            "Size": row["size"],
            "GMACs": number(row["macs"] / 1e9, 3),
            "Ours": number(row["macs_ours"] / 1e9, 3),
            "Ratio": number(row["ratio"], 4),
            "Unexplained": ""
            if pd.isna(row["unexplained"])
            else number(row["unexplained"])
            if row["unexplained"]
            else "none",
            "Parameters": number(row["parameters"]),
            "Status": row["status"],
        }
        for _, row in frame.iterrows()
    ]
    return Table("crosscheck", caption, frame, pd.DataFrame(view))


def joules(config: Config) -> Table:
    """Energy really drawn, where it was measured."""
    rows = []
    for entry in collect.entries(config):
        file = Path(config.results) / "joules" / entry.run / f"{entry.variant}.json"
        if not file.is_file():
            continue
        found = collect.read_json(file)
        row = {
            "configuration": config.name,
            "method": entry.title,
            "variant": entry.variant,
            "device": found["device"],
            "size": "x".join(map(str, found["size"])),
            "status": found["status"],
            "reason": found.get("reason", ""),
        }
        for part, drawn in found.get("parts", {}).items():
            row |= {
                f"joules_{part}": drawn["joules_per_image"],
                f"lowest_{part}": drawn["lowest"],
                f"highest_{part}": drawn["highest"],
            }
        rows.append(row)
    frame = pd.DataFrame(rows)
    caption = captioned(
        config,
        "energy drawn per image above idle by present hardware (NVML, RAPL): median of several "
        "repetitions, lowest and highest. It says nothing about neuromorphic hardware and is not "
        "comparable with the account above.",
    )
    if frame.empty:
        caption += " Not measured: `snakemake --cores all all_joules` does it, after all else."
    parts = [c.removeprefix("joules_") for c in frame.columns if c.startswith("joules_")]
    view = [
        {
            "Method": row["method"],
            "Device": row["device"],
            "Size": row["size"],
            **{
                f"{part} (J)": ""
                if pd.isna(row[f"joules_{part}"])
                else f"{row[f'joules_{part}']:.3g} [{row[f'lowest_{part}']:.3g}, "
                f"{row[f'highest_{part}']:.3g}]"
                for part in parts
            },
            "Status": f"{row['status']}: {row['reason']}" if row["reason"] else row["status"],
        }
        for _, row in frame.iterrows()
    ]
    return Table("joules", caption, frame, pd.DataFrame(view))


def estimators(config: Config) -> Table:
    """spikingjelly's energy estimators on spiking runs and their twins, mean over images."""
    tables = []
    for entry in collect.entries(config):
        file = Path(config.results) / "estimators" / entry.run / f"{entry.variant}.csv"
        if file.is_file():
            named = {"run": entry.run, "title": entry.title, "variant": entry.variant}
            tables.append(collect.read_table(file).assign(**named))
    keys = ["title", "run", "variant", "model", "size", "estimator", "strict", "scenario", "status"]
    numbers = ["energy_mj", "compute_mj", "memory_mj", "energy_ours_mj", "ratio"]
    if tables:
        every = pd.concat(tables)
        found = every.groupby(keys, sort=False, dropna=False)
        frame = found[numbers].mean().assign(images=found.size()).reset_index()
    else:
        frame = pd.DataFrame(columns=[*keys, *numbers, "images"])
    frame.insert(0, "configuration", config.name)
    caption = captioned(
        config,
        "energy per image by spikingjelly's estimators, with their own hardware models, beside our "
        "account of the same images under the nearest scenario. Only networks under the same "
        "estimator are comparable. An estimator that refuses a network says why; omissions: what it "
        "does not model is left out. What distorts each is in estimators/*.csv, column note.",
    )
    if frame.empty:
        caption += " Empty: this configuration runs no spiking network."
    view = [
        {
            "Network": row["title"],
            "Size": f"{row['size']}x{row['size']}",
            "Images": number(row["images"]),
            "Estimator": row["estimator"] + (", omissions" if row["strict"] is False else ""),
            "Energy (mJ)": number(row["energy_mj"], 3),
            "Compute (mJ)": number(row["compute_mj"], 3),
            "Memory (mJ)": number(row["memory_mj"], 3),
            "Ours (mJ)": f"{number(row['energy_ours_mj'], 3)} ({row['scenario']})",
            "Ratio": number(row["ratio"], 2),
            "Status": row["status"],
        }
        for _, row in frame.iterrows()
    ]
    return Table("estimators", caption, frame, pd.DataFrame(view))


def _scenario_text() -> str:
    return "Scenarios: " + "; ".join(f"({k}) {s.title}" for k, s in scenarios().items()) + "."


def block(layer: str) -> str:
    """The part of a network that a module belongs to: ``encoder_level1.0``, ``down1_2``."""
    first, *rest = layer.split(".")
    return f"{first}.{rest[0]}" if len(rest) > 1 and rest[0].isdigit() else first or "network"


def by_block(folder: Path) -> pd.DataFrame:
    """Energy of every block in mJ (scenario c, default costs), by :data:`PARTS`; mean over images.

    Blocks of less than a thousandth of the whole are left out.

    Args:
        folder: of an account.
    """
    facts, layers, others = account.read(folder)
    costs, images = cost_tables()[DEFAULT_COSTS], max(facts["images"], 1)
    spiking = facts["spiking"]
    rows = {}
    layers, others = (t.assign(block=t["layer"].map(block)) for t in (layers, others))
    blocks = list(dict.fromkeys([*layers["block"], *others["block"]]))
    for name in blocks:
        rest = others[others["block"] == name]
        own = layers[layers["block"] == name]
        of = None if own.empty else work(own, rest.iloc[:0], spiking=spiking, reuse=False)
        membrane = rest["category"] == "membrane"
        attention = rest["category"] == "attention"

        def operators(chosen: pd.DataFrame) -> float:
            each = (
                chosen["adds"] * costs.add
                + chosen["multiplies"] * costs.multiply
                + chosen["specials"] * costs.special
            )
            return float(each.sum())

        parts = [0.0] * 3
        if of is not None:
            parts = [of.analog_macs * costs.mac, of.sops * costs.ac, of.attention_macs * costs.mac]
        rows[name] = [
            parts[0] / images,
            parts[1] / images,
            parts[2] / images + operators(rest[attention]),
            operators(rest[membrane]),
            operators(rest[~membrane & ~attention]),
        ]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(PARTS)) / PJ_PER_MJ
    return table[table.sum(axis=1) > 0.001 * table.to_numpy().sum()]  # the rest is not to be seen


def block_figure(own: pd.DataFrame, rival: pd.DataFrame | None, title: str) -> Figure:
    """Stacked energies by block; a rival of the same topology as outlines.

    Args:
        own, rival: from :func:`by_block`.
        title: which network, weights and images.
    """
    figure, axes = plt.subplots(figsize=(max(5.5, 0.38 * len(own) + 1.6), 3.9))
    places, bottom = np.arange(len(own)), np.zeros(len(own))
    hatches = ("", "//", "..", "xx", "")
    for part, colour, hatch in zip(PARTS, palette(len(PARTS)), hatches, strict=True):
        axes.bar(
            places, own[part], 0.8, bottom, label=part, color=colour, hatch=hatch, edgecolor="white"
        )
        bottom += own[part].to_numpy()
    if rival is not None:
        total = rival.sum(axis=1).reindex(own.index)
        axes.bar(
            places,
            total,
            0.92,
            color="none",
            edgecolor="black",
            linewidth=1.1,
            label="ANN twin, all of it",
        )
    axes.set_xticks(places, own.index, rotation=90, fontsize=7)
    axes.set_ylabel("energy per image (mJ)")
    axes.grid(axis="x", visible=False)
    axes.set_title(title, loc="left", fontsize=9, pad=44)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=3, frameon=False)
    return figure


def rate_figure(layers: pd.DataFrame, title: str) -> Figure:
    """Firing rates by depth, one line per time step; bars are the deviation over images.

    Args:
        layers: of an account.
        title: which network, weights and images.
    """
    spikes = layers[layers["input"].isin([SPIKES, SILENT]) & (layers["role"] == "layer")]
    rates = spikes["step_rates"].str.split(" ", expand=True).astype(float)
    rates.columns = [f"t = {i + 1}" for i in range(rates.shape[1])]
    depth = {name: i for i, name in enumerate(dict.fromkeys(spikes["layer"]), 1)}
    long = (
        rates.assign(depth=spikes["layer"].map(depth))
        .melt(id_vars="depth", var_name="time step", value_name="rate")
        .dropna()
    )
    figure, axes = plt.subplots(figsize=(max(5.5, 0.32 * len(depth) + 1.6), 3.8))
    steps = rates.shape[1]
    sns.lineplot(
        long,
        x="depth",
        y="rate",
        hue="time step",
        style="time step",
        markers=True,
        errorbar="sd",
        err_style="bars",
        palette=palette(steps),
        ax=axes,
        markersize=5,
        linewidth=1,
    )
    weighted = (spikes["effective"].sum() / spikes["reach"].sum()) if len(spikes) else np.nan
    label = f"mean over possible\noperations: {weighted:.3f}"
    axes.axhline(weighted, color="0.3", linestyle=":", linewidth=1, label=label)
    axes.set_xticks(list(depth.values()), list(depth), rotation=90, fontsize=7)
    axes.set(xlabel="", ylabel="firing rate of a layer's input\n(spikes per neuron and time step)")
    axes.set_ylim(0)
    axes.grid(axis="x", visible=False)
    axes.set_title(title, loc="left", fontsize=9)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def saving_figure(energies: pd.DataFrame, measured: dict[str, float], title: str) -> Figure:
    """Saving of full-size ESDNet against its rivals as a function of the firing rate.

    Args:
        energies: rows of ``scenarios/energy.csv``.
        measured: firing rates of other, trained networks, by title, for orientation.
        title: which network and image size.
    """
    full = energies[energies["source"] == "structure"]
    usual = plain(full)
    rivals = usual[usual["model"].isin(SHOWN_RIVALS)].drop_duplicates("model")
    order = {m: i for i, m in enumerate(SHOWN_RIVALS)}
    rivals = rivals.sort_values("model", key=lambda m: m.map(order))
    rate = np.linspace(0, 1, 201)
    figure, grid = plt.subplots(2, 2, figsize=(7.6, 5.8), sharex=True, sharey=True)
    colours = dict(zip(rivals["model"], palette(len(rivals)), strict=True))
    looks = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1))]
    for axes, (letter, scenario) in zip(grid.flat, scenarios().items(), strict=True):
        of = usual[usual["scenario"] == letter].set_index("model")
        own = of.loc["esdnet"]
        axes.axhline(0, color="black", linewidth=0.8)
        axes.axhline(CLAIMED_SAVING, color="0.45", linewidth=0.8, linestyle=(0, (1, 1)))
        for (model, colour), look in zip(colours.items(), looks, strict=False):
            energy = of.loc[model, "mj"]
            saving = 1 - (own["fixed_mj"] + own["slope_mj"] * rate) / energy
            axes.plot(rate, saving, color=colour, linestyle=look, label=of.loc[model, "title"])
            crossing = (energy - own["fixed_mj"]) / own["slope_mj"]
            if 0 < crossing < 1:
                axes.plot([crossing] * 2, [-1.5, 0], color=colour, linewidth=0.7)
                axes.plot(crossing, 0, "o", color=colour, markersize=4)
        for value in measured.values():
            axes.axvspan(value - 0.003, value + 0.003, color="0.8", zorder=0)
        axes.set_title(f"({letter}) {scenario.title}", loc="left", fontsize=9)
        axes.set_ylim(-1.5, 1.05)
        axes.set_xlim(0, 1)
    for axes in grid[:, 0]:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylabel("energy saved")
    for axes in grid[1]:
        axes.set_xlabel("mean firing rate")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    handles.append(plt.Line2D([], [], color="0.45", linestyle=(0, (1, 1))))
    labels.append(f"claimed: {CLAIMED_SAVING:.0%}")
    for name, value in measured.items():
        handles.append(plt.Line2D([], [], color="0.8", linewidth=5))
        labels.append(f"measured rate of {name}: {value:.3f}")
    figure.legend(
        handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.01), ncol=3, frameon=False
    )
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    return figure


def matrix_figure(savings_of_run: pd.DataFrame, title: str) -> Figure:
    """Saving against every rival under every scenario and option, as a heat map.

    Args:
        savings_of_run: rows of ``scenarios/savings.csv`` of one spiking run, one cost table.
        title: which network, weights and images.
    """
    if savings_of_run.empty:
        figure, axes = plt.subplots(figsize=(5, 1.2))
        axes.text(0.5, 0.5, "no other network was counted on the same images", ha="center")
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontsize=9)
        return figure
    rows = savings_of_run.assign(
        column=[
            f"({r.scenario})" + " reuse" * r.reuse + " skip 0" * r.zero_skipping
            for r in savings_of_run.itertuples()
        ]
    )
    order = list(dict.fromkeys(rows.sort_values(["scenario", "reuse", "zero_skipping"])["column"]))
    rivals = list(dict.fromkeys(rows["rival_title"]))
    table = rows.pivot_table("saving", "rival_title", "column", sort=False)
    table = table.reindex(index=rivals, columns=order)
    text = table.map(lambda v: "" if pd.isna(v) else f"{v:.0%}" if v > -1 else f"{1 - v:.1f}x")
    figure, axes = plt.subplots(figsize=(0.52 * len(order) + 2.4, 0.34 * len(rivals) + 1.9))
    sns.heatmap(
        table.clip(-1, 1),
        annot=text,
        fmt="",
        cmap="PuOr",
        vmin=-1,
        vmax=1,
        linewidths=0.5,
        annot_kws={"fontsize": 6.5},
        cbar_kws={"label": "energy saved", "format": PercentFormatter(1)},
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="x", labelrotation=90, labelsize=7)
    axes.tick_params(axis="y", labelrotation=0, labelsize=8)
    axes.set_title(title, loc="left", fontsize=9)
    return figure


def spiking_entries(config: Config) -> list[collect.Entry]:
    """The first variant of every run that computes with spikes."""
    spiking = {run for run, _, _ in config.spiking()}
    first: dict[str, collect.Entry] = {}
    for entry in collect.entries(config):
        if entry.run in spiking:
            first.setdefault(entry.run, entry)
    return list(first.values())


def write_figures(config: Config, out: Path) -> None:
    """Writes ``energy-by-block-<run>``, ``firing-rates-<run>``, ``scenarios-<run>`` and
    ``break-even``, each as pdf, png and svg, all or nothing.

    Raises:
        BenchError: if an account or ``scenarios/*.csv`` is missing.
    """
    base = Path(config.results) / "energy"
    energies, saved = answers(config, "energy"), answers(config, "savings")
    smoke = "SMOKE: " if config.label == "smoke" else ""
    rates: dict[str, float] = {}
    names: list[str] = []
    with style(), staged_folder(out) as stage:

        def keep(figure: Figure, name: str) -> None:
            save(figure, stage / name)
            names.append(name)

        for entry in spiking_entries(config):
            folder = base / entry.run / entry.variant
            facts, layers, _ = account.read(folder)
            title = (
                f"{smoke}{entry.title} ({entry.weights}, {entry.variant})\n"
                f"{facts['images']} images of {entry.spec.test[0]}, {facts['size'][0]} pixels square"
            )
            rates[entry.title] = facts["mean"]["firing_rate"]
            twin = collect.twin(config, entry)
            own = by_block(folder)
            text = f"{title}; scenario (c), {DEFAULT_COSTS}"
            keep(
                block_figure(
                    own, None if twin is None else by_block(base / twin.run / twin.variant), text
                ),
                f"energy-by-block-{entry.run}",
            )
            keep(rate_figure(layers, title), f"firing-rates-{entry.run}")
            rows = saved[
                (saved["name"] == f"{entry.run}/{entry.variant}")
                & (saved["costs"] == DEFAULT_COSTS)
            ]
            keep(
                matrix_figure(rows, f"{title}; {DEFAULT_COSTS}; 2.0x: takes twice as much"),
                f"scenarios-{entry.run}",
            )
        title = f"ESDNet at full size, one 256x256 image, from the structure; {DEFAULT_COSTS}"
        keep(saving_figure(energies, rates, title), "break-even")
        for name in names:
            provenance.write_record(stage / f"{name}.svg", settings={"configuration": config.name})
