# One command from a clone to tables, figures and report: snakemake --cores all
# Another configuration: snakemake --cores all --configfile config/real.yaml
from snakemake.utils import min_version

min_version("9.20")


if not workflow.overwrite_configfiles:  # a second one would be merged into the first

    configfile: f"{workflow.basedir}/config/smoke.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/energy.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/check.smk"


# With all that is behind the page: what a job that failed, or was stopped, took away would else not be
# missed. Snakemake removes the outputs of a job before it runs again, and looks no further than to
# what a target asks for.
rule all:
    default_target: True
    input:
        FILES.page,
        BEHIND,
