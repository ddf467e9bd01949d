# minilm: rendered by Portside from minilm.yaml and minilm.lock.
# DOCKER_BUILDKIT=1 docker build --network none --tag minilm .      (podman build accepts it too)
FROM scratch AS base
ADD base.tar /

FROM base AS env
ENV HF_HUB_OFFLINE="1" PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" TRANSFORMERS_OFFLINE="1"
ARG SOURCE_DATE_EPOCH=1794964722
ARG DEBIAN_FRONTEND=noninteractive
ARG LC_ALL=C.UTF-8
ARG PYTHONHASHSEED=0
ARG PIP_NO_INDEX=1
ARG PIP_NO_CACHE_DIR=1
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_BREAK_SYSTEM_PACKAGES=1

RUN --mount=type=bind,source=env/minilm,target=/run/portside/env \
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
 && GIT_CONFIG_SYSTEM=/tmp/gitconfig apt-get install --yes --no-install-recommends \
        --option Dpkg::Options::=--force-unsafe-io --option Dpkg::Options::=--force-confold \
        /run/portside/env/debs/*.deb < /dev/null \
 && rm /usr/sbin/policy-rc.d \
 && rm --force /etc/.pwd.lock /var/lib/dpkg/lock /var/lib/dpkg/lock-frontend /var/lib/dpkg/triggers/Lock
RUN --mount=type=bind,source=env/minilm,target=/run/portside/env \
    python3 -m pip install --no-deps --require-hashes --find-links /run/portside/env/wheels \
        --requirement /run/portside/env/requirements.txt


FROM env AS sources
COPY sources/ /workspace/minilm/

FROM sources AS migrated
COPY migrated/ /workspace/minilm/
ARG SOURCE_DATE_EPOCH=1794964722
ARG DEBIAN_FRONTEND=noninteractive
ARG LC_ALL=C.UTF-8
ARG PYTHONHASHSEED=0
ARG PIP_NO_INDEX=1
ARG PIP_NO_CACHE_DIR=1
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_BREAK_SYSTEM_PACKAGES=1

WORKDIR /workspace/minilm
RUN python3 -m pip install --no-deps --no-build-isolation --editable transformers_mlu


FROM migrated AS weights
COPY weights/ /workspace/minilm/weights/
WORKDIR /workspace/minilm
LABEL org.opencontainers.image.description="Sentence embeddings with all-MiniLM-L6-v2, computed in numpy, tokenised with migrated transformers"
LABEL org.opencontainers.image.title="minilm (weights)"
LABEL portside.accelerator="cpu"
LABEL portside.key.env="1440922e86e38e27649089b3eaf32588ae89d231a112c9942b4ac0e23fba0659"
LABEL portside.key.migrated="60f22073b0aea585b69cbb48614b56d79b363e1838e71b3eebfb904945a2f3df"
LABEL portside.key.sources="5b1dc0ead7644bc050ec0f54afa900f844dae42f59f185c93b4985c3860fd457"
LABEL portside.key.weights="75ab7a24c0562cb26d3845ef340cef6bdd2e0aa4a3f7699693c443781e967f48"
LABEL portside.layer="weights"
LABEL portside.recipe="minilm"
CMD ["/bin/sh"]
