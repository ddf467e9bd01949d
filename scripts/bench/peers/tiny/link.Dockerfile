# The best that is written by hand: what changes most seldom lies lowest, nothing that is copied depends on what lies
# below it, and the recipe's own files come after the install step, which does not need them.
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


COPY --link env-files/tiny/ /

FROM env
WORKDIR /workspace/tiny
COPY --link weights/ /workspace/tiny/weights/
COPY --link sources/ /workspace/tiny/
COPY --link migrated/upstream_mlu/ /workspace/tiny/upstream_mlu/
COPY --link migrated/migration/ /workspace/tiny/migration/
RUN cat upstream_mlu/told.py > installed.txt
COPY --link migrated/say.txt /workspace/tiny/
CMD ["/bin/sh"]
