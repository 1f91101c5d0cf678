import {randomUUID} from 'node:crypto'
import {HttpApi} from '../../../src/agent/http/api.js'
import type {HttpServer} from '../../../src/agent/http/server.js'
import {serveHttp} from '../../../src/agent/http/server.js'
import type {
  AgentBackend,
  HttpAnswer,
  HttpRequest,
  OutgoingSnapshot,
  Problem,
  UserEventRecord,
} from '../../../src/agent/backend.js'
import {encodeAutopilot, encodeRegistration} from '../../../src/core/fsm/commands.js'
import {NO_AUTOPILOT, NO_CHECK, NO_SERVICE} from '../../../src/core/fsm/read-records.js'
import {StateMachine} from '../../../src/core/fsm/state-machine.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'

const ID = '944906ab-c46d-f2db-ef64-9dca58853729'
const ADDRESS = '127.0.0.1'

/** A server alone: commands go straight to its state machine. The other side of the port that the API stands on. */
export class SingleServer implements AgentBackend {
  readonly identity = {
    nodeName: 'ref',
    nodeId: ID,
    datacenter: 'dc1',
    server: true,
    version: '1.16.6',
    revision: '',
    address: ADDRESS,
    nodeMeta: {'consul-network-segment': ''},
  }
  machine: StateMachine | undefined = new StateMachine()
  leading = true
  knowsLeader = true
  contactMs: number | undefined = 0
  clockMs = 0
  /** Where a forwarded request goes; nowhere unless set. */
  other: ((request: HttpRequest) => Promise<HttpAnswer | Problem>) | undefined
  logSink: ((line: string) => void) | undefined
  index = 0
  private readonly seen: UserEventRecord[] = []
  private readonly eventWakes = new Set<() => void>()
  private readonly leaderWakes = new Set<() => void>()

  constructor() {
    this.direct(
      encodeRegistration({
        node: {
          id: ID,
          node: 'ref',
          address: ADDRESS,
          datacenter: 'dc1',
          taggedAddresses: {lan: ADDRESS, wan: ADDRESS},
          meta: {'consul-network-segment': ''},
          createIndex: 0,
          modifyIndex: 0,
        },
        skipNodeUpdate: false,
        service: {...NO_SERVICE, id: 'consul', service: 'consul', port: 8300, meta: {version: '1.16.6'}},
        checks: [
          {
            ...NO_CHECK,
            checkId: 'serfHealth',
            name: 'Serf Health Status',
            status: 'passing',
            output: 'Agent alive and reachable',
          },
        ],
      }),
    )
    this.direct(
      encodeAutopilot(
        'dc1',
        {
          ...NO_AUTOPILOT,
          cleanupDeadServers: true,
          lastContactThresholdNs: 200e6,
          maxTrailingLogs: 250,
          serverStabilizationTimeNs: 10e9,
        },
        false,
      ),
    )
  }

  private direct(command: Uint8Array) {
    this.index++
    return {index: this.index, result: this.machine!.apply(this.index, command)}
  }

  leads = () => this.leading
  holdsLease = () => this.leading
  leader = () =>
    this.knowsLeader ? {id: serverId(ID), address: serverAddress(`${ADDRESS}:8300`)} : undefined
  lastContactMs = () => this.contactMs
  knowsServers = () => this.other !== undefined || this.identity.server
  monotonicMs = () => performance.now() + this.clockMs
  nowMs = () => Date.now()
  chance = () => 0
  uuid = () => randomUUID()

  awaitLeader(timeoutMs: number): Promise<boolean> {
    if (this.knowsLeader) return Promise.resolve(true)
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(false), timeoutMs)
      this.leaderWakes.add(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }

  gainLeader(leading: boolean): void {
    this.knowsLeader = true
    this.leading = leading
    for (const wake of this.leaderWakes) wake()
  }

  apply(command: Uint8Array) {
    return Promise.resolve(this.leading ? this.direct(command) : {problem: 'node is not the leader'})
  }

  readBarrier(): Promise<Problem | undefined> {
    return Promise.resolve(this.leading ? undefined : {problem: 'No cluster leader'})
  }

  forward(_to: 'leader' | 'any-server', request: HttpRequest): Promise<HttpAnswer | Problem> {
    return this.other?.(request) ?? Promise.resolve({problem: 'No cluster leader'})
  }

  /** Where a call goes that is passed on; nowhere unless set. */
  called: AgentBackend['call'] = () => Promise.resolve({kind: 'unreachable'})
  /** A server of another make that leads, or that is all a client knows. */
  otherMake: string | undefined
  stranger = () => this.otherMake
  call: AgentBackend['call'] = (...call) => this.called(...call)

