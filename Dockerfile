# UNTESTED: written where there is no Docker. Build and try it before you rely on it, then take this line away.
#
#   docker build --tag tfvae .
#   docker run --rm --volume "$PWD/photos:/photos:ro" --volume "$PWD/runs:/runs" tfvae \
#     tfvae-train --config=sdgm_folder --config.data.path=/photos --workdir=/runs/photos
#
# What is exported is served by TensorFlow's own image: see savedmodels/README.md.
FROM python:3.11-slim
WORKDIR /opt/tfvae
COPY pyproject.toml README.md LICENSE ./
COPY tools/constraints.txt tools/
COPY tfvae tfvae
COPY pipelines pipelines
RUN pip install --no-cache-dir --constraint tools/constraints.txt ".[captions]"
ENV TF_CPP_MIN_LOG_LEVEL=3
WORKDIR /runs
CMD ["tfvae-train", "--help"]
