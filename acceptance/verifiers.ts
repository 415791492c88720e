/** The programs of docs/verifying-programs.md, each a process that says of tokens whether they are good. */
import { spawn, spawnSync } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { command } from '../test/support/command.js';

const VERIFIERS = fileURLToPath(new URL('verifiers/', import.meta.url));
export const ISSUER = 'https://login.example.com';
const JWKS = '/.well-known/jwks.json';
const MAX_LINES = 40;
export const GOOD_ANSWER = /^good 1$/;

const FORMS = ['jwks', 'secret'] as const;
type Form = (typeof FORMS)[number];

/** How the programs below a heading are built and run, in a copy of the directory of their language. */
type Toolchain = {
  heading: string;
  directory: string;
  /** What fails where the toolchain is missing. */
  needs: string;
  file: (form: Form) => string;
  build: string;
  run: string;
};

export const TOOLCHAINS: Toolchain[] = [
  {
    heading: 'Node.js: jose',
    directory: 'node',
    needs: 'node --version',
    file: (form) => `${form}.js`,
    build: 'true',
    run: 'exec node main.js',
  },
  {
    heading: 'Python: PyJWT',
    directory: 'python',
    needs: 'python3 --version',
    file: (form) => `${form}.py`,
    build: 'python3 -m venv venv && venv/bin/pip install --quiet -r requirements.txt',
    run: 'exec venv/bin/python main.py',
  },
  {
    heading: 'Go: golang-jwt',
    directory: 'go',
    needs: 'go version',
    file: (form) => `${form}/${form}.go`,
    build: 'go vet ./... && go build -o main',
    run: 'exec ./main',
  },
  {
    heading: 'Java: nimbus-jose-jwt',
    directory: 'java',
    needs: 'java --version && mvn --version',
    file: (form) => `src/main/java/${form === 'jwks' ? 'Jwks' : 'Secret'}Verifier.java`,
    build: 'mvn --batch-mode compile',
    run: "exec java -cp 'target/classes:target/dependency/*' Main",
  },
  {
    heading: 'Ruby: ruby-jwt',
    directory: 'ruby',
    needs: 'ruby -e "require %q(jwt)"',
    file: (form) => `${form}.rb`,
    build: 'ruby -wc *.rb',
    run: 'exec ruby main.rb',
  },
  {
    heading: 'Rust: jsonwebtoken',
    directory: 'rust',
    needs: 'cargo --version',
    file: (form) => `src/${form}.rs`,
    build: 'cargo build --locked',
    run: 'exec target/debug/verifiers',
  },
];

const guide = await readFile(new URL('../docs/verifying-programs.md', import.meta.url), 'utf8');
const { PATH, HOME } = process.env;

function programOf({ heading }: Toolchain, form: Form): string {
  const [, section = ''] = guide.split(`\n## ${heading}\n`);
  const [own = ''] = section.split(/^## /m);
  const programs = [...own.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, program = '']) => program);
  const program = programs[FORMS.indexOf(form)];
  if (program === undefined || programs.length !== FORMS.length) throw new Error(`the guide has lost ${heading}`);
  return program;
}

export function missing({ needs }: Toolchain): string | false {
  return spawnSync('bash', ['-c', needs]).status !== 0 && `not run here: "${needs}" fails`;
}

export type Verifier = {
  name: string;
  /** @returns `good` with the user's id, or `bad` with the reason; `exited` where the program does not run */
  ask(token: string): Promise<string>;
};

export type Built = Toolchain & { cwd: string };

/** Builds the programs as the guide has them, but for the address of the service. */
export async function build(t: Test, toolchain: Toolchain, cwd: string, url: string): Promise<Built> {
  await cp(join(VERIFIERS, toolchain.directory), cwd, { recursive: true });
  for (const form of FORMS) {
    const program = programOf(toolchain, form);
    t.ok(program.split('\n').length <= MAX_LINES, `by ${form} in at most ${MAX_LINES} lines`);
    const file = join(cwd, toolchain.file(form));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, program.replace(`${ISSUER}${JWKS}`, `${url}${JWKS}`));
  }
  const made = await command({ cwd, env: { PATH, HOME } }, 'bash', '-ec', toolchain.build);
  t.equal(made.code, 0, 'the programs compile', { output: made.output });
  return { ...toolchain, cwd };
}

export function startVerifier(
  t: Test,
  { heading, cwd, run }: Built,
  form: Form,
  env: NodeJS.ProcessEnv = {},
): Verifier {
  const child = spawn('bash', ['-c', `${run} ${form}`], {
    cwd,
    env: { PATH, HOME, ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => {});
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name: heading,
    async ask(token) {
      child.stdin.write(`${token}\n`);
      const { value, done } = await answers.next();
      return done ? 'exited' : value;
    },
  };
}
