# syntax=docker/dockerfile:1
# Jeday in a container, with a database of yours. The kernel has to let it use io_uring: deploy/seccomp.json does.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
ARG BUILD_COMMIT=unknown
# What was built for the last image is there again, but the program has to leave the cache that it lies in.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin jeday \
    && install -D target/release/jeday /image/usr/local/bin/jeday \
    && install -D /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt

FROM debian:bookworm-slim
# A number, so that an engine that checks for root need not look into the image. Its home has the keys.
RUN useradd --system --uid 10001 --home-dir /var/lib/jeday --create-home --shell /usr/sbin/nologin jeday
COPY --from=build /image/ /
USER 10001
ENV SERVER_ADDRESS=:8080
EXPOSE 8080
# Asks at METRICS_ADDRESS, and so does not depend on who may reach the other one.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["jeday", "status", "--health"]
ENTRYPOINT ["jeday"]
CMD ["serve"]
