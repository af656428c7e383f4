# Tables, figures and the page, from files alone.
SCORES = [FILES.per_image(r, v, d) for r, v, d in CONFIG.evaluations()]
COUNTS = [FILES.account_summary(run, variant) for run, variant in COUNTED]
# The size of the networks that restored the images of others.
SIZES = [FILES.models] if any(r.network and not r.counted for r in CONFIG.runs.values()) else []
RATED = [FILES.no_reference_input(dataset) for dataset in CONFIG.real_rain()]
RATED += [FILES.no_reference(r, v, d) for r, v, d in CONFIG.evaluations() if not CONFIG.paired(d)]
SPIKES = [FILES.spikes_answer(r, v) for r, v, _ in CONFIG.spiking()]
ENERGY_FIGURES = expected.energy_figures(CONFIG, PAPERS)
SPIKE_FIGURES = expected.spike_figures(CONFIG)
TRAINING_FIGURES = expected.training_figures(CONFIG)
HISTORIES = [
    FILES.training(run, variant) / "history.csv"
    for run in expected.trained_runs(CONFIG)
    for variant in CONFIG.runs[run].variants()
]
VERDICT_FIGURES = expected.verdict_figures(PAPERS)
PAPER_TABLES = [(paper.name, name) for paper in PAPERS for name in expected.paper_tables(paper)]
PAPER_FIGURES = [(p.name, name) for p in PAPERS for name in expected.paper_figures(CONFIG, p)]


localrules:
    record_config,
    audit,
    tables,
    figures,
    papers,
    energy_figures,
    spike_figures,
    training_figures,
    verdict_figures,
    page,


rule record_config:
    output:
        FILES.config,
    log:
        f"{RESULTS}/logs/record_config.log",
    conda:
        "../../environment.yml"
    params:
        text=lambda w: CONFIG.model_dump_json(),  # a text would be searched for wildcards
    shell:
        "printf '%s\\n' {params.text:q} > {output:q} 2> {log:q}"


# A verdict on every claim.
rule audit:
    input:
        SCORES,
        MONITORED,
        COUNTS,
        SPIKES,
        rules.structure.output,
        rules.scenarios.output,
        rules.crosscheck.output,
        [FILES.gradients(paper.name) for paper in PAPERS],
        # Whether the whole published test set was scored.
        [FILES.data(dataset) / "dataset.json" for dataset in CONFIG.tested()],
        config=rules.record_config.output,
    output:
        claims=FILES.claims,
        tree=FILES.audit / "claims.json",
        coverage=FILES.coverage,
    log:
        f"{RESULTS}/logs/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("audit"),
    shell:
        'python -m derainbench audit --config {input.config:q} --out "$(dirname {output.claims:q})"'
        " > {log:q} 2>&1"


rule tables:
    input:
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
            [FILES.table(name) for name in expected.TABLES],
            caption="../report/tables.rst",
            category="Tables",
        ),
        [FILES.tables / f"{name}.{kind}" for name in expected.TABLES for kind in ("md", "tex")],
    log:
        f"{RESULTS}/logs/tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("tables"),
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench tables --config {input.config:q} --out {params.folder:q}"
        " > {log:q} 2>&1"


