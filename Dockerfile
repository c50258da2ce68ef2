FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --locked --profile dist -p switchboard

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home switchboard
COPY --from=build /source/target/dist/switchboard /usr/local/bin/switchboard
USER switchboard
WORKDIR /etc/switchboard
EXPOSE 4100
ENTRYPOINT ["switchboard"]
CMD ["serve"]
