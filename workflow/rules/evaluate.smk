# Restored images and their scores under every protocol.
rule evaluate:
    input:
        code=lambda w: code("evaluate", w.run),
        images=lambda w: acquired(w.dataset),
        data=lambda w: verified(w.dataset),
        weights=weights_of,
    output:
        scores=f"{RESULTS}/scores/{{run}}/{{variant}}/{{dataset}}/per_image.csv",
        summary=f"{RESULTS}/scores/{{run}}/{{variant}}/{{dataset}}/summary.json",
        images=directory(f"{RESULTS}/scores/{{run}}/{{variant}}/{{dataset}}/images"),
    log:
        f"{RESULTS}/logs/evaluate/{{run}}/{{variant}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{run}}/{{variant}}/{{dataset}}.tsv"
    conda:
        "../../environment.yml"
    threads: CONFIG.threads.infer
    resources:
        gpu=GPU,
        mem_mb=4000,
    params:
        model=lambda w: CONFIG.runs[w.run].model,
        folder=lambda w: CONFIG.dataset_folder(w.dataset),
        arguments=inference_arguments,
        device=CONFIG.device,
    shell:
        "python -m derainbench evaluate --model {params.model} --weights {input.weights:q}"
        " --data {params.folder:q}/test {params.arguments} --device {params.device}"
        " --dataset {input.data} --out $(dirname {output.scores}) > {log} 2>&1"
