# Data sets. Each kind is acquired in its own way, then every set is verified: dataset.json is what
# later rules wait for, and its digest enters their provenance records.
localrules:
    fetch,


rule synthesise:
    output:
        facts=FILES.made("{dataset}") / "dataset.json",
        splits=[directory(FILES.made("{dataset}") / s) for s in ("train", "val", "test")],
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
        **needs("synthesise"),
    params:
        code=code("data synthesise"),
        plan=lambda w: CONFIG.datasets[w.dataset],
    shell:
        'python -m derainbench data synthesise {params.plan.rain} --out "$(dirname {output.facts:q})"'
        " --size {params.plan.size} --seed {params.plan.seed}"
        " --train {params.plan.train} --val {params.plan.val} --test {params.plan.test}"
        " > {log:q} 2>&1"


rule recomposite:
    input:
        lambda w: acquired(CONFIG.datasets[w.dataset].layers),
        lambda w: acquired(CONFIG.datasets[w.dataset].clean),
    output:
        facts=FILES.made("{dataset}") / "dataset.json",
        split=directory(FILES.made("{dataset}") / "train"),
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
        **needs("recomposite"),
    params:
        code=code("data recomposite"),
        layers=lambda w: images_of(CONFIG.datasets[w.dataset].layers, "train"),
        clean=lambda w: images_of(CONFIG.datasets[w.dataset].clean),
        arguments=lambda w: recomposite_arguments(CONFIG.datasets[w.dataset]),
    shell:
        "python -m derainbench data recomposite {params.arguments}"
        ' --out "$(dirname {output.facts:q})" > {log:q} 2>&1'


# Of a rehearsal: generated images that are taken over as downloaded ones are.
rule stand_in:
    output:
        facts=FILES.made("{entry}") / "dataset.json",
        images=FILES.made("{entry}") / "images.csv",
        record=FILES.made("{entry}") / "dataset.json.provenance.json",
    log:
        f"{RESULTS}/logs/stand_in/{{entry}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/stand_in/{{entry}}.tsv"
    wildcard_constraints:
        entry=one_of(STAND_INS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **needs("stand_in"),
    params:
        code=code("data stand-in"),
        plan=lambda w: STAND_INS[w.entry],
        root=FILES.made("{entry}").parent,
    shell:
        "python -m derainbench data stand-in {wildcards.entry} --root {params.root:q}"
        " --train {params.plan.train} --val {params.plan.val} --test {params.plan.test}"
        " --seed {params.plan.seed} > {log:q} 2>&1"


# Network. A set that lies under the data root already is verified in place of being downloaded.
rule fetch:
    output:
        Path(CONFIG.data_root or "") / "{entry}" / "dataset.json",
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
        " > {log:q} 2>&1"


# Before anything else that could start: what is not the real thing stops the run early. No training
# waits for it, so that to verify again is no reason to train again; only other images are.
rule verify:
    input:
        lambda w: acquired(w.dataset),
    output:
        facts=FILES.data("{dataset}") / "dataset.json",
        images=FILES.data("{dataset}") / "images.csv",
    log:
        f"{RESULTS}/logs/verify/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/verify/{{dataset}}.tsv"
    priority: 10
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        **needs("verify"),
    params:
        code=code("data verify"),
        images=lambda w: images_of(w.dataset),
        folder=lambda w: CONFIG.dataset_folder(w.dataset),
        arguments=verify_arguments,
    shell:
        "python -m derainbench data verify {params.folder:q} {params.arguments}"
        ' --out "$(dirname {output.facts:q})" > {log:q} 2>&1'


rule data_card:
    input:
        FILES.data("{dataset}") / "dataset.json",
        images=FILES.data("{dataset}") / "images.csv",
    output:
        multiext(str(FILES.data("{dataset}") / "card"), ".pdf", ".png", ".svg"),
        sheet=report(
            FILES.data("{dataset}") / "sheet.png",
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
        **needs("data_card"),
    params:
        code=code("data card"),
        folder=lambda w: CONFIG.dataset_folder(w.dataset),
    shell:
        'python -m derainbench data card {params.folder:q} --facts "$(dirname {input.images:q})"'
        " > {log:q} 2>&1"


rule leaks:
    input:
        images=[FILES.data(dataset) / "images.csv" for dataset in CONFIG.datasets],
    output:
        multiext(str(FILES.leaks / "leaks"), ".json", ".csv", ".png"),
    log:
        f"{RESULTS}/logs/leaks.log",
    benchmark:
        f"{RESULTS}/benchmarks/leaks.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **needs("leaks"),
    params:
        code=code("data leaks"),
        folders=" ".join(shlex.quote(CONFIG.dataset_folder(d)) for d in CONFIG.datasets),
        facts=lambda w, input: " ".join(f"--facts {os.path.dirname(f)}" for f in input.images),
        folder=lambda w, output: os.path.dirname(output[0]),
    shell:
        "python -m derainbench data leaks {params.folders} {params.facts} --out {params.folder:q}"
        " > {log:q} 2>&1"
