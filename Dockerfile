ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG PARTS=serve
WORKDIR /build
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/heartline
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_DEPS=1
COPY requirements requirements
RUN tools/bin/pip install --require-hashes -r requirements/build.txt \
 && tools/bin/pip --python /opt/heartline install --require-hashes -r requirements/$PARTS.txt
COPY pyproject.toml README.md LICENSE ./
COPY heartline heartline
COPY model model
COPY service service
RUN tools/bin/pip wheel --no-build-isolation --wheel-dir wheels . \
 && tools/bin/pip --python /opt/heartline install wheels/*.whl

FROM ${PYTHON_IMAGE} AS bare
# Without shell, package manager and the rest: what is not there needs no update and helps nobody
# who gets in. Only links and files go, and Python stays.
RUN find /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin ! -type d ! -name 'python3*' -delete

FROM scratch
COPY --from=bare / /
COPY --from=build /opt/heartline /opt/heartline
WORKDIR /app
COPY artifacts artifacts
ENV PATH=/opt/heartline/bin:/usr/local/bin:/usr/bin LANG=C.UTF-8 HEARTLINE_HOST=0.0.0.0 \
  PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python3", "-c", \
  "import os, urllib.request as u; e = os.environ.get; u.urlopen('http://127.0.0.1:' + (e('HEARTLINE_PORT') or e('PORT') or '8000') + '/readyz')"]
ENTRYPOINT ["heartline"]
CMD ["serve"]
