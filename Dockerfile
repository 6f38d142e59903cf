# One image for every role; docker-compose.yml says which one a container runs.
FROM node:24-slim

ENV NODE_ENV=production
WORKDIR /app

# Without the optional packages: those are the PostgreSQL programs of the embedded way of running, which containers do not use.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

COPY . .

USER node
CMD ["node", "commands/main.ts"]
