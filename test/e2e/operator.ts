import {execa} from 'execa'
import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {Ended, Lab} from '../lab/lab.js'
import {Terminal} from './terminal.js'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

/** Whose login an operator uses: root, or a user whose sudo asks for a password. */
export type Login = 'root' | 'ops'

/** Quorate while it runs. */
export interface Running {
  readonly ended: Promise<Ended>
  readonly over: () => boolean
  readonly signal: (name: NodeJS.Signals) => boolean
}

/** One line of a plan's journal, as far as tests look at it. */
export interface JournalLine {
  readonly type: string
  readonly seq: number
  readonly step?: string
  readonly host?: string
  readonly outcome?: string
}

/** Someone at a machine in the servers' network, with a home of their own and the built command line. */
export class Operator {
  readonly home = mkdtempSync(join(tmpdir(), 'quorate-e2e-'))

  constructor(
    readonly lab: Lab,
    readonly login: Login,
  ) {
    const {key, knownHosts} = lab.ssh
    const inventory = {
      clusters: {
        lab: {
          product: 'consul',
          ssh: {user: login, identity: key, known_hosts: knownHosts},
          ...(login === 'ops' ? {sudo: {password: {env: 'LAB_SUDO_PASSWORD'}}} : {}),
          hosts: lab.numbers.map(i => ({name: lab.name(i), address: lab.address(i)})),
        },
      },
    }
    mkdirSync(join(this.home, 'config', 'quorate'), {recursive: true})
    writeFileSync(join(this.home, 'config', 'quorate', 'quorate.yaml'), JSON.stringify(inventory, null, 2))
  }

  private get environment(): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.home,
      XDG_CONFIG_HOME: join(this.home, 'config'),
      XDG_STATE_HOME: join(this.home, 'state'),
      XDG_CACHE_HOME: join(this.home, 'cache'),
      LAB_SUDO_PASSWORD: this.lab.ssh.sudoPassword,
      // The lab's reference servers reconcile every 5 s; real ones are watched for as long as they take by default.
      ...(this.lab.binary.kind === 'reference' ? {QUORATE_RECONCILE: '7'} : {}),
      TERM: 'dumb',
      LC_ALL: 'C.UTF-8',
    }
  }

  private enter(args: readonly string[]): readonly string[] {
    return [`--net=/run/netns/ql${this.lab.id}-ops`, '--', process.execPath, CLI, ...args]
  }

  /** Starts quorate at a terminal. */
  atTerminal(...args: readonly string[]): Terminal {
    return new Terminal(['nsenter', ...this.enter(args)], this.home, this.environment)
  }

  /** Starts quorate and returns while it runs; its process id is quorate's own. */
  start(args: readonly string[]): Running {
    const child = execa('nsenter', this.enter(args), {
      reject: false,
      stdin: 'ignore',
      cwd: this.home,
      env: this.environment,
      extendEnv: false,
    })
    const running: {over: boolean} = {over: false}
    const ended = child.then(({exitCode, stdout, stderr}) => {
      running.over = true
      return {exitCode, stdout, stderr}
    })
    return {ended, over: () => running.over, signal: name => child.kill(name)}
  }

  /** Runs quorate to its end. */
  async run(...args: readonly string[]): Promise<Ended> {
    return this.start(args).ended
  }

  /** Runs quorate with --json and returns its exit status with the parsed answer. */
  async json<T>(
    ...args: readonly string[]
  ): Promise<{exitCode: number | undefined; answer: Answer<T>; text: string}> {
    const {exitCode, stdout, stderr} = await this.run(...args, '--json')
    const text = `${stdout}\n${stderr}`
    try {
      return {exitCode, answer: JSON.parse(stdout) as Answer<T>, text}
    } catch (error) {
      throw new Error(`no JSON from quorate ${args.join(' ')}: ${text}`, {cause: error})
    }
  }

  private get journals(): string {
    return join(this.home, 'state', 'quorate', 'journal')
  }

  /** Ids of the plans that have a journal, oldest first. */
  plans(): readonly string[] {
    if (!existsSync(this.journals)) return []
    const names = readdirSync(this.journals).filter(name => name.endsWith('.jsonl'))
    return names.map(name => name.slice(0, -'.jsonl'.length)).sort()
  }

  /** The whole lines on disk of a plan's journal (of the newest by default). */
  journal(plan = this.plans().at(-1)): readonly JournalLine[] {
    if (plan === undefined) return []
    const lines = readFileSync(join(this.journals, `${plan}.jsonl`), 'utf8')
      .split('\n')
      .slice(0, -1)
    return lines.map(line => JSON.parse(line) as JournalLine)
  }

  /** Removes the home. */
  leave(): void {
    rmSync(this.home, {recursive: true, force: true})
  }
}

/** The envelope of every --json answer. */
export interface Answer<T> {
  readonly exit: number
  readonly result?: T
  readonly error?: {readonly code: string; readonly message: string; readonly hints: readonly string[]}
}
