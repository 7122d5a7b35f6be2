# syntax=docker/dockerfile:1

# Both images can be replaced, for a mirror or for a digest: `--build-arg RUST_IMAGE=…`. Build and
# runtime have to share a Debian release, because the binary links its C library.
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS build
WORKDIR /build
# One cache for each platform: a build for two of them runs side by side.
ARG TARGETPLATFORM
COPY Cargo.toml Cargo.lock ./
# Settings of the build itself: without them every start of the program is slower.
COPY .cargo/config.toml .cargo/config.toml
COPY config config
COPY src src
# What the build is trained with, and how.
COPY examples examples
COPY scripts/release.sh scripts/release.sh
# Dependencies stay compiled in the cache mount; only the binary leaves it. The base image carries
# the toolchain: crates of the lock file are downloaded, and the toolchain's own tools for profiles.
RUN --mount=type=cache,id=cargo-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=target-${TARGETPLATFORM},target=/build/target,sharing=locked \
    scripts/release.sh \
    && install -D -m 0755 target/pgo/liquid-auth-proxy /out/liquid-auth-proxy

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="liquid-auth-proxy" \
      org.opencontainers.image.description="A local auth proxy for the LiquidCommerce API" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /out/liquid-auth-proxy /usr/local/bin/liquid-auth-proxy
# A number, because Kubernetes cannot tell from a name that it is not root's.
USER 65532:65532
# No EXPOSE: the proxy listens on loopback, and the app beside it shares its network namespace.
STOPSIGNAL SIGTERM
# The image has no shell and no curl: the program asks its own admin listener.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/liquid-auth-proxy", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/liquid-auth-proxy"]
