# The best that is written by hand: what changes most seldom lies lowest, nothing that is copied depends on what lies
# below it, and the recipe's own files come after the install step, which does not need them.
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

FROM env
WORKDIR /workspace/minilm
COPY --link weights/ /workspace/minilm/weights/
COPY --link sources/ /workspace/minilm/
COPY --link migrated/transformers_mlu/ /workspace/minilm/transformers_mlu/
COPY --link migrated/upstream_mlu/ /workspace/minilm/upstream_mlu/
COPY --link migrated/migration/ /workspace/minilm/migration/
RUN python3 -m pip install --no-deps --no-build-isolation --editable transformers_mlu
COPY --link migrated/embed.py migrated/say.txt /workspace/minilm/
CMD ["/bin/sh"]
