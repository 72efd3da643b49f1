# Jeday in a container, with a database of yours. The kernel has to let it use io_uring: see docker-compose.yml.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
ARG BUILD_COMMIT=unknown
RUN cargo build --release --locked --bin jeday

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/jeday --create-home jeday
COPY --from=build /source/target/release/jeday /usr/local/bin/jeday
USER jeday
ENV SERVER_ADDRESS=:8080
EXPOSE 8080
ENTRYPOINT ["jeday"]
CMD ["serve"]
