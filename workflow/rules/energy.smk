# What every registered model is at full size, no training needed.
rule structure:
    output:
        models=FILES.models,
        arguments=FILES.structure / "arguments.json",
        layers=FILES.structure / "layers.csv",
        others=FILES.structure / "others.csv",
        architectures=[FILES.structure / "architecture" / f"{p.network}.json" for p in PAPERS],
    log:
        f"{RESULTS}/logs/structure.log",
    benchmark:
        f"{RESULTS}/benchmarks/structure.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **needs("structure"),
    params:
        code=code("structure"),
    shell:
        'python -m derainbench structure --out "$(dirname {output.models:q})" > {log:q} 2>&1'


# Whether a loss's gradient reaches every layer of a paper's network.
rule gradients:
    output:
        FILES.gradients("{paper}"),
    log:
        f"{RESULTS}/logs/gradients/{{paper}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gradients/{{paper}}.tsv"
    wildcard_constraints:
        paper=one_of([paper.name for paper in PAPERS]),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **needs("gradients"),
    params:
        code=lambda w: code("gradients", (read_paper(w.paper).network,)),
        model=lambda w: read_paper(w.paper).network,
        kwargs=lambda w: flags("kwarg", CONFIG.trained_arguments(read_paper(w.paper).network)),
    shell:
        "python -m derainbench gradients --model {params.model} {params.kwargs} --out {output:q}"
        " > {log:q} 2>&1"


# Our operation counts beside those of other counters, no training needed.
rule crosscheck:
    output:
        summary=FILES.crosscheck / "crosscheck.csv",
        layers=FILES.crosscheck / "crosscheck-layers.csv",
        sizes=FILES.crosscheck / "crosscheck-sizes.csv",
    log:
        f"{RESULTS}/logs/crosscheck.log",
    benchmark:
        f"{RESULTS}/benchmarks/crosscheck.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **needs("crosscheck"),
    params:
        code=code("crosscheck", (*NETWORKS, *CONFIG.crosscheck)),
        models=repeated("model", [*NETWORKS, *CONFIG.crosscheck]),
    shell:
        'python -m derainbench crosscheck {params.models} --out "$(dirname {output.summary:q})"'
        " > {log:q} 2>&1"


# Operation counts on the first test set of a run.
rule energy:
    input:
        lambda w: acquired(CONFIG.runs[w.run].test[0]),
        weights=weights_of,
    output:
        layers=FILES.account("{run}", "{variant}") / "layers.csv",
        others=FILES.account("{run}", "{variant}") / "others.csv",
        neurobench=FILES.account("{run}", "{variant}") / "neurobench.json",
        account=FILES.account_summary("{run}", "{variant}"),
    log:
        f"{RESULTS}/logs/energy/{{run}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/energy/{{run}}/{{variant}}.tsv"
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        **needs("energy"),
        gpu=GPU,
    params:
        threads=CONFIG.threads.infer,
        code=run_code("energy"),
        test_images=lambda w: images_of(CONFIG.runs[w.run].test[0], "test"),
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        folder=lambda w: CONFIG.split_folder(CONFIG.runs[w.run].test[0], "test"),
        size=CONFIG.energy.size,
        images=CONFIG.energy.images,
        device=CONFIG.device,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m derainbench energy --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --data {params.folder:q} --size {params.size}"
        " --images {params.images} --device {params.device}"
        ' --out "$(dirname {output.account:q})" > {log:q} 2>&1'


# What the counts cost under every scenario, whom that beats, and at which firing rate.
rule scenarios:
    input:
        rules.structure.output,
        [FILES.account_summary(run, variant) for run, variant in COUNTED],
        config=FILES.config,
    output:
        energy=FILES.scenarios / "energy.csv",
        savings=FILES.scenarios / "savings.csv",
        memory=FILES.scenarios / "memory.csv",
    log:
        f"{RESULTS}/logs/scenarios.log",
    benchmark:
        f"{RESULTS}/benchmarks/scenarios.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **needs("scenarios"),
    params:
        code=code("scenarios"),
    shell:
        'python -m derainbench scenarios --config {input.config:q} --out "$(dirname {output.energy:q})"'
        " > {log:q} 2>&1"


