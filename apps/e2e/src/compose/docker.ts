import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { repoRoot } from '@sluice/testkit';
import { ask, type Environment, run } from './command.ts';

/** A Docker engine that answers, and the compose that goes with it. */
export interface Docker {
  /** Environment in which `docker` and compose reach the engine. */
  readonly env: Environment;
  /** `docker compose` or `docker-compose`. */
  readonly compose: readonly [program: string, ...args: string[]];
  /** Such as `Docker 20.10.24`. */
  readonly versions: readonly string[];
  /** Makes local images under the names of those that are not here and cannot be pulled; null where that is not needed. */
  readonly standIns: ((images: readonly string[]) => Promise<void>) | null;
  /** Ends the engine if it was started for this run. */
  stop(): Promise<void>;
}

export type FoundDocker =
  { readonly kind: 'docker'; readonly docker: Docker } | { readonly kind: 'missing'; readonly reason: string };

const ASK_MS = 20_000;
const START_MS = 300_000;

/** Kinds of images that the kit can make, by the name that an image is asked for. */
const KINDS: readonly (readonly [pattern: RegExp, kind: string])[] = [
  [/^node:/, 'node'],
  [/^nats:/, 'nats'],
  [/^redis:/, 'redis'],
  [/^prom\/prometheus:/, 'prometheus'],
];

/**
 * The engine that runs, or one that the kit in `SLUICE_DOCKER_KIT` starts: a folder with start-docker.sh, stand-in.sh and
 * stop-docker.sh for machines that reach no image registry. Its data are in `SLUICE_DOCKER_DIR`, else in a temporary folder.
 */
export async function openDocker(env: Environment): Promise<FoundDocker> {
  const kit = resolve(repoRoot, env['SLUICE_DOCKER_KIT'] ?? '../shared/docker');
  const hasKit = await access(join(kit, 'start-docker.sh')).then(
    () => true,
    () => false,
  );
  const standIns = hasKit ? standInMaker(kit) : null;
  if ((await serverVersion(env)) !== null) return complete(env, standIns, async () => {});
  if (!hasKit) return { kind: 'missing', reason: 'needs a running Docker engine that `docker info` reaches' };

  const dir = env['SLUICE_DOCKER_DIR'] ?? (await mkdtemp(join(tmpdir(), 'sluice-docker-')));
  const stop = async (): Promise<void> => {
    const wipe = env['SLUICE_DOCKER_DIR'] === undefined;
    try {
      await run(join(kit, 'stop-docker.sh'), [dir, ...(wipe ? ['--wipe'] : [])], { env, timeoutMs: START_MS });
    } finally {
      if (wipe) await rm(dir, { recursive: true, force: true });
    }
  };
  try {
    const said = await run(join(kit, 'start-docker.sh'), [dir], { env, timeoutMs: START_MS });
    const host = /DOCKER_HOST=(\S+)/.exec(said)?.[1];
    return await complete({ ...env, DOCKER_HOST: host }, standIns, stop);
  } catch (error) {
    await stop().catch(() => undefined);
    return { kind: 'missing', reason: `no Docker engine can run here: ${(error as Error).message}` };
  }
}

async function complete(
  env: Environment,
  standIns: ((env: Environment, images: readonly string[]) => Promise<void>) | null,
  stop: () => Promise<void>,
): Promise<FoundDocker> {
  const version = await serverVersion(env);
  const options = { env, timeoutMs: ASK_MS };
  const second = await ask('docker', ['compose', 'version', '--short'], options);
  const first = second === null ? await ask('docker-compose', ['version', '--short'], options) : null;
  if (version === null || (second ?? first) === null) {
    await stop();
    return { kind: 'missing', reason: 'needs `docker compose` 2 or `docker-compose` 1.29 beside the Docker engine' };
  }
  return {
    kind: 'docker',
    docker: {
      env,
      compose: second === null ? ['docker-compose'] : ['docker', 'compose'],
      versions: [`Docker ${version}`, `${second === null ? 'docker-compose' : 'docker compose'} ${second ?? first}`],
      standIns: standIns === null ? null : (images) => standIns(env, images),
      stop,
    },
  };
}

const serverVersion = (env: Environment): Promise<string | null> =>
  ask('docker', ['version', '--format', '{{.Server.Version}}'], { env, timeoutMs: ASK_MS });

/** Images that are here already stay as they are. */
function standInMaker(kit: string): (env: Environment, images: readonly string[]) => Promise<void> {
  return async (env, images) => {
    const pairs: string[] = [];
    for (const image of images) {
      if ((await ask('docker', ['image', 'inspect', image], { env, timeoutMs: ASK_MS })) !== null) continue;
      const kind = KINDS.find(([pattern]) => pattern.test(image))?.[1];
      if (kind !== undefined) pairs.push(`${kind}=${image}`);
    }
    if (pairs.length > 0) await run(join(kit, 'stand-in.sh'), pairs, { env, timeoutMs: 600_000 });
  };
}

/** Image that the Dockerfile builds on. */
export async function baseImage(): Promise<string> {
  const dockerfile = await readFile(join(repoRoot, 'Dockerfile'), 'utf8');
  return /^ARG NODE_IMAGE=(\S+)/m.exec(dockerfile)![1]!;
}
