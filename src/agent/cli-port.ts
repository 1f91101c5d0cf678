import {rm} from 'node:fs/promises'
import {createServer} from 'node:net'
import type {AddressInfo, Socket} from 'node:net'
import {parseIp} from '../core/codec/address-bytes.js'
import type {CliRequest} from '../core/codec/cli-port.js'
import {CliRequestReader, encodeCliReply} from '../core/codec/cli-port.js'
import type {MsgpackInput} from '../core/codec/msgpack.js'
import {protocolsOf} from './backend.js'
import type {AgentBackend, KeyringOperation, PoolMember} from './backend.js'
import type {Listener} from './options.js'

const CONNECTIONS_MAX = 64
/** Requests of one connection that wait for their turn; a client that sends more is cut off. */
const WAITING_MAX = 128
/** A monitor that reads slower than the log is written misses lines beyond this. */
const UNSENT_MAX = 1 << 20
const MONITORS_MAX = 8
const LEVELS = ['trace', 'debug', 'info', 'warn', 'err', 'error']
const STATUSES = ['none', 'alive', 'leaving', 'left', 'failed']

/** A port that is served. */
export interface CliPort {
  readonly port: number | undefined
  close(): Promise<void>
}

/** Serves the command line protocol of Consul up to 0.7, for its `members`, `info`, `join`, `leave` and the like. */
export async function serveCliPort(backend: AgentBackend, listen: Listener): Promise<CliPort> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    new Session(backend, socket)
  })
  server.maxConnections = CONNECTIONS_MAX
  if (listen.kind === 'unix') await rm(listen.path, {force: true})
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(
      listen.kind === 'unix' ? {path: listen.path} : {host: listen.host, port: listen.port},
      () => {
        server.off('error', reject)
        resolve()
      },
    )
  })
  const address = server.address() as AddressInfo | string | null
  return {
    port: address === null || typeof address === 'string' ? undefined : address.port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        // What was answered last, such as that we leave, still goes out
        for (const socket of sockets) socket.destroySoon()
      }),
  }
}

type Answer = {readonly error?: string; readonly body?: MsgpackInput}

class Session {
  private readonly reader = new CliRequestReader()
  private greeted = false
  private waiting = 0
  private turn: Promise<void> = Promise.resolve()
  private readonly monitors = new Map<number, () => void>()

  constructor(
    private readonly backend: AgentBackend,
    private readonly socket: Socket,
  ) {
    socket.on('data', chunk => this.receive(chunk))
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      for (const stop of this.monitors.values()) stop()
      this.monitors.clear()
    })
  }

  private receive(chunk: Uint8Array): void {
    const requests = this.reader.feed(chunk)
    if (requests === undefined || this.waiting + requests.length > WAITING_MAX) {
      this.socket.destroy()
      return
    }
    this.waiting += requests.length
    for (const request of requests)
      this.turn = this.turn
        .then(() => this.answer(request))
        .catch(() => void this.socket.destroy())
        .finally(() => (this.waiting -= 1))
  }

  private async answer(request: CliRequest): Promise<void> {
    if (this.socket.destroyed) return
    const {error = '', body} = await this.perform(request)
    this.send(encodeCliReply(request.seq, error, body))
  }

  private send(bytes: Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }

  private async perform({command, seq, body}: CliRequest): Promise<Answer> {
    const {backend} = this
    if (command === 'handshake') return this.greet(body.version)
    if (!this.greeted) return {error: 'Handshake required'}
    switch (command) {
      case 'members-lan':
        return {body: {Members: backend.members('lan').map(memberOf)}}
      case 'members-wan':
        return backend.identity.server
          ? {body: {Members: backend.members('wan').map(memberOf)}}
          : {body: {Members: []}}
      case 'stats':
        return {body: backend.stats()}
      case 'join': {
        const joined = await backend.join(body.existing, body.wan ? 'wan' : 'lan')
        return typeof joined === 'number' ? {body: {Num: joined}} : {error: joined.problem, body: {Num: 0}}
      }
      case 'leave':
        return problem(await backend.leave())
      case 'force-leave':
        return problem(await backend.forceLeave(body.node, {prune: false, wan: false}))
      case 'reload':
        return problem(await backend.reload())
      case 'monitor':
        return this.monitor(seq, body.logLevel)
      case 'stop':
        this.monitors.get(body.stop)?.()
        this.monitors.delete(body.stop)
        return {}
      case 'list-keys':
        return this.keyring({operation: 'list'})
      case 'install-key':
        return this.keyring({operation: 'install', key: body.key})
      case 'use-key':
        return this.keyring({operation: 'use', key: body.key})
      case 'remove-key':
        return this.keyring({operation: 'remove', key: body.key})
      default:
        return {error: 'Unsupported command'}
    }
  }

  private greet(version: number): Answer {
    if (this.greeted) return {error: 'Handshake already performed'}
    if (version !== 1) return {error: 'Unsupported RPC version'}
    this.greeted = true
    return {}
  }

  /** Lines follow the answer, each as a reply of its own with the number of the request. */
  private monitor(seq: number, wanted: string): Answer {
    const level = wanted.toLowerCase()
    if (!LEVELS.includes(level)) return {error: `Unknown log level: ${wanted}`}
    if (this.monitors.has(seq)) return {error: 'Monitor already exists'}
    if (this.monitors.size >= MONITORS_MAX) return {error: 'Too many monitors'}
    let started = false
    const earlier: string[] = []
    const send = (line: string): void => {
      if (!started) earlier.push(line)
      else if (this.socket.writableLength < UNSENT_MAX) this.send(encodeCliReply(seq, '', {Log: line}))
    }
    this.monitors.set(seq, this.backend.monitor(level, send))
    setImmediate(() => {
      started = true
      for (const line of earlier) send(line)
    })
    return {}
  }

  private async keyring(operation: KeyringOperation): Promise<Answer> {
    const answers = await this.backend.keyring(operation)
    const empty = {Keys: [], Messages: [], Info: []}
    if ('problem' in answers) return {error: answers.problem, body: empty}
    const pool = (wan: boolean): string => (wan ? 'WAN' : 'LAN')
    const failed = answers.find(answer => answer.error !== undefined)
    return {
      error: failed?.error ?? '',
      body: {
        Keys: answers.flatMap(({wan, datacenter, keys}) =>
          Object.entries(keys).map(([Key, Count]) => ({Datacenter: datacenter, Pool: pool(wan), Key, Count})),
        ),
        Messages: answers.flatMap(({wan, datacenter, messages}) =>
          Object.entries(messages).map(([Node, Message]) => ({
            Datacenter: datacenter,
            Pool: pool(wan),
            Node,
            Message,
          })),
        ),
        Info: answers.map(({wan, datacenter, nodes, error}) => ({
          Datacenter: datacenter,
          Pool: pool(wan),
          NumNodes: nodes,
          Error: error ?? '',
        })),
      },
    }
  }
}

function problem(found: {readonly problem: string} | undefined): Answer {
  return found === undefined ? {} : {error: found.problem}
}

function memberOf(member: PoolMember): MsgpackInput {
  return {
    Name: member.name,
    Addr: parseIp(member.address) ?? new Uint8Array(0),
    Port: member.port,
    Tags: member.tags,
    Status: STATUSES[member.status] ?? 'none',
    ...protocolsOf(member),
  }
}
