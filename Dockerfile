# One image per app:  docker build --build-arg APP=router --build-arg HEALTH_URL=http://127.0.0.1:8082/readyz -t sluice/router .
# APP is the name of a folder in apps/ with a main.ts; all share every layer but their own. No BuildKit needed.
ARG NODE_IMAGE=node:24-bookworm-slim

# The manifests alone, so that an edit of the sources does not install anything again. Of the root's development
# dependencies only the compiler; tokenizers, linters and test tools stay out.
FROM $NODE_IMAGE AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete && find . -type d -empty -delete
RUN node -e "const { readFileSync, writeFileSync } = require('fs'); \
    const { optionalDependencies, ...manifest } = JSON.parse(readFileSync('package.json', 'utf8')); \
    manifest.devDependencies = { '@swc/core': manifest.devDependencies['@swc/core'] }; \
    writeFileSync('package.json', JSON.stringify(manifest));"

FROM $NODE_IMAGE AS build
WORKDIR /src
COPY --from=manifests /src ./
RUN npm install --no-audit --no-fund --loglevel=error
COPY . .
# Every app is compiled and laid out with what it needs at run time, once for all images.
RUN node tools/dev/build.mjs && for main in apps/*/dist/main.js; do \
      app=$(basename "${main%/dist/main.js}"); \
      node deploy/image/assemble.mjs "$app" "/image/$app/sluice" && cp deploy/image/healthcheck.mjs "/image/$app/sluice/" || exit 1; \
    done

# Node itself with the C libraries that it loads. No shell, no package manager; the same layers under every app.
FROM $NODE_IMAGE AS runtime
RUN mkdir -p /runtime/usr/local/bin /runtime/etc /runtime/tmp && chmod 1777 /runtime/tmp \
 && cp "$(command -v node)" /runtime/usr/local/bin/node \
 && ldd "$(command -v node)" | grep -o '/[^ ]*' | xargs -I LIB cp -L --parents LIB /runtime \
 && echo 'sluice:x:1000:1000::/sluice:/usr/local/bin/node' >/runtime/etc/passwd

FROM scratch AS base
COPY --from=runtime /runtime /
ENV PATH=/usr/local/bin NODE_ENV=production SLUICE_HOST=0.0.0.0 SLUICE_FLEET=/etc/sluice/fleet.yaml
WORKDIR /sluice
USER 1000:1000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["node", "/sluice/healthcheck.mjs"]
ENTRYPOINT ["node", "--enable-source-maps", "/sluice/app/dist/main.js"]

# One app. Writes nothing: run it with a read-only root.
FROM base
ARG APP=standalone
COPY --from=build /image/$APP /
ARG HEALTH_URL=http://127.0.0.1:8081/readyz
ENV HEALTH_URL=$HEALTH_URL
