import {encodeAnswerOf} from '../../core/fsm/call-answer.js'
import type {CallQuery} from '../../core/fsm/call-query.js'
import {readCallQuery} from '../../core/fsm/call-query.js'
import type {WatchTarget} from '../../core/fsm/messages.js'
import {PackProblem} from '../../core/fsm/pack-reader.js'
import type {PackWriter} from '../../core/fsm/pack-writer.js'
import type {Tables} from '../../core/fsm/tables.js'
import {Encoded} from '../../core/wire/consul-rpc.js'
import {Failure, NOT_LEADER, NO_LEADER} from '../http/answers.js'
import type {Indexed} from '../http/consistency.js'
import {waitFor} from '../http/consistency.js'
import type {Context} from '../http/context.js'
import type {Caller, RpcMethod} from '../rpc/call-server.js'
import {RpcError} from '../rpc/call-server.js'

/** How long the leader may take over what is passed on to it. */
const PASS_MS = 30_000

/** What a query found: the index to wait on and, made only when it is sent, the answer. */
export interface FoundForCall extends Indexed {
  write(to: PackWriter): void
}

/** A call that asks for something of the state. */
export interface QueryCall {
  /** What the thing asked for is called in the answer. */
  readonly name: string
  watch(query: CallQuery): readonly WatchTarget[]
  run(tables: Tables, query: CallQuery): FoundForCall
}

/** A method that answers a query: here where it may, else by passing the call on to the leader. */
export const queryMethod =
  (context: Context, method: string, call: QueryCall): RpcMethod =>
  (argument, caller) =>
    toldInWords(answerQuery(context, {method, argument, caller, repeatable: true}, call))

async function answerQuery(context: Context, passing: Passing, call: QueryCall): Promise<Encoded> {
  const {backend, consistency} = context
  const query = readCallQuery(passing.argument)
  consistency.checkDatacenter(query.datacenter)
  // Better no answer than one that was not picked from as the caller believes.
  if (query.filter !== '') throw new RpcError('filter expressions are not known to this server')
  const mode = query.stale ? 'stale' : query.consistent ? 'consistent' : 'default'
  const wait = waitFor(query.minIndex, query.maxWaitMs)
  for (;;) {
    if (mode === 'stale') await consistency.heard()
    else {
      const passed = await passedOn(context, {...passing, timeoutMs: PASS_MS + (wait?.ms ?? 0) * 2})
      if (passed !== undefined) return passed
    }
    const {machine} = backend
    if (machine === undefined) throw new RpcError(NO_LEADER)
    const onGone = (callback: () => void): void => passing.caller.onGone(callback)
    const read = await consistency.read(
      machine,
      {mode, wait, onGone},
      {watch: call.watch(query), run: ({tables}) => call.run(tables, query)},
    )
    if (read === undefined) continue
    if ('problem' in read) throw new RpcError(read.problem === NOT_LEADER ? NO_LEADER : read.problem)
    return new Encoded(encodeAnswerOf(call.name, consistency.meta(read.index), to => read.write(to)))
  }
}

/** A call that may have to be passed on. */
export interface Passing {
  readonly method: string
  readonly argument: Uint8Array
  readonly caller: Caller
  /** Whether it does no harm when it is done twice. */
  readonly repeatable: boolean
  readonly timeoutMs?: number
}

/** Passes a call on to the leader as it came, and gives its answer; undefined when this server leads. */
export async function passedOn(
  {backend, consistency}: Context,
  {method, argument, caller, repeatable, timeoutMs = PASS_MS}: Passing,
): Promise<Encoded | undefined> {
  return consistency.atLeader<Encoded>(repeatable, async () => {
    const leader = backend.leader()
    if (leader === undefined) return {problem: NO_LEADER}
    const onStart = (abandon: () => void): void => caller.onGone(abandon)
    const result = await backend.call(leader.address, method, argument, {timeoutMs, onStart})
    if (result.kind === 'value') return new Encoded(result.body)
    if (result.kind === 'unreachable')
      return {problem: `rpc error making call to ${leader.address}: the connection failed`}
    if (result.text === NO_LEADER) return {problem: NO_LEADER}
    throw new RpcError(result.text)
  })
}

/** Turns what a handler fails with into words for the caller. */
export async function toldInWords<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Failure) throw new RpcError(error.message)
    if (error instanceof PackProblem) throw new RpcError(`msgpack decode error: ${error.message}`)
    throw error
  }
}
