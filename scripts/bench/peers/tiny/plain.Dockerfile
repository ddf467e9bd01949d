# tiny: rendered by Portside from tiny.yaml and tiny.lock.
# DOCKER_BUILDKIT=1 docker build --network none --tag tiny .      (podman build accepts it too)
# Before that, docker load --input base.tar, and if BASE has no name here: --build-arg BASE=what it says.
ARG BASE=portside-bench/base:tiny
FROM ${BASE} AS env
ENV PATH="/usr/bin:/bin"
ARG SOURCE_DATE_EPOCH=1600000000
ARG DEBIAN_FRONTEND=noninteractive
ARG LC_ALL=C.UTF-8
ARG PYTHONHASHSEED=0
ARG PIP_NO_INDEX=1
ARG PIP_NO_CACHE_DIR=1
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_BREAK_SYSTEM_PACKAGES=1


COPY env-files/tiny/ /

FROM env AS sources
COPY sources/ /workspace/tiny/

FROM sources AS migrated
COPY migrated/ /workspace/tiny/
ARG SOURCE_DATE_EPOCH=1795904025
ARG DEBIAN_FRONTEND=noninteractive
ARG LC_ALL=C.UTF-8
ARG PYTHONHASHSEED=0
ARG PIP_NO_INDEX=1
ARG PIP_NO_CACHE_DIR=1
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_BREAK_SYSTEM_PACKAGES=1

WORKDIR /workspace/tiny
RUN cat upstream_mlu/told.py > installed.txt


FROM migrated AS weights
COPY weights/ /workspace/tiny/weights/
WORKDIR /workspace/tiny
LABEL org.opencontainers.image.description="What scripts/bench builds"
LABEL org.opencontainers.image.title="tiny (weights)"
LABEL portside.accelerator="cpu"
LABEL portside.key.env="0af8ba3383d9763c60c4b4ba387b70603a0e53eb51f7078f31b45868b81968cb"
LABEL portside.key.migrated="b83c7b377b13670720379f279e5d8edf3b75647bcc845df5e9a7d1efd22cdda5"
LABEL portside.key.sources="1b963ef13ce233ae1bfcb791ce757b6fb1751e4ffacea50793e4fa61bcd37904"
LABEL portside.key.weights="adcfe57fb7206d0e043e4574fcbb9e18068d6d2734c653cfbaa39b7d672db601"
LABEL portside.layer="weights"
LABEL portside.recipe="tiny"
CMD ["/bin/sh"]
