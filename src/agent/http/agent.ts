import {cpus, freemem, hostname, totalmem, uptime} from 'node:os'
import {NO_CHECK} from '../../core/fsm/read-records.js'
import {textOf} from '../../core/fsm/byte-string.js'
import {protocolsOf} from '../backend.js'
import type {HttpAnswer, PoolMember, Problem} from '../backend.js'
import {Failure, emptyAnswer, jsonAnswer} from './answers.js'
import {checkJson} from './catalog-json.js'
import {catalogDeregister, catalogRegister} from './catalog.js'
import type {Context} from './context.js'
import type {Json} from './json.js'
import {sortedMap} from './json.js'
import type {ParsedRequest} from './request.js'

const LEVELS = new Set(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERR', 'ERROR'])
const MAINTENANCE = '_node_maintenance'
const MAINTENANCE_REASON =
  'Maintenance mode is enabled for this node, but no reason was provided. This is a default message.'
const MONITOR_LINES_MAX = 512

/** `GET /v1/agent/self`. */
export async function agentSelf({backend}: Context, {query}: ParsedRequest): Promise<HttpAnswer> {
  const {identity} = backend
  const self = backend.members('lan').find(member => member.name === identity.nodeName)
  return jsonAnswer(
    {
      Config: {
        Datacenter: identity.datacenter,
        PrimaryDatacenter: identity.datacenter,
        NodeName: identity.nodeName,
        NodeID: identity.nodeId,
        Revision: identity.revision,
        Server: identity.server,
        Version: identity.version,
      },
      DebugConfig: backend.debugConfig() as Json,
      Member: self === undefined ? null : memberJson(self),
      Stats: sortedMap(backend.stats()),
      Meta: sortedMap(identity.nodeMeta),
    },
    query,
  )
}

/** `GET /v1/agent/members`; a client knows no WAN pool. */
export async function agentMembers({backend}: Context, {query}: ParsedRequest): Promise<HttpAnswer> {
  const wan = query.has('wan')
  if (wan && !backend.identity.server) return jsonAnswer(null, query)
  return jsonAnswer(backend.members(wan ? 'wan' : 'lan').map(memberJson), query)
}

const memberJson = (member: PoolMember) => ({
  Name: member.name,
  Addr: member.address,
  Port: member.port,
  Tags: sortedMap(member.tags),
  Status: member.status,
  ...protocolsOf(member),
})

/** `PUT /v1/agent/join/ADDRESS`. */
export async function agentJoin(
  {backend}: Context,
  {query}: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const wan = query.has('wan') && query.get('wan') !== '0'
  if (wan && !backend.identity.server) throw new Failure(500, 'WAN join is only possible on a server')
  const joined = await backend.join([textOf(rest)], wan ? 'wan' : 'lan')
  if (typeof joined !== 'number') throw new Failure(500, joined.problem)
  return emptyAnswer()
}

/** `PUT /v1/agent/leave`. */
export async function agentLeave({backend}: Context): Promise<HttpAnswer> {
  return done(await backend.leave())
}

/** `PUT /v1/agent/force-leave/NODE`. */
export async function agentForceLeave(
  {backend}: Context,
  {query}: ParsedRequest,
  rest: string,
): Promise<HttpAnswer> {
  const options = {prune: query.has('prune'), wan: query.has('wan')}
  return done(await backend.forceLeave(textOf(rest), options))
}

/** `PUT /v1/agent/reload`. */
export async function agentReload({backend}: Context): Promise<HttpAnswer> {
  return done(await backend.reload())
}

function done(problem: Problem | undefined): HttpAnswer {
  if (problem !== undefined) throw new Failure(500, problem.problem)
  return emptyAnswer()
}

/** `PUT /v1/agent/maintenance`: a critical check of the node, for as long as it is enabled. */
export async function agentMaintenance(context: Context, parsed: ParsedRequest): Promise<HttpAnswer> {
  const {query, request} = parsed
  if (!query.has('enable')) throw new Failure(400, 'Missing value for enable')
  const enable = truth(query.get('enable'))
  if (enable === undefined) throw new Failure(400, `Invalid value for enable: "${query.get('enable')}"`)
  const {nodeName, address} = context.backend.identity
  const reason = query.get('reason') || MAINTENANCE_REASON
  const check = {CheckID: MAINTENANCE, Name: 'Node Maintenance Mode', Status: 'critical'}
  const body = enable
    ? {
        Node: nodeName,
        Address: address,
        SkipNodeUpdate: true,
        Check: {...check, Notes: reason, Type: 'maintenance'},
      }
    : {Node: nodeName, CheckID: MAINTENANCE}
  const target = enable ? '/v1/catalog/register' : '/v1/catalog/deregister'
  const inner = {...parsed, request: {...request, target, body: Buffer.from(JSON.stringify(body))}}
  const answer = await (enable ? catalogRegister(context, inner) : catalogDeregister(context, inner))
  if (answer.status !== 200) return answer
  if (enable) context.ownChecks.set(MAINTENANCE, reason)
  else context.ownChecks.delete(MAINTENANCE)
  return emptyAnswer()
}

/** A truth value as Go's strconv.ParseBool reads it. */
function truth(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined
}

/** `GET /v1/agent/checks`: those of this agent alone. */
export async function agentChecks(context: Context, {query}: ParsedRequest): Promise<HttpAnswer> {
  const node = context.backend.identity.nodeName
  const checks = [...context.ownChecks].map(([checkId, notes]) => {
    const check = {...NO_CHECK, node, checkId, notes, name: 'Node Maintenance Mode'}
    return [checkId, checkJson({...check, status: 'critical', type: 'maintenance'})] as const
  })
  return jsonAnswer(Object.fromEntries(checks), query)
}

/** `GET /v1/agent/services`: this agent has none of its own. */
export async function agentServices(_context: Context, {query}: ParsedRequest): Promise<HttpAnswer> {
  return jsonAnswer({}, query)
}

/** `GET /v1/agent/version`. */
export async function agentVersion({backend}: Context, {query}: ParsedRequest): Promise<HttpAnswer> {
  const {revision, version} = backend.identity
  return jsonAnswer({SHA: revision, BuildDate: '', HumanVersion: version, FIPS: ''}, query)
}

/** `GET /v1/agent/metrics`: a few gauges under Consul's names. */
export async function agentMetrics({backend}: Context, {query}: ParsedRequest): Promise<HttpAnswer> {
  const memory = process.memoryUsage()
  const raft = backend.stats()['raft']
  const gauges: readonly (readonly [string, number])[] = [
    ...(raft === undefined
      ? []
      : ([
          ['consul.raft.applied_index', Number(raft['applied_index'])],
          ['consul.raft.last_index', Number(raft['last_log_index'])],
        ] as const)),
    ['consul.runtime.alloc_bytes', memory.heapUsed],
    ['consul.runtime.sys_bytes', memory.rss],
  ]
  const timestamp = new Date(backend.nowMs()).toISOString().replace('T', ' ').replace(/\..*/, ' +0000 UTC')
  return jsonAnswer(
    {
      Timestamp: timestamp,
      Gauges: gauges.map(([Name, Value]) => ({Name, Value, Labels: {}})),
      Points: [],
      Counters: [],
      Samples: [],
    },
    query,
  )
}

/** `GET /v1/agent/host`: what the machine has. */
export async function agentHost({backend}: Context, {query}: ParsedRequest): Promise<HttpAnswer> {
  const [total, free] = [totalmem(), freemem()]
  return jsonAnswer(
    {
      Memory: {total, available: free, used: total - free, free},
      CPU: cpus().map((cpu, index) => ({cpu: index, modelName: cpu.model, mhz: cpu.speed})),
      Host: {hostname: hostname(), uptime: Math.round(uptime()), os: process.platform},
      CollectionTime: Math.round(backend.nowMs() * 1e6),
      Errors: null,
    },
    query,
  )
}

/** `GET /v1/agent/monitor`: log lines as they come, until the client goes away. */
export async function agentMonitor({backend}: Context, {query, request}: ParsedRequest): Promise<HttpAnswer> {
  const level = (query.get('loglevel') || 'INFO').toUpperCase()
  if (!LEVELS.has(level)) throw new Failure(400, `Unknown log level: ${query.get('loglevel')}`)
  const lines: string[] = []
  let lost = 0
  let gone = false
  let wake: () => void = () => undefined
  const stop = backend.monitor(level, line => {
    // A reader that does not keep up loses lines, not this agent its memory.
    if (lines.length < MONITOR_LINES_MAX) lines.push(line)
    else lost++
    wake()
  })
  request.onGone?.(() => {
    gone = true
    stop()
    wake()
  })
  async function* stream(): AsyncIterable<Uint8Array> {
    try {
      while (!gone) {
        if (lines.length === 0) await new Promise<void>(resolve => (wake = resolve))
        if (lost > 0) lines.push(`${lost} lines were dropped here: the reader is too slow`)
        lost = 0
        if (lines.length > 0) yield Buffer.from(`${lines.splice(0).join('\n')}\n`)
      }
    } finally {
      stop()
    }
  }
  return {status: 200, headers: {'Content-Type': 'text/plain; charset=utf-8'}, body: stream()}
}
