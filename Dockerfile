# Debian, not Alpine: Temporal's native core needs glibc.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without scripts: `prepare` would build, and the sources come later.
RUN npm ci --ignore-scripts
COPY . .
# What is a peer and a development dependency of ours, Temporal's SDK say, is here only the former. No peer
# is optional: `s3://`, `awsSigner` and PATIENT_TRACING are to work.
RUN npm run build \
  && npm pkg delete devDependencies peerDependenciesMeta && npm prune --ignore-scripts

FROM node:22-slim
# Temporal's native core and Node each trust their own list of authorities.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production PATIENT_LISTEN=0.0.0.0:8080
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
STOPSIGNAL SIGTERM
EXPOSE 8080
HEALTHCHECK --start-period=30s --interval=30s --timeout=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then(({ ok }) => process.exit(ok ? 0 : 1))"]
# Not through npm: the worker itself gets SIGTERM and drains. Give it longer than drainTimeout.
CMD ["node", "dist/src/cli/main.js", "worker"]