# How the full-size verdicts move with time steps, image size, costs and caches, no training needed.
rule sensitivity:
    output:
        FILES.scenarios / "sensitivity.csv",
    log:
        f"{RESULTS}/logs/sensitivity.log",
    benchmark:
        f"{RESULTS}/benchmarks/sensitivity.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **needs("sensitivity"),
    params:
        code=code("sensitivity", tuple(NETWORKS)),
        papers=repeated("paper", [paper.name for paper in PAPERS]),
    shell:
        "python -m derainbench sensitivity {params.papers} --out {output:q} > {log:q} 2>&1"


# spikingjelly's energy estimators beside our account, on small crops: they look at every value.
rule estimators:
    input:
        lambda w: acquired(CONFIG.runs[w.run].test[0]),
        weights=weights_of,
    output:
        FILES.estimators("{run}", "{variant}"),
    log:
        f"{RESULTS}/logs/estimators/{{run}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/estimators/{{run}}/{{variant}}.tsv"
    wildcard_constraints:
        run=one_of(ESTIMATED),
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        **needs("estimators"),
        gpu=GPU,
    params:
        threads=CONFIG.threads.infer,
        code=run_code("estimators"),
        test_images=lambda w: images_of(CONFIG.runs[w.run].test[0], "test"),
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        folder=lambda w: CONFIG.split_folder(CONFIG.runs[w.run].test[0], "test"),
        images=CONFIG.energy.images,
        device=CONFIG.device,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m derainbench estimators --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --data {params.folder:q} --size 64 --images {params.images}"
        " --device {params.device} --out {output:q} > {log:q} 2>&1"


rule all_estimators:
    input:
        [FILES.estimators(run, variant) for run, variant in COUNTED if run in ESTIMATED],


# Spike rates at rain and at clean pixels, on the first paired test set of a spiking run.
rule spikes:
    input:
        lambda w: acquired(SPIKING[w.run]),
        weights=weights_of,
    output:
        rates=FILES.spikes("{run}", "{variant}") / "spikes.csv",
        depths=FILES.spikes("{run}", "{variant}") / "depth.csv",
        patch=FILES.spikes("{run}", "{variant}") / "patch.npz",
        answer=FILES.spikes_answer("{run}", "{variant}"),
    log:
        f"{RESULTS}/logs/spikes/{{run}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/spikes/{{run}}/{{variant}}.tsv"
    wildcard_constraints:
        run=one_of(SPIKING),
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        **needs("spikes"),
        gpu=GPU,
    params:
        threads=CONFIG.threads.infer,
        code=run_code("spikes"),
        test_images=lambda w: images_of(SPIKING[w.run], "test"),
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        folder=lambda w: CONFIG.split_folder(SPIKING[w.run], "test"),
        size=CONFIG.spikes.size,
        images=f"--images {CONFIG.spikes.images}" if CONFIG.spikes.images else "",
        threshold=CONFIG.spikes.threshold,
        device=CONFIG.device,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m derainbench spikes --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --data {params.folder:q} --size {params.size} {params.images}"
        " --threshold {params.threshold} --device {params.device}"
        ' --out "$(dirname {output.answer:q})" > {log:q} 2>&1'


# Joules really drawn, one measurement at a time. Not part of the default target, because nothing
# else may run meanwhile: when all else is done, `snakemake --cores all all_joules`.
rule joules:
    input:
        weights=weights_of,
    output:
        FILES.joules("{run}", "{variant}"),
    log:
        f"{RESULTS}/logs/joules/{{run}}/{{variant}}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        **needs("joules"),
        gpu=GPU,
        meter=1,
    params:
        threads=CONFIG.threads.infer,
        code=run_code("joules"),
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        size=CONFIG.energy.size,
        device=CONFIG.device,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m derainbench joules --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --size {params.size} --device {params.device} --out {output:q}"
        " > {log:q} 2>&1"


rule all_joules:
    input:
        [FILES.joules(run, variant) for run, variant in COUNTED],
