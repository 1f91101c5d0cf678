import {assertNever} from '../core/assert.js'
import {compareLogEnds} from '../core/model/ids.js'
import {sameServers} from '../core/model/configuration.js'
import type {Action, Step} from '../core/model/plan.js'
import type {ActResult, Answer, HostActions, RereadLog} from '../ports/host-actions.js'

/** How a step that is not an `await` went. `stale`: the logs are not those that the plan was made from (S9). */
export type StepResult = ActResult | {readonly ok: false; readonly failure: 'stale'; readonly note: string}

/** An action that one host carries out. */
export type HostAction = Exclude<Action, {do: 'await'}>

const done = (note: string, already = false): StepResult => ({ok: true, already, note})
const failed = (note: string): StepResult => ({ok: false, failure: 'failed', note})

/** Whether an action writes below the data directory of its host: then its server must be stopped, whatever else. */
function whileStopped(actions: HostActions, path: string): boolean {
  const {dataDir} = actions.host
  return dataDir !== '' && (path === dataDir || path.startsWith(`${dataDir.replace(/\/+$/, '')}/`))
}

/** How the log on disk may differ from what the plan saw. */
export interface RereadContext {
  /** A leader worked until the planned stop, so that logs have grown since; all voters that hold them are kept. */
  readonly mayHaveGrown: boolean
  /** An interrupted run may have written its file here, and a server may have taken it. */
  readonly mayBeWritten: boolean
}

/**
 * Judges a log end and peer set that were read again after the stop (rule S9). Only what could change ranking,
 * strategy or the statement on data counts; a risen current term does not, for no data moves with it.
 */
export function judgeReread(
  context: RereadContext,
  action: Extract<Action, {do: 'reread-log'}>,
  log: RereadLog,
): string | undefined {
  const name = (end: RereadLog['end']): string => `${end.index} @ ${end.term}`
  const order = compareLogEnds(log.end, action.end)
  if (order !== 0 && !(context.mayHaveGrown && order > 0))
    return `its log ends at ${name(log.end)}; the plan was made for ${name(action.end)}`
  if (context.mayBeWritten || action.configuration === undefined || log.configuration === undefined)
    return undefined
  if (sameServers(log.configuration, action.configuration)) return undefined
  return `its log now names ${log.configuration.servers.map(server => server.address).join(', ') || 'no servers'} as the peer set`
}

/**
 * Whether what a step was to bring about is so already: asked after an interruption, before the step acts again.
 * Undefined for steps whose effect cannot be told from outside; those are safe to run twice.
 */
export async function effectHolds(actions: HostActions, action: HostAction): Promise<boolean | undefined> {
  const is = async <T>(asked: Promise<Answer<T>>, claim: (value: T) => boolean): Promise<boolean> => {
    const answer = await asked
    return answer.ok && claim(answer.value)
  }
  switch (action.do) {
    case 'release-service':
      return await is(actions.proveStopped(), proof => !proof.held)
    case 'start-service':
      return await is(actions.running(), running => running)
    case 'write-file':
      return await is(actions.sha256Of(action.path), digest => digest === action.sha256)
    case 'fence':
      return (
        (await is(actions.exists(action.to), there => there)) &&
        (await is(actions.exists(action.from), there => !there))
      )
    case 'move-away':
      return (
        (await is(actions.exists(action.to), there => there)) &&
        (await is(actions.exists(action.path), there => !there))
      )
    default:
      return undefined
  }
}

/** Carries out one action and makes sure that its effect is there. Acting on what is already so is a success. */
export async function perform(
  actions: HostActions,
  step: Step,
  action: HostAction,
  context: RereadContext,
): Promise<StepResult> {
  switch (action.do) {
    case 'lock':
      return await actions.lock()
    case 'unlock':
      return await actions.unlock()
    case 'hold-service':
      return await actions.hold()
    case 'release-service':
      return await actions.release()
    case 'stop-service':
      return await actions.stop(action)
    case 'start-service':
      return await actions.start()
    case 'prove-stopped':
      return await proveStopped(actions)
    case 'reread-log': {
      const log = await actions.readLog()
      if (!log.ok) return log
      const drift = judgeReread(context, action, log.value)
      if (drift !== undefined) return {ok: false, failure: 'stale', note: drift}
      return done(`log ends at ${log.value.end.index} @ ${log.value.end.term}, as planned`)
    }
    case 'fence':
      return await fence(actions, action)
    case 'copy':
      return await actions.copy(action.paths, action.to, action.needBytes)
    case 'write-file':
      return await actions.writeFile({...action, whileStopped: whileStopped(actions, action.path)})
    case 'read-back': {
      const wrong = await digestIs(actions, action.path, action.sha256)
      return wrong ?? done('read back the same bytes')
    }
    case 'move-away':
      return await checked(
        await actions.moveAway(action.path, action.to, whileStopped(actions, action.path)),
        async () => await gone(actions, action.path),
      )
    case 'restore-copy':
      return await actions.restore(action.from, action.paths)
    case 'settle':
      return await settle(actions, action)
    case 'join':
      return await actions.join(action.addresses)
    case 'remove-peer':
      return await actions.removePeer(action)
    case 'force-leave':
      return await actions.forceLeave(action.node)
    default:
      return assertNever(action)
  }
}