rule figures:
    input:
        SCORES,
        COUNTS,
        SIZES,
        config=rules.record_config.output,
    output:
        report(
            FILES.figure("pareto"),
            caption="../report/pareto.rst",
            category="Figures",
        ),
        [FILES.figure("pareto", kind) for kind in ("pdf", "png")],
        report(
            FILES.figure(f"strip-{CONFIG.figures.dataset}", "png"),
            caption="../report/strip.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("figures"),
        folder=lambda w, output: os.path.dirname(output[0]),
        images=lambda w: tested_images(),
    shell:
        "python -m derainbench figures --config {input.config:q} --out {params.folder:q}"
        " > {log:q} 2>&1"


# Where the energy goes, and whom it beats at which firing rate.
rule energy_figures:
    input:
        SCORES,
        COUNTS,
        rules.structure.output,
        rules.scenarios.output,
        rules.sensitivity.output,
        config=rules.record_config.output,
    output:
        report(
            [FILES.figure(name) for name in ENERGY_FIGURES],
            caption="../report/energy.rst",
            category="Figures",
        ),
        [FILES.figure(name, kind) for name in ENERGY_FIGURES for kind in ("pdf", "png")],
    log:
        f"{RESULTS}/logs/energy_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/energy_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("energy-figures"),
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench energy-figures --config {input.config:q}"
        " --out {params.folder:q} > {log:q} 2>&1"


# Membrane potentials of a rain patch, and whether rain fires more, for every run of a spiking model.
rule spike_figures:
    input:
        SPIKES,
        config=rules.record_config.output,
    output:
        report(
            [FILES.figure(name) for name in SPIKE_FIGURES],
            caption="../report/spikes.rst",
            category="Figures",
        ),
        [FILES.figure(name, kind) for name in SPIKE_FIGURES for kind in ("pdf", "png")],
    log:
        f"{RESULTS}/logs/spike_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/spike_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("spike-figures"),
        folder=FILES.figures,
    shell:
        "python -m derainbench spike-figures --config {input.config:q} --out {params.folder:q}"
        " > {log:q} 2>&1"


# How every training went. The page shows them; a configuration that trains nothing has none.
rule training_figures:
    input:
        HISTORIES,
        config=rules.record_config.output,
    output:
        report(
            [FILES.figure(name) for name in TRAINING_FIGURES],
            caption="../report/training.rst",
            category="Figures",
        ),
        [FILES.figure(name, kind) for name in TRAINING_FIGURES for kind in ("pdf", "png")],
    log:
        f"{RESULTS}/logs/training_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/training_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("training-figures"),
        folder=FILES.figures,
    shell:
        "python -m derainbench training-figures --config {input.config:q} --out {params.folder:q}"
        " > {log:q} 2>&1"


# The verdicts on every paper, on a slide.
rule verdict_figures:
    input:
        rules.audit.output,
        config=rules.record_config.output,
    output:
        report(
            [FILES.figure(name) for name in VERDICT_FIGURES],
            caption="../report/verdicts.rst",
            category="Figures",
        ),
        [FILES.figure(name, kind) for name in VERDICT_FIGURES for kind in ("pdf", "png")],
    log:
        f"{RESULTS}/logs/verdict_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/verdict_figures.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("verdict-figures"),
        folder=FILES.figures,
    shell:
        "python -m derainbench verdict-figures --config {input.config:q} --out {params.folder:q}"
        " > {log:q} 2>&1"


# Every paper's own tables and figures, each with what is published beside what was found here.
rule papers:
    input:
        SCORES,
        RATED,
        COUNTS,
        rules.structure.output,
        rules.scenarios.output,
        rules.figures.output,
        rules.spike_figures.output,
        config=rules.record_config.output,
    output:
        [FILES.paper_index(paper.name) for paper in PAPERS],
        [
            FILES.paper(paper) / f"{name}.{kind}"
            for paper, name in PAPER_TABLES
            for kind in ("csv", "md", "tex")
        ],
        [
            FILES.paper(paper) / f"{name}.{kind}"
            for paper, name in PAPER_FIGURES
            for kind in ("pdf", "png")
        ],
        report(
            [FILES.paper(paper) / f"{name}.svg" for paper, name in PAPER_FIGURES],
            caption="../report/paper.rst",
            category="Papers",
        ),
    log:
        f"{RESULTS}/logs/papers.log",
    benchmark:
        f"{RESULTS}/benchmarks/papers.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("paper"),
        images=lambda w: tested_images(),
        folder=FILES.papers,
    shell:
        "python -m derainbench paper --config {input.config:q} --out {params.folder:q} > {log:q} 2>&1"


rule page:
    input:
        SCORES,
        RATED,
        COUNTS,
        SPIKES,
        rules.audit.output,
        rules.scenarios.output,
        rules.sensitivity.output,
        rules.tables.output,
        rules.figures.output,
        rules.energy_figures.output,
        rules.spike_figures.output,
        rules.training_figures.output,
        rules.verdict_figures.output,
        rules.papers.output,
        rules.leaks.output,
        [
            FILES.data(dataset) / file
            for dataset in CONFIG.datasets
            for file in ("sheet.png", "card.svg")
        ],
        config=rules.record_config.output,
    output:
        FILES.page,
        directory(FILES.report / "assets"),
    log:
        f"{RESULTS}/logs/page.log",
    benchmark:
        f"{RESULTS}/benchmarks/page.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("report"),
        folder=lambda w, output: os.path.dirname(output[0]),
        images=lambda w: tested_images(),
    shell:
        "python -m derainbench report --config {input.config:q} --out {params.folder:q}"
        " > {log:q} 2>&1"


# All that is behind the page, trainings first.
BEHIND = [
    *(acquired(dataset) for dataset in CONFIG.datasets),
    *(
        FILES.training(run, variant) / file
        for run, variant in VARIANTS
        if run in TRAINED
        for file in ("model.safetensors", "history.csv", "training.json")
    ),
    rules.all_estimators.input,
    rules.audit.output,
    rules.tables.input,
    rules.page.input,
]


onsuccess:
    for file in RUNNING:
        file.unlink(missing_ok=True)
    # Snakemake has taken note of what they gave.
    remove_finished([FILES.training(run, v) for run, v in VARIANTS if run in TRAINED])
    # For people who look at the terminal; derainbench/workflow/run.py shows these lines alone.
    if FILES.page.is_file() and FILES.claims.is_file():
        for line in verdict_summary(FILES.page, FILES.claims, FILES.table("equal_quality")):
            print(f"{SUMMARY}{line}")
