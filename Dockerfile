# larp in a container: migrates with `larp db migrate`, stays up with `larp serve`.

FROM python:3.13-slim AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/larp

# Dependencies first: a change of the code leaves this layer as it is.
WORKDIR /src
COPY requirements.txt ./
RUN pip --python /opt/larp/bin/python install --no-compile --require-hashes -r requirements.txt

COPY pyproject.toml README.md CHANGELOG.md LICENSE alembic.ini ./
COPY alembic alembic
COPY larp_cli larp_cli
RUN pip --python /opt/larp/bin/python install --no-compile --no-deps . \
    && find /opt/larp -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -rf {} + \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/larp


FROM python:3.13-slim

LABEL org.opencontainers.image.title="larp" \
      org.opencontainers.image.description="Set up, migrate and watch the PostgreSQL database of LARP Manager." \
      org.opencontainers.image.licenses="MIT"

RUN groupadd --gid 10001 larp \
    && useradd --uid 10001 --gid larp --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin larp

COPY --from=build /opt/larp /opt/larp

# Nothing is written but what a command is asked to write, so the root may be read-only.
ENV PATH=/opt/larp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production \
    LARP_HOME=/var/lib/larp \
    LOG_FORMAT=json \
    SERVE_HOST=0.0.0.0 \
    SERVE_PORT=8000 \
    SERVE_DRAIN_SECONDS=1

USER 10001:10001
WORKDIR /opt/larp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["larp", "health", "--quiet", "--url", "http://127.0.0.1:8000"]
ENTRYPOINT ["larp"]
CMD ["serve"]