/** How often a leader that cannot commit is started again before verification has to judge it. */
const RESTARTS_MAX = 3

/**
 * Gets a new leader of Consul up to 0.6 out of a state in which it leads for ever and commits nothing: it replays all
 * old peer lists of its log, stops and begins sending to its followers meanwhile, and may so miss that they hold an
 * entry. It is killed, lest it leave, and started again; another server, which has replayed them, is elected. Only
 * verification judges the outcome, so what cannot be told here is no failure.
 */
async function settle(actions: HostActions, times: Extract<Action, {do: 'settle'}>): Promise<StepResult> {
  // A run that was cut short in here may have left the server held or stopped.
  const again = await failedAct(actions, ['release', 'start'])
  if (again !== undefined) return again
  for (let restarts = 0; ; restarts++) {
    const commitment = await actions.commitment(times)
    if (!commitment.ok) return commitment.failure === 'lost' ? commitment : done(commitment.note)
    const after =
      restarts === 0
        ? ''
        : `, after it led in vain and was started again ${restarts === 1 ? 'once' : `${restarts} times`}`
    if (commitment.value === 'whole') return done(`its log is committed to its end${after}`)
    if (commitment.value === 'open' || restarts === RESTARTS_MAX)
      return done(`its log is not committed to its end yet${after}`)
    const failure = await failedAct(actions, ['hold', 'kill', 'release', 'start'])
    if (failure !== undefined) return failure
  }
}

/** Does acts of a service one after another; the first that fails, or undefined. */
async function failedAct(
  actions: HostActions,
  acts: readonly ('hold' | 'kill' | 'release' | 'start')[],
): Promise<StepResult | undefined> {
  for (const act of acts) {
    const result =
      act === 'kill' ? await actions.stop({firstSignal: 'SIGKILL', graceMs: 0}) : await actions[act]()
    if (!result.ok) return result
  }
  return undefined
}

/** How many new directories of one server are kept beside its fenced one: one for each reboot that brought one. */
const BLANKS_MAX = 9

/**
 * Renames the raft directory, or back. Where both names are taken, the host has rebooted since it was fenced: its hold
 * was forgotten and the server began anew. What it began is set aside under a name of its own when there is no log in
 * it, and stands in the way when there is one, for somebody may have been told that it was written.
 */
async function fence(actions: HostActions, {from, to}: Extract<Action, {do: 'fence'}>): Promise<StepResult> {
  const [there, taken] = await Promise.all([actions.exists(from), actions.exists(to)])
  if (!there.ok) return there
  if (!taken.ok) return taken
  const aside = there.value && taken.value ? await setBlankAside(actions, from, to) : undefined
  if (aside?.ok === false) return aside
  const renamed =
    aside !== undefined && from === actions.host.raftDir
      ? done('was fenced before', true)
      : await actions.fence(from, to)
  if (!renamed.ok) return renamed
  const note = aside === undefined ? renamed.note : `${renamed.note}; ${aside.note}`
  return (await gone(actions, from)) ?? {...renamed, note}
}

async function setBlankAside(actions: HostActions, from: string, to: string): Promise<StepResult> {
  const {raftDir} = actions.host
  const fenced = from === raftDir ? to : from
  const log = await actions.readLog()
  if (!log.ok) return log
  const {index, term} = log.value.end
  if (index > 0)
    return failed(
      `${raftDir} was begun anew after ${fenced} was fenced and holds a log up to ${index} @ ${term}: ` +
        'see what is in it, and move it away by hand if it may be lost',
    )
  for (let n = 1; n <= BLANKS_MAX; n++) {
    const name = `${raftDir}.blank-${fenced.slice(raftDir.length + '.fenced-'.length)}${n === 1 ? '' : `-${n}`}`
    const used = await actions.exists(name)
    if (!used.ok) return used
    if (used.value) continue
    const moved = await actions.fence(raftDir, name)
    return moved.ok ? done(`a new, empty directory was moved to ${name}`) : moved
  }
  return failed(`${raftDir} was begun anew too often; move it and those named ${raftDir}.blank-… away`)
}

async function proveStopped(actions: HostActions): Promise<StepResult> {
  const proof = await actions.proveStopped()
  if (!proof.ok) return proof
  if (!proof.value.stopped) return {ok: false, failure: 'barrier', note: proof.value.why}
  if (!proof.value.held)
    return {ok: false, failure: 'barrier', note: 'its service manager is free to start the server'}
  return done('stopped: no process, no socket, no store lock')
}

async function checked(
  result: ActResult,
  objection: () => Promise<StepResult | undefined>,
): Promise<StepResult> {
  return result.ok ? ((await objection()) ?? result) : result
}

async function gone(actions: HostActions, path: string): Promise<StepResult | undefined> {
  const there: Answer<boolean> = await actions.exists(path)
  if (!there.ok) return there
  return there.value ? failed(`${path} is still there`) : undefined
}

async function digestIs(actions: HostActions, path: string, sha256: string): Promise<StepResult | undefined> {
  const digest = await actions.sha256Of(path)
  if (!digest.ok) return digest
  if (digest.value === sha256) return undefined
  return failed(
    digest.value === undefined ? `${path} is not there` : `${path} does not hold what was written`,
  )
}
