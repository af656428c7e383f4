# Data sets: generated ones are written, existing ones are checked. Both leave a dataset.json.
rule synthesise:
    input:
        code("synthesise"),
    output:
        facts=f"{RESULTS}/data/{{dataset}}/dataset.json",
        splits=directory(
            expand(f"{RESULTS}/data/{{{{dataset}}}}/{{split}}", split=["train", "val", "test"])
        ),
    log:
        f"{RESULTS}/logs/synthesise/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/synthesise/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SYNTHETIC),
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


rule check_dataset:
    input:
        lambda w: CONFIG.dataset_folder(w.dataset),
    output:
        facts=f"{RESULTS}/data/{{dataset}}/dataset.json",
    log:
        f"{RESULTS}/logs/check_dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_dataset/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(FOLDERS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
    shell:
        "python -m derainbench data check {input:q} --out {output.facts:q} > {log} 2>&1"