  peers = () => [`${ADDRESS}:8300`]
  configuration = () => ({
    servers: [{id: serverId(ID), address: serverAddress(`${ADDRESS}:8300`), suffrage: 'voter' as const}],
  })
  removeServer = () => Promise.resolve(undefined)
  transferLeadership = () => Promise.resolve({problem: 'cannot find peer'})
  serverHealth = () => [
    {
      id: ID,
      name: 'ref',
      address: `${ADDRESS}:8300`,
      serfStatus: 'alive',
      version: '1.16.6',
      leader: true,
      lastContactMs: 0,
      lastTerm: 2,
      lastIndex: this.index,
      healthy: true,
      voter: true,
      stableSinceMs: Date.now(),
    },
  ]

  members = (pool: 'lan' | 'wan') => [
    {
      name: pool === 'lan' ? 'ref' : 'ref.dc1',
      address: ADDRESS,
      port: pool === 'lan' ? 8301 : 8302,
      tags: {
        build: '1.16.6:',
        dc: 'dc1',
        id: ID,
        port: '8300',
        raft_vsn: '3',
        role: 'consul',
        segment: '',
        vsn: '2',
        vsn_max: '3',
        vsn_min: '2',
      },
      status: 1,
      protocol: [1, 5, 2] as const,
      delegate: [2, 5, 4] as const,
    },
  ]
  join = (addresses: readonly string[]) =>
    Promise.resolve(addresses[0] === 'good' ? 1 : {problem: 'nobody answered'})
  leave = () => Promise.resolve(undefined)
  forceLeave = (node: string) =>
    Promise.resolve(node === 'ref' ? undefined : {problem: `agent: No node found with name '${node}'`})
  reload = () => Promise.resolve(undefined)
  keyring = () =>
    Promise.resolve([
      {
        wan: false,
        datacenter: 'dc1',
        messages: {},
        keys: {'pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=': 1},
        primaryKeys: {'pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=': 1},
        nodes: 1,
        error: undefined,
      },
    ])

  fireEvent(event: Omit<UserEventRecord, 'id' | 'version' | 'lTime'>): Promise<UserEventRecord> {
    const record = {...event, id: randomUUID(), version: 1, lTime: this.seen.length + 2}
    this.seen.push(record)
    for (const wake of [...this.eventWakes]) wake()
    return Promise.resolve(record)
  }
  events = () => this.seen
  watchEvents(wake: () => void): () => void {
    this.eventWakes.add(wake)
    return () => this.eventWakes.delete(wake)
  }

  saveSnapshot(): Promise<OutgoingSnapshot> {
    const state = Buffer.concat([...this.machine!.snapshot()])
    const meta = {
      id: `2-${this.index}-1795182816195`,
      index: this.index,
      term: 2,
      configuration: this.configuration(),
      configurationIndex: 1,
      size: state.length,
    }
    async function* chunks() {
      yield state
    }
    return Promise.resolve({meta, state: chunks()})
  }

  stats = () => ({
    agent: {check_monitors: '0', check_ttls: '0', checks: '0', services: '0'},
    build: {prerelease: '', revision: '', version: '1.16.6'},
    consul: {leader: String(this.leading), leader_addr: `${ADDRESS}:8300`, server: 'true'},
    raft: {applied_index: String(this.index), last_log_index: String(this.index), state: 'Leader', term: '2'},
    runtime: {os: 'linux'},
    serf_lan: {members: '1'},
    serf_wan: {members: '1'},
  })
  debugConfig = () => ({Server: true})
  monitor(_level: string, sink: (line: string) => void): () => void {
    this.logSink = sink
    return () => (this.logSink = undefined)
  }
}

/** What a request gave. */
export interface Got {
  readonly status: number
  readonly text: string
  readonly headers: Headers
  json(): unknown
}

/** A server alone behind a real HTTP port. */
export interface Served {
  readonly backend: SingleServer
  readonly api: HttpApi
  readonly http: HttpServer
  readonly url: string
  readonly errors: readonly string[]
  ask(method: string, target: string, body?: string | Uint8Array): Promise<Got>
  close(): Promise<void>
}

/** Serves a server alone on loopback. */
export async function serveAlone(backend = new SingleServer()): Promise<Served> {
  const errors: string[] = []
  const api = new HttpApi(backend, text => errors.push(text))
  const http = await serveHttp(api, {host: '127.0.0.1', port: 0})
  const url = `http://127.0.0.1:${http.port}`
  return {
    backend,
    api,
    http,
    url,
    errors,
    ask: (...request) => ask(url, ...request),
    close: () => http.close(),
  }
}

/** Asks an HTTP server. */
export async function ask(
  url: string,
  method: string,
  target: string,
  body?: string | Uint8Array,
): Promise<Got> {
  const answer = await fetch(url + target, {
    method,
    redirect: 'manual',
    ...(body === undefined ? {} : {body: body as string}),
  })
  const text = await answer.text()
  return {status: answer.status, text, headers: answer.headers, json: () => JSON.parse(text) as unknown}
}
