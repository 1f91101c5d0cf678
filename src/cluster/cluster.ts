import {existsSync} from 'node:fs'
import {mkdir, open, readFile, rm} from 'node:fs/promises'
import {writeDurably} from '../adapters/durable-file.js'
import {QuorateError} from '../errors.js'
import {agentConfig} from './agent-config.js'
import {askSelf, leaderSeenBy} from './api.js'
import {whileLocked} from './lock.js'
import {addressOf} from './network.js'
import {awaitEnd, findAgent, memberArguments, signalAgent, startAgent} from './process.js'
import type {AgentProcess} from './process.js'
import {clusterDirectory, memberFiles, readState, writeState} from './state.js'
import type {ClusterMember, ClusterState, MemberFiles} from './state.js'

type Environment = Readonly<Record<string, string | undefined>>

/** A member as it is now. `held`: a plan keeps it from being started. */
export interface MemberStatus {
  readonly member: ClusterMember
  readonly files: MemberFiles
  readonly process: AgentProcess | undefined
  readonly held: string | undefined
  /** Its machine burned: `destroy` took its directory. */
  readonly gone: boolean
  /** The leader that it knows; empty when it knows none, undefined when it does not answer. */
  readonly leader: string | undefined
  readonly role: string | undefined
  readonly lastIndex: number | undefined
  /** Addresses whose traffic it refuses, as its file has them. */
  readonly refuses: readonly string[]
}

const KILL_MS = 5000

/** A local cluster: real agents on loopback addresses, and everything that is done to them. */
export class LocalCluster {
  private constructor(
    readonly directory: string,
    private known: ClusterState,
  ) {}

  /** Opens the cluster of a name. Throws CLUSTER_UNKNOWN. */
  static async open(env: Environment, name: string): Promise<LocalCluster> {
    const directory = clusterDirectory(env, name)
    const state = await readState(directory)
    if (state !== undefined) return new LocalCluster(directory, state)
    throw new QuorateError('CLUSTER_UNKNOWN', `There is no local cluster '${name}'.`, {
      hints: [
        name === 'local' ? 'quorate cluster up' : `quorate cluster up --name ${name}`,
        'quorate cluster list',
      ],
    })
  }

  /** The cluster of a state that was just written. */
  static of(directory: string, state: ClusterState): LocalCluster {
    return new LocalCluster(directory, state)
  }

  get state(): ClusterState {
    return this.known
  }

  get name(): string {
    return this.known.name
  }

  get servers(): readonly ClusterMember[] {
    return this.known.members.filter(member => member.kind !== 'client')
  }

  files(member: ClusterMember): MemberFiles {
    return memberFiles(this.directory, member.name)
  }

  /** Members by name, number or address. Throws UNKNOWN_SERVER. */
  members(words: readonly string[]): readonly ClusterMember[] {
    return words.map(word => {
      const found = this.known.members.find(
        ({name, address}) => name === word || address === word || name === `server${word}`,
      )
      if (found !== undefined) return found
      const names = this.known.members.map(member => member.name).join(', ')
      throw new QuorateError(
        'UNKNOWN_SERVER',
        `Cluster '${this.name}' has no '${word.slice(0, 60)}'; it has ${names}.`,
      )
    })
  }

  process(member: ClusterMember): AgentProcess | undefined {
    return findAgent(this.files(member))
  }

  /** The plan that keeps a member from being started. */
  async heldBy(member: ClusterMember): Promise<string | undefined> {
    const {hold} = this.files(member)
    return existsSync(hold) ? (await readFile(hold, 'utf8')).trim() : undefined
  }

  /** Writes a member's directory and configuration; what is there already of its data stays. */
  async layOut(member: ClusterMember, change: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const files = this.files(member)
    await mkdir(files.data, {recursive: true, mode: 0o700})
    await mkdir(files.configDir, {recursive: true, mode: 0o700})
    await this.#noteUnit(member)
    const config = {...agentConfig(this.known, member), ...change}
    await writeDurably(files.config, `${JSON.stringify(config, null, 2)}\n`)
  }

