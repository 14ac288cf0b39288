# larp in a container: `larp db migrate` migrates, `larp serve` stays up.
#
#   docker build .                  the server, without anything it does not need
#   docker build --target tools .   with PostgreSQL's client programs, for operators


FROM python:3.13-slim AS deps

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv --without-pip /opt/larp \
    && pip --python /opt/larp/bin/python install --no-compile --require-hashes -r requirements.txt \
    && rm -r /opt/larp/include /opt/larp/bin/[Aa]ctivate* \
    && find /opt/larp -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -rf {} + \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/larp \
    && find /opt -exec touch --no-dereference --date=@0 {} +


FROM deps AS code

COPY pyproject.toml README.md CHANGELOG.md LICENSE alembic.ini ./
COPY alembic alembic
COPY larp_cli larp_cli
RUN pip --python /opt/larp/bin/python install --no-compile --no-deps --prefix /code . \
    && python -m compileall -q --invalidation-mode unchecked-hash -s /code -p /opt/larp /code


FROM python:3.13-slim AS runtime

RUN groupadd --gid 10001 larp \
    && useradd --uid 10001 --gid larp --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin larp

# The large layer, which does not change with the code. All its files have the date 1970, so that
# it is the same on every machine.
COPY --from=deps /opt /opt

# larp only writes what a command asks for, so the root can be read-only.
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
STOPSIGNAL SIGTERM
ENTRYPOINT ["larp"]

# Labels, if you build it for others: --build-arg REVISION="$(git rev-parse HEAD)" and so on.
ARG VERSION=0.1.0
ARG REVISION=""
ARG SOURCE=""
ARG CREATED=""
LABEL org.opencontainers.image.title="larp" \
      org.opencontainers.image.description="Create, migrate, back up and health-check PostgreSQL databases managed with Alembic." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.source=$SOURCE \
      org.opencontainers.image.created=$CREATED


FROM runtime AS tools

USER 0:0
# Debian removes a package version when it publishes a fix, so a pinned version would soon fail.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 700 -o 10001 -g 10001 /var/lib/larp
USER 10001:10001

# The programs themselves, not Debian's wrapper, which looks for servers on this machine.
ENV PATH=/usr/lib/postgresql/17/bin:$PATH \
    LOG_FORMAT=console
WORKDIR /var/lib/larp
CMD ["--help"]
COPY --from=code /code /opt/larp


FROM runtime

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["sh", "-c", "exec larp health --quiet --url http://127.0.0.1:$SERVE_PORT"]
CMD ["serve"]
COPY --from=code /code /opt/larp
