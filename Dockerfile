# One image for every process; docker-compose.yml says which one runs.
FROM python:3.11-slim
RUN useradd --create-home --uid 10001 yinling
WORKDIR /app
COPY requirements.lock pyproject.toml ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY backend backend
COPY dispatch dispatch
COPY migrations migrations
# compiled once, for any processor of this kind: processes that run under another name look for the same kernels
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 YINLING_HOST=0.0.0.0 YINLING_KERNELS=/app/kernels NUMBA_CPU_NAME=generic
RUN python -m backend kernels
USER yinling
ENTRYPOINT ["python", "-m", "backend"]
CMD ["web"]