  async #noteUnit(member: ClusterMember): Promise<void> {
    const files = this.files(member)
    const version = this.known.version === null ? '' : `version=${this.known.version}\n`
    await writeDurably(
      files.unit,
      `${version}${[...this.known.command, ...memberArguments(this.known, files)].join(' ')}\n`,
    )
  }

  /** Notes the version that an agent told: a stopped server cannot be asked. */
  async noteVersion(version: string): Promise<void> {
    if (version === this.known.version) return
    await this.save({...this.known, version})
    for (const member of this.known.members) await this.#noteUnit(member)
  }

  /** Starts members. Throws HELD for one that a plan holds; does nothing to those that run. */
  async start(members: readonly ClusterMember[]): Promise<void> {
    await whileLocked(this.directory, async () => {
      for (const member of members) {
        if (!existsSync(this.files(member).directory))
          throw new QuorateError(
            'GONE',
            `${member.name} is gone for good; a new machine of its name is blank.`,
            {
              hints: [`quorate cluster wipe ${member.name} --name ${this.name}`],
            },
          )
        const plan = await this.heldBy(member)
        if (plan !== undefined)
          throw new QuorateError('HELD', `${member.name} is held by plan ${plan} and was not started.`, {
            hints: [`quorate resume ${plan}`, `quorate resume ${plan} --back`],
          })
      }
      await Promise.all(members.map(async member => startAgent(this.known, this.files(member))))
    })
  }

  /** Sends a signal; names of those that do not run come back. */
  signal(members: readonly ClusterMember[], signal: NodeJS.Signals): readonly string[] {
    return members.filter(member => !signalAgent(this.files(member), signal)).map(member => member.name)
  }

  /** Sends a signal and waits for the ends. Those that still run afterwards come back. */
  async stop(
    members: readonly ClusterMember[],
    signal: NodeJS.Signals,
    withinMs = KILL_MS,
  ): Promise<readonly ClusterMember[]> {
    this.signal(members, signal)
    const ended = await Promise.all(members.map(async member => awaitEnd(this.files(member), withinMs)))
    return members.filter((_, i) => ended[i] === false)
  }

  /**
   * Makes groups refuse each other's traffic, in place of any partition before. `oneWay`: only the first group refuses
   * what comes from the others; the others still hear it.
   */
  async partition(groups: readonly (readonly ClusterMember[])[], oneWay: boolean): Promise<void> {
    await whileLocked(this.directory, async () => {
      await Promise.all(
        this.known.members.map(async member => {
          const at = groups.findIndex(group => group.includes(member))
          const others = at === -1 ? [] : groups.filter((_, i) => i !== at).flat()
          const lines = oneWay
            ? at === 0
              ? others.map(other => `from ${other.address}`)
              : []
            : others.map(other => other.address)
          const {refused} = this.files(member)
          if (lines.length === 0) await rm(refused, {force: true})
          else await writeDurably(refused, `${lines.join('\n')}\n`)
        }),
      )
    })
  }

  /** Lets the operator reach a member's machine, or not: a network may be cut between them as well. */
  async setReachable(members: readonly ClusterMember[], reachable: boolean): Promise<void> {
    for (const member of members) {
      const {unreachable} = this.files(member)
      if (reachable) await rm(unreachable, {force: true})
      else await writeDurably(unreachable, 'The network between the operator and this machine is cut.\n')
    }
  }

  /** Gives a stopped member another address; what it has on disk still names the old one. */
  async moveTo(member: ClusterMember, address: string): Promise<void> {
    const moved = {...member, address}
    await this.save({
      ...this.known,
      members: this.known.members.map(one => (one.name === member.name ? moved : one)),
    })
    for (const one of this.known.members) await this.layOut(one)
  }

  /** Ends any partition. */
  async heal(): Promise<void> {
    await this.partition([], false)
  }

  /** Burns members' machines: SIGKILL, and nothing of them is left; they answer no more until they are wiped. */
  async destroy(members: readonly ClusterMember[]): Promise<void> {
    await this.stop(members, 'SIGKILL')
    for (const member of members) await rm(this.files(member).directory, {recursive: true, force: true})
  }

  /** Makes stopped members blank; one whose machine burned gets a new one. Throws STILL_RUNS. */
  async wipe(members: readonly ClusterMember[]): Promise<void> {
    await whileLocked(this.directory, async () => {
      const running = members.filter(member => this.process(member) !== undefined)
      if (running.length > 0)
        throw new QuorateError(
          'STILL_RUNS',
          `${running.map(one => one.name).join(', ')} runs: its data stay.`,
          {
            hints: [`quorate cluster kill ${running.map(one => one.name).join(' ')} --name ${this.name}`],
          },
        )
      for (const member of members) {
        const {data, directory} = this.files(member)
        await rm(data, {recursive: true, force: true})
        if (existsSync(directory)) await mkdir(data, {recursive: true, mode: 0o700})
        else await this.layOut(member)
      }
    })
  }

  /** Adds one member and starts it. */
  async add(kind: ClusterMember['kind']): Promise<ClusterMember> {
    return whileLocked(this.directory, async () => {
      this.known = (await readState(this.directory)) ?? this.known
      const last = Math.max(0, ...this.known.members.map(one => Number(one.address.split('.')[3])))
      const member = newMember(this.known.members, this.known.network, last + 1, kind)
      await this.save({...this.known, members: [...this.known.members, member]})
      await this.layOut(member)
      await startAgent(this.known, this.files(member))
      return member
    })
  }

  async save(state: ClusterState): Promise<void> {
    await writeState(this.directory, state)
    this.known = state
  }

  /** How each member is now. */
  async status(): Promise<readonly MemberStatus[]> {
    return Promise.all(
      this.known.members.map(async member => {
        const files = this.files(member)
        const running = findAgent(files)
        const asked = running !== undefined && !running.paused
        const [leader, self, held, refuses] = await Promise.all([
          asked ? leaderSeenBy(member.address) : undefined,
          asked ? askSelf(member.address) : undefined,
          this.heldBy(member),
          existsSync(files.refused) ? readFile(files.refused, 'utf8') : '',
        ])
        return {
          member,
          files,
          process: running,
          held,
          gone: !existsSync(files.directory),
          leader,
          role: self?.role,
          lastIndex: self?.lastIndex,
          refuses: refuses.split('\n').filter(line => line !== ''),
        }
      }),
    )
  }

  /** The last bytes of a member's log. */
  async logTail(member: ClusterMember, bytes: number): Promise<string> {
    const {log} = this.files(member)
    if (!existsSync(log)) return ''
    const file = await open(log, 'r')
    try {
      const {size} = await file.stat()
      const length = Math.min(size, bytes)
      const {buffer} = await file.read(Buffer.alloc(length), 0, length, size - length)
      return buffer.toString('utf8')
    } finally {
      await file.close()
    }
  }
}

/** A member by its number in the network; members of a kind are counted by themselves. */
export function newMember(
  members: readonly ClusterMember[],
  network: string,
  number: number,
  kind: ClusterMember['kind'],
): ClusterMember {
  const word = kind === 'client' ? 'client' : 'server'
  const taken = members.flatMap(one =>
    one.name.startsWith(word) ? [Number(one.name.slice(word.length))] : [],
  )
  return {name: `${word}${Math.max(0, ...taken) + 1}`, kind, address: addressOf(network, number)}
}
