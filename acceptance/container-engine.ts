import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What an image says of itself, in Docker's words. */
export type ImageConfig = {
  User: string;
  Env: string[];
  Entrypoint: string[];
  Cmd: string[];
  WorkingDir: string;
  Volumes: { [path: string]: unknown };
  Healthcheck: { Test: string[] };
  Labels: { [name: string]: string };
};

export type RunOptions = {
  /** In place of the image's own; what `args` is given to. */
  entrypoint?: string[];
  args?: string[];
  env: { [name: string]: string };
  /** A directory that is mounted at the image's only volume. */
  volume: string;
};

export type Container = {
  process: ChildProcess;
  /** Sends a signal to the container's process 1. */
  kill(signal: NodeJS.Signals): Promise<void>;
};

export type ContainerEngine = {
  name: string;
  build(tag: string): Promise<void>;
  config(tag: string): Promise<ImageConfig>;
  /** Bytes of all its files. */
  size(tag: string): Promise<number>;
  /** Runs with a read-only root, with no rights, on the host's network. */
  run(tag: string, options: RunOptions): Promise<Container>;
};

/** The first that works here, or undefined: docker and podman only where they can run containers, buildah as root. */
export async function findContainerEngine(): Promise<ContainerEngine | undefined> {
  for (const name of ['docker', 'podman']) if (await works(name, 'info')) return dockerLike(name);
  return process.getuid?.() === 0 && (await works('buildah', 'info')) ? buildah : undefined;
}

async function works(command: string, ...args: string[]): Promise<boolean> {
  return execute(command, ...args).then(
    () => true,
    () => false,
  );
}

async function execute(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 2 ** 26 });
  return stdout.trim();
}

/** Shows what it does, for a build takes minutes; beside standard output, where the tests' results go. */
async function executeAloud(command: string, ...args: string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 2, 2] });
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('exit', resolve));
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${code}`);
}

function dockerLike(name: string): ContainerEngine {
  return {
    name,
    async build(tag) {
      // BuildKit does not name a base image that it pulls.
      await executeAloud(name, 'pull', await baseImage());
      // The format that knows HEALTHCHECK, which is docker's only one.
      const format = name === 'podman' ? ['--format=docker'] : [];
      await executeAloud(name, 'build', ...format, '--tag', tag, '.');
    },
    async config(tag) {
      const [{ Config, HealthCheck }] = JSON.parse(await execute(name, 'image', 'inspect', tag));
      // podman has it beside the rest.
      return { Healthcheck: HealthCheck, ...Config };
    },
    size: async (tag) => Number(await execute(name, 'image', 'inspect', '--format', '{{.Size}}', tag)),
    async run(tag, { entrypoint, args = [], env, volume }) {
      const { Volumes } = await this.config(tag);
      const options = ['--rm', '--interactive', '--read-only', '--network=host', '--cap-drop=ALL'];
      const variables = Object.entries(env).map(([variable, value]) => `--env=${variable}=${value}`);
      const [command, ...first] = entrypoint ?? [];
      const replaced = command === undefined ? [] : [`--entrypoint=${command}`];
      const mount = `--volume=${volume}:${Object.keys(Volumes)[0]}`;
      const child = spawn(name, ['run', ...options, ...variables, mount, ...replaced, tag, ...first, ...args]);
      return { process: child, kill: async (signal) => void child.kill(signal) };
    },
  };
}

/**
 * Buildah builds, but does not run with a read-only root; so its image's files are mounted read-only in namespaces of
 * their own, where what is started is process 1.
 */
const buildah: ContainerEngine = {
  name: 'buildah',
  async build(tag) {
    const base = await baseImage();
    if (!(await works('buildah', 'pull', '--policy=missing', base))) await executeAloud('scripts/base-image.sh', base);
    // The format that knows HEALTHCHECK.
    await executeAloud('buildah', 'build', '--isolation=chroot', '--format=docker', '--layers', '--tag', tag, '.');
  },
  config: async (tag) => JSON.parse(await execute('buildah', 'inspect', '--type=image', tag)).Docker.config,
  async size(tag) {
    const { root, remove } = await mountImage(tag);
    const [bytes] = (await execute('du', '--summarize', '--bytes', root)).split('\t');
    await remove();
    return Number(bytes);
  },
  async run(tag, { entrypoint, args, env, volume }) {
    const config = await this.config(tag);
    const { root, remove } = await mountImage(tag);
    const [mountPoint] = Object.keys(config.Volumes);
    const script = `set -e
      mount --bind "$0" "$0"; mount --bind "$1" "$0$2"; mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"
      mount -o remount,bind,ro "$0"; user=$3; root=$0; shift 3; exec chroot --userspec="$user" "$root" "$@"`;
    const variables = [...config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    const command = [...(entrypoint ?? config.Entrypoint), ...(args ?? (entrypoint ? [] : config.Cmd))];
    const inside = ['env', '--ignore-environment', `--chdir=${config.WorkingDir}`, ...variables, ...command];
    const outside = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script];
    const child = spawn('unshare', [...outside, root, volume, mountPoint ?? '', config.User, ...inside]);
    child.once('exit', remove);
    const kill = async (signal: NodeJS.Signals) => {
      const [pid] = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).split(' ');
      process.kill(Number(pid), signal);
    };
    return { process: child, kill };
  },
};

/** The image that the Dockerfile starts from. */
export async function baseImage(): Promise<string> {
  const [, version] = (await readFile('Dockerfile', 'utf8')).match(/^ARG NODE_VERSION=(\S+)$/m) ?? [];
  return `docker.io/library/node:${version}-slim`;
}

async function mountImage(tag: string): Promise<{ root: string; remove(): Promise<void> }> {
  const container = await execute('buildah', 'from', '--pull-never', tag);
  const root = await execute('buildah', 'mount', container);
  return { root, remove: async () => void (await execute('buildah', 'rm', container)) };
}
