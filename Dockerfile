# docker build -t multistage . && docker run --rm -v "$PWD/runs:/multistage/runs" multistage
# Settings follow the name: ... multistage model=lcn_maxpool. Images: -v "$PWD/data:/multistage/data". A GPU: --gpus all.
FROM python:3.11-slim-bookworm
WORKDIR /multistage
COPY requirements-build.txt requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.txt
RUN uv pip install --system --no-cache -r requirements.txt
COPY . .
RUN uv pip install --system --no-cache --no-deps -b requirements-build.txt .
ENTRYPOINT ["multistage-train"]
