# The image as a container engine builds it, for amd64 and arm64:
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t pullcause:v1.2.3 \
#     --build-arg VERSION=v1.2.3 --build-arg COMMIT="$(git rev-parse HEAD)" .
#
# `make image` makes the same without an engine, and the same digest each time: see docs/release.md.
# test/image holds the two together.

# Only a tag is written here, since what is released is built by make image,
# where go.sum pins all. To pin the builder: --build-arg GO_IMAGE=golang:1.26@sha256:….
ARG GO_IMAGE=golang:1.26
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=devel
ARG COMMIT=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} GOAMD64=v1 GOARM64=v8.0 \
    go build -trimpath -buildvcs=false "-ldflags=-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /image/pullcause ./cmd/pullcause
RUN mkdir -p /image/etc/ssl/certs && cd test/image && go run ./cmd/roots > /image/etc/ssl/certs/ca-certificates.crt

# No shell, no libc, no package: a program and the certificates that it trusts.
FROM scratch
ARG VERSION=devel
ARG COMMIT=unknown
ARG CREATED
ARG SOURCE
LABEL org.opencontainers.image.title="pullcause" \
      org.opencontainers.image.description="Tells why a Kubernetes node cannot pull images." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /image/ /
# Logs and sockets of the node are root's. No capability is needed: drop all.
USER 0:0
WORKDIR /
EXPOSE 9808/tcp
ENTRYPOINT ["/pullcause"]
CMD ["run"]
