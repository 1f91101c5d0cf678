import {believedState, diskState} from '../core/model/disk-state.js'
import type {ServerObservation} from '../core/model/observation.js'
import {valueOf} from '../core/model/reading.js'
import type {WriteTrial} from '../core/verifying/expectation.js'
import {printable, printableBytes} from '../core/text.js'
import {watchCommitment} from './watch-commit.js'
import type {ActResult, Answer, HostQuestions, RereadLog} from '../ports/host-actions.js'
import type {HttpAnswer, HttpRequest} from '../ports/http.js'
import type {ConsulApi} from './consul-questions.js'
import {ask, askConsul} from './consul-questions.js'
import {parseStatusLeader} from '../core/codec/consul-api.js'

/** Acts through a leader may be held by the server for seven seconds (`rpc_hold_timeout`). */
const ACT_MS = 10_000
const SMALL_BYTES = 65_536
/** A server that was just started refuses connections until it has read its store, which takes seconds. */
const START_MS = 60_000
const KNOCK_EVERY_MS = 500

/** What the questions about one host are put with. */
export interface HostQuestionsParts {
  /** The host as it was seen when the plan began. */
  readonly seen: ServerObservation
  readonly api: ConsulApi | undefined
  /** Observes the host's files and store again. */
  readonly observeAgain: () => Promise<ServerObservation>
}

/** Reads stores and asks APIs for the executor, as observing does. */
export function makeHostQuestions(parts: HostQuestionsParts): HostQuestions {
  const {api} = parts
  const noApi = {ok: false, failure: 'failed', note: 'its API was not found'} as const
  return {
    readLog: () => readLog(parts),
    leader: async () => {
      if (api === undefined) return noApi
      const leader = await ask(api, '/v1/status/leader', SMALL_BYTES, parseStatusLeader)
      if (leader.kind === 'read') return {ok: true, value: String(leader.value)}
      return {ok: false, failure: 'failed', note: `its API does not answer (${leader.why})`}
    },
    configuration: async () => {
      if (api === undefined) return noApi
      const answers = await askConsul(api, valueOf(parts.seen.version))
      if (answers.leader.kind === 'unread')
        return {ok: false, failure: 'failed', note: `its API does not answer (${answers.leader.why})`}
      // What its files held when the plan began is no answer of the running server.
      const {configuration} = believedState({...parts.seen, api: answers})
      const told = answers.self.kind === 'read' || answers.statusPeers.kind === 'read'
      if (configuration === undefined || !told)
        return {ok: false, failure: 'failed', note: 'its peer set was not read'}
      return {ok: true, value: configuration.servers}
    },
    commitment: async times => (api === undefined ? noApi : await watchCommitment(api, times)),
    join: async addresses => {
      if (api === undefined) return noApi
      await untilItListens(api)
      const joined = await Promise.all(
        addresses.map(address => act(api, 'PUT', `/v1/agent/join/${encodeURIComponent(address)}`)),
      )
      const good = joined.filter(result => result.ok).length
      const [first] = joined
      if (good === 0 && first !== undefined) return first
      return {ok: true, already: false, note: `joined ${good} of ${addresses.length}`}
    },
    removePeer: async peer => {
      if (api === undefined) return noApi
      const which = peer.byId
        ? `id=${encodeURIComponent(peer.id)}`
        : `address=${encodeURIComponent(peer.address)}`
      return await act(api, 'DELETE', `/v1/operator/raft/peer?${which}`)
    },
    forceLeave: async node =>
      api === undefined ? noApi : await act(api, 'PUT', `/v1/agent/force-leave/${encodeURIComponent(node)}`),
  }
}

async function readLog(parts: HostQuestionsParts): Promise<Answer<RereadLog>> {
  const seen = await parts.observeAgain()
  if (seen.reached.kind === 'unread')
    return {ok: false, failure: 'lost', note: `no answer from the host (${seen.reached.why})`}
  // Files are read again, not what reads them
  const disk = diskState({...seen, version: parts.seen.version})
  if (disk.end === undefined)
    return {ok: false, failure: 'failed', note: printable(disk.problems.join(' ') || 'its log was not read')}
  const configuration = disk.configurationKnown ? disk.configuration : undefined
  return {ok: true, value: {end: disk.end, configuration}}
}

function request(
  api: ConsulApi,
  method: HttpRequest['method'],
  path: string,
  body?: string,
): Promise<HttpAnswer> {
  const {target, token, tls} = api
  const sent = body === undefined ? {} : {body: new TextEncoder().encode(body)}
  return api.http.request(api.connection, {
    ...{method, path, target, token, tls, ...sent},
    timeoutMs: ACT_MS,
    maxBytes: SMALL_BYTES,
  })
}

/** The words of an answer that is none, or none as wished. */
function wordsOf(answer: HttpAnswer): string {
  if (answer.kind === 'failed') return printable(answer.detail || answer.why)
  return `status ${answer.status}: ${printableBytes(answer.body, 160)}`
}

/** Waits, for as long as a start may take, until the API answers anything but a refusal. */
async function untilItListens(api: ConsulApi): Promise<void> {
  const untilMs = api.clock.nowMs() + START_MS
  while (api.clock.nowMs() < untilMs) {
    const leader = await ask(api, '/v1/status/leader', SMALL_BYTES, parseStatusLeader)
    if (leader.kind === 'read' || leader.why !== 'refused') return
    await api.clock.sleep(KNOCK_EVERY_MS)
  }
}

async function act(api: ConsulApi, method: HttpRequest['method'], path: string): Promise<ActResult> {
  const answer = await request(api, method, path)
  if (answer.kind === 'answered' && answer.status === 200)
    return {ok: true, already: false, note: `${method} ${printable(path, 120)}`}
  const lost = answer.kind === 'failed' && (answer.why === 'lost' || answer.why === 'timed-out')
  return {ok: false, failure: lost ? 'lost' : 'failed', note: wordsOf(answer)}
}

/** Writes a test key through the cluster's leader, reads it back as the leader sees it, and removes it. */
export async function tryWrite(api: ConsulApi, plan: string): Promise<WriteTrial> {
  const atMs = api.clock.nowMs()
  const path = `/v1/kv/quorate/verify/${encodeURIComponent(plan)}`
  const value = `${plan} ${atMs}`
  const failed = (what: string, answer: HttpAnswer): WriteTrial => {
    const denied = answer.kind === 'answered' && (answer.status === 401 || answer.status === 403)
    return {atMs, result: denied ? 'not-allowed' : 'failed', note: `${what}: ${wordsOf(answer)}`}
  }
  const is = (answer: HttpAnswer, text: string): boolean =>
    answer.kind === 'answered' &&
    answer.status === 200 &&
    new TextDecoder().decode(answer.body).trim() === text
  const put = await request(api, 'PUT', path, value)
  if (!is(put, 'true')) return failed('writing', put)
  const back = await request(api, 'GET', `${path}?raw&consistent`)
  const removed = await request(api, 'DELETE', path)
  if (!is(back, value)) return failed('reading back', back)
  if (removed.kind !== 'answered' || removed.status !== 200) return failed('removing', removed)
  return {atMs, result: 'ok', note: ''}
}
