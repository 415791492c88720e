# The service in an image of its own: no compiler, no package manager's cache, nothing that only tests need.
ARG NODE_VERSION=26.10.0

FROM node:${NODE_VERSION}-slim AS build
# better-sqlite3 is compiled where its prebuilt binary can't be had.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ make python3
# On all cores, with Node's own headers, which the image has, in place of a download.
ENV JOBS=max npm_config_nodedir=/usr/local
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm run production-files -- /app && install --directory --owner=1000 --group=1000 /volume/data

FROM node:${NODE_VERSION}-slim
LABEL org.opencontainers.image.title="Sessions API" \
      org.opencontainers.image.description="A contract-first login service: email and password in, JSON Web Token out" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production HOST=0.0.0.0
# A fifth less memory: docs/deploying.md, "Sizing". V8's young generation takes 32 MB by default, and glibc a heap for each thread.
ENV NODE_OPTIONS=--max-semi-space-size=4 MALLOC_ARENA_MAX=1
COPY --from=build /app /app
# Where DATABASE_URL leads by itself, seen from here, and the one place that is written to; the rest may be mounted read-only.
WORKDIR /
COPY --from=build /volume/ /
VOLUME /data
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "/app/dist/main.js", "health"]
# Node is process 1 and gets the signals itself: it starts no other process.
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]
