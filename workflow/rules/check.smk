# The results against those kept as reference. Not part of the default target, and always run:
# `snakemake --cores all check`. The drifts are in the log, which stays when there are some.
localrules:
    check,


rule check:
    input:
        BEHIND,
        page=rules.page.output,
        reference=os.path.relpath(f"{workflow.basedir}/results/reference/{CONFIG.name}"),
    log:
        f"{RESULTS}/logs/check.log",
    conda:
        "../../environment.yml"
    params:
        results=lambda w, input: Path(input.page[0]).parent.parent,
    shell:
        "python -m derainbench check {input.reference:q} {params.results:q}"
        " --out {params.results:q}/drift.md > {log:q} 2>&1"
