# Restored images and their scores, with ground truth and without.
from derainbench.config.runs import IMAGES as OF_OTHERS  # the variant's name


# Restored images and their scores under every protocol.
rule evaluate:
    input:
        lambda w: acquired(w.dataset),
        weights=weights_of,
    output:
        scores=FILES.per_image("{run}", "{variant}", "{dataset}"),
        summary=FILES.scores("{run}", "{variant}", "{dataset}") / "summary.json",
        images=directory(FILES.scores("{run}", "{variant}", "{dataset}") / "images"),
    log:
        f"{RESULTS}/logs/evaluate/{{run}}/{{variant}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{run}}/{{variant}}/{{dataset}}.tsv"
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        **needs("evaluate"),
        gpu=GPU,
    params:
        threads=CONFIG.threads.infer,
        code=run_code("evaluate"),
        test_images=lambda w: images_of(w.dataset, "test"),
        model=lambda w: CONFIG.runs[w.run].model,
        folder=lambda w: CONFIG.split_folder(w.dataset, "test"),
        arguments=inference_arguments,
        device=CONFIG.device,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m derainbench evaluate --model {params.model} --weights {input.weights:q}"
        " --data {params.folder:q} {params.arguments} --device {params.device}"
        ' --out "$(dirname {output.scores:q})" > {log:q} 2>&1'


# The same scores of images that others restored, and a copy of these images.
rule evaluate_images:
    input:
        lambda w: acquired(w.dataset),
    output:
        scores=FILES.per_image("{run}", OF_OTHERS, "{dataset}"),
        summary=FILES.scores("{run}", OF_OTHERS, "{dataset}") / "summary.json",
        images=directory(FILES.scores("{run}", OF_OTHERS, "{dataset}") / "images"),
    log:
        f"{RESULTS}/logs/evaluate_images/{{run}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_images/{{run}}/{{dataset}}.tsv"
    wildcard_constraints:
        run=one_of([run for run, variant in VARIANTS if variant == OF_OTHERS]),
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        **needs("evaluate_images"),
    params:
        threads=CONFIG.threads.infer,
        code=code("evaluate-images"),
        test_images=lambda w: images_of(w.dataset, "test"),
        restored_images=lambda w: restored_images(w.run, w.dataset),
        folder=lambda w: CONFIG.split_folder(w.dataset, "test"),
        restored=lambda w: CONFIG.restored_folder(w.run, w.dataset),
    shell:
        "OMP_NUM_THREADS={params.threads} python -m derainbench evaluate-images --restored {params.restored:q}"
        ' --data {params.folder:q} --out "$(dirname {output.scores:q})" > {log:q} 2>&1'


# Scores without ground truth: of restored photographs, and of the rainy ones themselves.
rule no_reference:
    input:
        lambda w: acquired(w.dataset) if w.method == "input" else rated_images(w),
    output:
        f"{RESULTS}/rated/{{method}}/{{dataset}}.csv",
    log:
        f"{RESULTS}/logs/no_reference/{{method}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/no_reference/{{method}}/{{dataset}}.tsv"
    wildcard_constraints:
        method="input|" + "|".join(f"{re.escape(r)}/{v}" for r, v in VARIANTS),
        dataset=one_of(CONFIG.real_rain()),
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        **needs("no_reference"),
    params:
        threads=CONFIG.threads.infer,
        code=code("no-reference"),
        photographs=lambda w: images_of(w.dataset, "test"),
        folder=rated_images,
        files=f"--metric-files {shlex.quote(CONFIG.metric_files)}" if CONFIG.metric_files else "",
    shell:
        "OMP_NUM_THREADS={params.threads} python -m derainbench no-reference {params.folder:q} --out {output:q} {params.files} > {log:q} 2>&1"
