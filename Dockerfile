# The checkout with the environment of its lock; results go to the folder that is mounted:
#   docker build --tag derainbench .
#   docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$PWD:/work" derainbench
FROM python:3.11-slim-bookworm

# The compiler is for the one locked package that has no wheel for every processor.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /derainbench
ENV PIP_NO_CACHE_DIR=1

# The environment first: an edit of the code installs nothing again.
COPY Makefile pyproject.toml requirements.lock README.md LICENSE ./
COPY derainbench/__init__.py derainbench/
RUN make .venv/.installed
COPY . .
# Compiled here, because whoever runs it may not write into the image; some packages bring files that
# are no Python of this version.
RUN touch pyproject.toml && make .venv/.installed && { .venv/bin/python -m compileall -qq -j 0 . || true; }

# Whoever runs it needs no account in the image; what libraries keep for themselves goes to /tmp.
ENV PATH=/derainbench/.venv/bin:$PATH HOME=/tmp
WORKDIR /work
CMD ["derainbench", "reproduce"]
