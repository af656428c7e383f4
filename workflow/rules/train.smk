# What the selection leak is computed from: histories of the runs that watch the test split.
MONITORED = [
    FILES.training(run, variant) / file
    for run, variant in VARIANTS
    if CONFIG.runs[run].train and CONFIG.runs[run].train.monitor
    for file in ("history.csv", "training.json")
]


# Training. Checkpoints lie outside the outputs (.derainbench/), which Snakemake deletes when a job
# fails: a job that was killed goes on where it was. `exec`: a shell between Snakemake and the training
# would end at once when a scheduler tells all processes of a job to stop, and the training with it.
rule train:
    input:
        lambda w: acquired(CONFIG.runs[w.run].train.dataset),
    output:
        weights=FILES.weights("{run}", "seed-{seed}"),
        history=FILES.training("{run}", "seed-{seed}") / "history.csv",
        facts=FILES.training("{run}", "seed-{seed}") / "training.json",
    log:
        f"{RESULTS}/logs/train/{{run}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{run}}/seed-{{seed}}.tsv"
    wildcard_constraints:
        run=one_of(TRAINED),
    conda:
        "../../environment.yml"
    threads: lambda w: processes(w) * (CONFIG.threads.train + CONFIG.workers)
    resources:
        **needs("train"),
        gpu=GPU,
    params:
        code=lambda w: training_code(w.run),
        images=lambda w: images_of(CONFIG.runs[w.run].train.dataset, *training_splits(w.run)),
        model=lambda w: CONFIG.runs[w.run].model,
        kwargs=lambda w: flags("kwarg", CONFIG.runs[w.run].kwargs),
        folder=lambda w: CONFIG.dataset_folder(CONFIG.runs[w.run].train.dataset),
        recipe=lambda w: CONFIG.runs[w.run].train.recipe,
        overrides=lambda w: flags("set", CONFIG.runs[w.run].train.set),
        monitor=lambda w: "--monitor test" if CONFIG.runs[w.run].train.monitor else "",
        processes=lambda w: f"--processes {processes(w)}" if processes(w) > 1 else "",
        threads=CONFIG.threads.train,  # whatever --cores leaves: other threads, other weights
        workers=CONFIG.workers,
        device=CONFIG.device,
    shell:
        "OMP_NUM_THREADS={params.threads} exec python -m derainbench train --model {params.model} {params.kwargs}"
        " --data {params.folder:q} --config {params.recipe:q} {params.overrides}"
        " {params.monitor} --seed {wildcards.seed} --workers {params.workers} {params.processes} --device {params.device}"
        ' --out "$(dirname {output.weights:q})" > {log:q} 2>&1'


# A job of several processes asks for as many times what the rule, or the profile of a cluster in its
# place, asks for one.
for name in ("mem_mb", "gpu"):
    TRAINING = workflow.get_rule("train").resources
    TRAINING.update({name: times_processes(TRAINING[name])})
