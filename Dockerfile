# Both stages are of the same Debian, so that the program finds the C library it was linked with.
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
# switchboard.toml is looked for here.
WORKDIR /etc/switchboard
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
EXPOSE 4100
ENTRYPOINT ["switchboard"]
CMD ["serve"]
