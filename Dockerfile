# Both stages use the same Debian, so that the C library matches.
FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY crates crates
RUN cargo build --locked --profile dist -p switchboard

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin switchboard
COPY --from=builder /build/target/dist/switchboard /usr/local/bin/switchboard
# The directory of switchboard.toml.
WORKDIR /etc/switchboard
# Numeric, so that Kubernetes can verify that it is not root.
USER 10001:10001
EXPOSE 4100
ENTRYPOINT ["switchboard"]
CMD ["serve"]
