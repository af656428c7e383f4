# What every registered model is at full size, no training needed.
rule structure:
    input:
        code("structure"),
    output:
        models=f"{RESULTS}/structure/models.csv",
        layers=f"{RESULTS}/structure/layers.csv",
        others=f"{RESULTS}/structure/others.csv",
    log:
        f"{RESULTS}/logs/structure.log",
    benchmark:
        f"{RESULTS}/benchmarks/structure.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    shell:
        "python -m derainbench models --out $(dirname {output.models}) > {log} 2>&1"


# Our operation counts beside those of other counters, no training needed.
rule crosscheck:
    input:
        code("crosscheck"),
    output:
        summary=f"{RESULTS}/crosscheck/crosscheck.csv",
        layers=f"{RESULTS}/crosscheck/crosscheck-layers.csv",
    log:
        f"{RESULTS}/logs/crosscheck.log",
    benchmark:
        f"{RESULTS}/benchmarks/crosscheck.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    shell:
        "python -m derainbench crosscheck --out $(dirname {output.summary}) > {log} 2>&1"


# Operation counts on the first test set of a run.
rule energy:
    input:
        code=lambda w: code("energy", w.run),
        images=lambda w: acquired(CONFIG.runs[w.run].test[0]),
        data=lambda w: verified(CONFIG.runs[w.run].test[0]),
        weights=weights_of,
    output:
        layers=f"{RESULTS}/energy/{{run}}/{{variant}}/layers.csv",
        others=f"{RESULTS}/energy/{{run}}/{{variant}}/others.csv",
        account=f"{RESULTS}/energy/{{run}}/{{variant}}/energy.json",
    log:
        f"{RESULTS}/logs/energy/{{run}}/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/energy/{{run}}/{{variant}}.tsv"
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        gpu=GPU,
        mem_mb=4000,
    params:
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        folder=lambda w: CONFIG.split_folder(CONFIG.runs[w.run].test[0], "test"),
        size=CONFIG.energy.size,
        images=CONFIG.energy.images,
        device=CONFIG.device,
    shell:
        "python -m derainbench energy --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --data {params.folder:q} --size {params.size}"
        " --images {params.images} --device {params.device}"
        " --dataset {input.data} --out $(dirname {output.account}) > {log} 2>&1"


# What the counts cost under every scenario, whom that beats, and at which firing rate.
rule scenarios:
    input:
        code("scenarios"),
        rules.structure.output,
        [f"{RESULTS}/energy/{run}/{variant}/energy.json" for run, variant in VARIANTS],
        config=f"{RESULTS}/config.json",
    output:
        multiext(f"{RESULTS}/scenarios/", "energy.csv", "savings.csv"),
    log:
        f"{RESULTS}/logs/scenarios.log",
    benchmark:
        f"{RESULTS}/benchmarks/scenarios.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench scenarios --config {input.config} --out {params.folder}"
        " > {log} 2>&1"


# How the full-size verdict moves with time steps, image size and costs, no training needed.
rule sensitivity:
    input:
        code("scenarios"),
    output:
        f"{RESULTS}/scenarios/sensitivity.csv",
    log:
        f"{RESULTS}/logs/sensitivity.log",
    benchmark:
        f"{RESULTS}/benchmarks/sensitivity.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
    shell:
        "python -m derainbench sensitivity --out {output} > {log} 2>&1"


# spikingjelly's energy estimators beside our account, on small crops: they look at every value.
rule estimators:
    input:
        code=lambda w: code("estimators", w.run),
        images=lambda w: acquired(CONFIG.runs[w.run].test[0]),
        data=lambda w: verified(CONFIG.runs[w.run].test[0]),
        weights=weights_of,
    output:
        f"{RESULTS}/estimators/{{run}}/{{variant}}.csv",
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
        gpu=GPU,
        mem_mb=4000,
    params:
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        folder=lambda w: CONFIG.split_folder(CONFIG.runs[w.run].test[0], "test"),
        images=CONFIG.energy.images,
        device=CONFIG.device,
    shell:
        "python -m derainbench estimators --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --data {params.folder:q} --size 64 --images {params.images}"
        " --device {params.device} --dataset {input.data} --out {output} > {log} 2>&1"


rule all_estimators:
    input:
        [f"{RESULTS}/estimators/{run}/{v}.csv" for run, v in VARIANTS if run in ESTIMATED],


# Spike rates at rain and at clean pixels, on the first paired test set of a spiking run.
rule spikes:
    input:
        code=lambda w: code("spikes", w.run),
        images=lambda w: acquired(SPIKING[w.run]),
        data=lambda w: verified(SPIKING[w.run]),
        weights=weights_of,
    output:
        rates=f"{RESULTS}/spikes/{{run}}/{{variant}}/spikes.csv",
        depths=f"{RESULTS}/spikes/{{run}}/{{variant}}/depth.csv",
        patch=f"{RESULTS}/spikes/{{run}}/{{variant}}/patch.npz",
        answer=f"{RESULTS}/spikes/{{run}}/{{variant}}/spikes.json",
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
        gpu=GPU,
        mem_mb=4000,
    params:
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        folder=lambda w: CONFIG.split_folder(SPIKING[w.run], "test"),
        size=CONFIG.spikes.size,
        images=f"--images {CONFIG.spikes.images}" if CONFIG.spikes.images else "",
        threshold=CONFIG.spikes.threshold,
        device=CONFIG.device,
    shell:
        "python -m derainbench spikes --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --data {params.folder:q} --size {params.size} {params.images}"
        " --threshold {params.threshold} --device {params.device}"
        " --dataset {input.data} --out $(dirname {output.answer}) > {log} 2>&1"


# Joules really drawn, one measurement at a time. Not part of the default target, because nothing
# else may run meanwhile: when all else is done, `snakemake --cores all all_joules`.
rule joules:
    input:
        code=lambda w: code("joules", w.run),
        weights=weights_of,
    output:
        f"{RESULTS}/joules/{{run}}/{{variant}}.json",
    log:
        f"{RESULTS}/logs/joules/{{run}}/{{variant}}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        gpu=GPU,
        meter=1,
        mem_mb=4000,
    params:
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        size=CONFIG.energy.size,
        device=CONFIG.device,
    shell:
        "python -m derainbench joules --model {params.model} --weights {input.weights:q}"
        " {params.kwargs} --size {params.size} --device {params.device} --out {output}"
        " > {log} 2>&1"


rule all_joules:
    input:
        [f"{RESULTS}/joules/{run}/{variant}.json" for run, variant in VARIANTS],
