# Tables, figures and the page, from files alone.
SCORES = [f"{RESULTS}/scores/{r}/{v}/{d}/per_image.csv" for r, v, d in CONFIG.evaluations()]
COUNTS = [f"{RESULTS}/energy/{run}/{variant}/energy.json" for run, variant in VARIANTS]
RATED = [f"{RESULTS}/rated/input/{dataset}.csv" for dataset in CONFIG.real_rain()]
RATED += [
    f"{RESULTS}/rated/{r}/{v}/{d}.csv" for r, v, d in CONFIG.evaluations() if not CONFIG.paired(d)
]
TABLES = [
    "claims",
    "quality",
    "comparison",
    "realrain",
    "complexity",
    "savings",
    "break_even",
    "structure",
]
TABLES += ["paired", "protocols", "seeds", "equivalence", "selection"]
TABLES += ["crosscheck", "estimators", "joules"]
ENERGY_FIGURES = [f"{RESULTS}/figures/break-even.svg"] + [
    f"{RESULTS}/figures/{kind}-{run}.svg"
    for run in SPIKING
    for kind in ("energy-by-block", "firing-rates", "scenarios")
]
SPIKE_FIGURES = [
    f"{RESULTS}/figures/{kind}-{run}.svg" for run in SPIKING for kind in ("fig2", "rain-spikes")
]
STRIP = f"{RESULTS}/figures/strip-{CONFIG.figures.dataset}.png"

# The paper's figures that this configuration has something for: paper.json says why others are not.
PAPER_FIGURES = ["figure-1", "figure-3", "figure-4"]
PAPER_FIGURES += ["figure-2"] if SPIKING else []
PAPER_FIGURES += ["figure-5"] if CONFIG.real_rain() else []


localrules:
    record_config,
    audit,
    tables,
    figures,
    paper,
    energy_figures,
    spike_figures,
    page,


rule record_config:
    output:
        f"{RESULTS}/config.json",
    log:
        f"{RESULTS}/logs/record_config.log",
    conda:
        "../../environment.yml"
    params:
        text=CONFIG.model_dump_json(),
    shell:
        "printf '%s\\n' {params.text:q} > {output} 2> {log}"


# A verdict on every claim.
rule audit:
    input:
        code("audit"),
        SCORES,
        MONITORED,
        COUNTS,
        rules.structure.output,
        rules.scenarios.output,
        rules.crosscheck.output,
        [f"{RESULTS}/spikes/{r}/{v}/spikes.json" for r, v, _ in CONFIG.spiking()],
        config=rules.record_config.output,
    output:
        f"{RESULTS}/audit/claims.csv",
        f"{RESULTS}/audit/claims.json",
    log:
        f"{RESULTS}/logs/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench audit --config {input.config} --out {params.folder} > {log} 2>&1"


rule tables:
    input:
        code("tables"),
        SCORES,
        MONITORED,
        RATED,
        COUNTS,
        rules.structure.output,
        rules.scenarios.output,
        rules.crosscheck.output,
        rules.audit.output,
        rules.all_estimators.input,
        [f for f in rules.all_joules.input if os.path.exists(f)],
        config=rules.record_config.output,
    output:
        report(
            expand(f"{RESULTS}/tables/{{table}}.csv", table=TABLES),
            caption="../report/tables.rst",
            category="Tables",
        ),
        expand(f"{RESULTS}/tables/{{table}}.{{kind}}", table=TABLES, kind=["md", "tex"]),
    log:
        f"{RESULTS}/logs/tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench tables --config {input.config} --out {params.folder}" " > {log} 2>&1"


rule figures:
    input:
        code("figures"),
        SCORES,
        COUNTS,
        config=rules.record_config.output,
    output:
        report(
            f"{RESULTS}/figures/pareto.svg",
            caption="../report/pareto.rst",
            category="Figures",
        ),
        multiext(f"{RESULTS}/figures/pareto", ".pdf", ".png"),
        report(STRIP, caption="../report/strip.rst", category="Figures"),
    log:
        f"{RESULTS}/logs/figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench figures --config {input.config} --out {params.folder}"
        " > {log} 2>&1"


# Where the energy goes, and whom it beats at which firing rate.
rule energy_figures:
    input:
        code("energy_figures"),
        COUNTS,
        rules.scenarios.output,
        config=rules.record_config.output,
    output:
        report(
            ENERGY_FIGURES,
            caption="../report/energy.rst",
            category="Figures",
        ),
        [
            f"{os.path.splitext(file)[0]}.{kind}"
            for file in ENERGY_FIGURES
            for kind in ("pdf", "png")
        ],
    log:
        f"{RESULTS}/logs/energy_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/energy_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench energy-figures --config {input.config} --out {params.folder}"
        " > {log} 2>&1"


# The paper's Fig. 2 and the answer to its question, for every run of a spiking model.
rule spike_figures:
    input:
        code("spike_figures"),
        [f"{RESULTS}/spikes/{r}/{v}/spikes.json" for r, v, _ in CONFIG.spiking()],
        config=rules.record_config.output,
    output:
        report(
            SPIKE_FIGURES,
            caption="../report/spikes.rst",
            category="Figures",
        ),
        [f"{os.path.splitext(file)[0]}.{kind}" for file in SPIKE_FIGURES for kind in ("pdf", "png")],
    log:
        f"{RESULTS}/logs/spike_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/spike_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench spike-figures --config {input.config} --out {params.folder}"
        " > {log} 2>&1"


# The paper's tables and figures, each with what is published beside what was found here.
rule paper:
    input:
        code("paper"),
        SCORES,
        RATED,
        COUNTS,
        rules.structure.output,
        rules.scenarios.output,
        rules.figures.output,
        rules.spike_figures.output,
        config=rules.record_config.output,
    output:
        index=f"{RESULTS}/paper/paper.json",
        tables=expand(
            f"{RESULTS}/paper/table-{{number}}.{{kind}}",
            number=range(1, 6),
            kind=["csv", "md", "tex"],
        ),
        prints=expand(f"{RESULTS}/paper/{{name}}.{{kind}}", name=PAPER_FIGURES, kind=["pdf", "png"]),
        figures=report(
            expand(f"{RESULTS}/paper/{{name}}.svg", name=PAPER_FIGURES),
            caption="../report/paper.rst",
            category="Paper",
        ),
    log:
        f"{RESULTS}/logs/paper.log",
    benchmark:
        f"{RESULTS}/benchmarks/paper.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda w, output: os.path.dirname(output.index),
    shell:
        "python -m derainbench paper --config {input.config} --out {params.folder} > {log} 2>&1"


rule page:
    input:
        code("report"),
        SCORES,
        RATED,
        COUNTS,
        rules.audit.output,
        rules.scenarios.output,
        rules.sensitivity.output,
        rules.tables.output,
        rules.figures.output,
        rules.energy_figures.output,
        rules.paper.output,
        [f"{RESULTS}/spikes/{r}/{v}/spikes.json" for r, v, _ in CONFIG.spiking()],
        SPIKE_FIGURES,
        rules.leaks.output,
        expand(
            f"{RESULTS}/data/{{dataset}}/{{file}}",
            dataset=CONFIG.datasets,
            file=["sheet.png", "card.svg"],
        ),
        config=rules.record_config.output,
    output:
        f"{RESULTS}/report/index.html",
        directory(f"{RESULTS}/report/assets"),
    log:
        f"{RESULTS}/logs/page.log",
    benchmark:
        f"{RESULTS}/benchmarks/page.tsv"
    conda:
        "../../environment.yml"
    params:
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench report --config {input.config} --out {params.folder} > {log} 2>&1"
