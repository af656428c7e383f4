# Data sets. Each kind is acquired in its own way, then every set is verified: dataset.json is what
# later rules wait for, and its digest enters their provenance records.
localrules:
    fetch,


rule synthesise:
    input:
        code("synthesise"),
    output:
        facts=f"{RESULTS}/made/{{dataset}}/dataset.json",
        splits=directory(
            expand(f"{RESULTS}/made/{{{{dataset}}}}/{{split}}", split=["train", "val", "test"])
        ),
    log:
        f"{RESULTS}/logs/synthesise/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/synthesise/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(sets_of("synthetic")),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        plan=lambda w: CONFIG.datasets[w.dataset],
    shell:
        "python -m derainbench data synthesise {params.plan.rain} --out $(dirname {output.facts})"
        " --size {params.plan.size} --seed {params.plan.seed}"
        " --train {params.plan.train} --val {params.plan.val} --test {params.plan.test}"
        " > {log} 2>&1"


rule recomposite:
    input:
        code("recomposite"),
        lambda w: expand(
            f"{RESULTS}/data/{{dataset}}/dataset.json",
            dataset=[CONFIG.datasets[w.dataset].layers, CONFIG.datasets[w.dataset].clean],
        ),
    output:
        facts=f"{RESULTS}/made/{{dataset}}/dataset.json",
        split=directory(f"{RESULTS}/made/{{dataset}}/train"),
    log:
        f"{RESULTS}/logs/recomposite/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/recomposite/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(sets_of("recomposited")),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        arguments=lambda w: recomposite_arguments(CONFIG.datasets[w.dataset]),
    shell:
        "python -m derainbench data recomposite {params.arguments}"
        " --out $(dirname {output.facts}) > {log} 2>&1"


# Network. A set that lies under the data root already is verified in place of being downloaded.
rule fetch:
    output:
        f"{CONFIG.data_root}/{{entry}}/dataset.json",
    log:
        f"{RESULTS}/logs/fetch/{{entry}}.log",
    wildcard_constraints:
        entry=one_of(FETCHED),
    conda:
        "../../environment.yml"
    threads: 1
    params:
        root=CONFIG.data_root,
        splits=lambda w: " ".join(f"--split {s}" for s in FETCHED[w.entry]),
    shell:
        "python -m derainbench data fetch {wildcards.entry} --root {params.root:q} {params.splits}"
        " > {log} 2>&1"


rule verify:
    input:
        code("verify"),
        lambda w: acquired(w.dataset),
    output:
        facts=f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=f"{RESULTS}/data/{{dataset}}/images.csv",
    log:
        f"{RESULTS}/logs/verify/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/verify/{{dataset}}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=1000,
    params:
        folder=lambda w: CONFIG.dataset_folder(w.dataset),
        arguments=verify_arguments,
    shell:
        "python -m derainbench data verify {params.folder:q} {params.arguments}"
        " --out $(dirname {output.facts}) > {log} 2>&1"


rule data_card:
    input:
        code("data_card"),
        f"{RESULTS}/data/{{dataset}}/dataset.json",
        images=f"{RESULTS}/data/{{dataset}}/images.csv",
    output:
        multiext(f"{RESULTS}/data/{{dataset}}/card", ".pdf", ".png", ".svg"),
        sheet=report(
            f"{RESULTS}/data/{{dataset}}/sheet.png",
            caption="../report/data.rst",
            category="Data sets",
        ),
    log:
        f"{RESULTS}/logs/data_card/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/data_card/{{dataset}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        folder=lambda w: CONFIG.dataset_folder(w.dataset),
    shell:
        "python -m derainbench data card {params.folder:q} --facts $(dirname {input.images})"
        " > {log} 2>&1"


rule leaks:
    input:
        code("leaks"),
        images=expand(f"{RESULTS}/data/{{dataset}}/images.csv", dataset=CONFIG.datasets),
    output:
        multiext(f"{RESULTS}/leaks/leaks", ".json", ".csv", ".png"),
    log:
        f"{RESULTS}/logs/leaks.log",
    benchmark:
        f"{RESULTS}/benchmarks/leaks.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        folders=" ".join(shlex.quote(CONFIG.dataset_folder(d)) for d in CONFIG.datasets),
        facts=lambda w, input: " ".join(f"--facts {os.path.dirname(f)}" for f in input.images),
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench data leaks {params.folders} {params.facts} --out {params.folder}"
        " > {log} 2>&1"
