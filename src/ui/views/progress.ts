import type {Plan, Step} from '../../core/model/plan.js'
import type {ApplyEvent, ApplyOutcome, HostsLeft, StopCode} from '../../core/model/progress.js'
import {printable, shellCommand} from '../../core/text.js'
import {displayWidth, formatDuration, padLeft, padRight, truncate, wrap} from './text.js'
import {mark} from './theme.js'
import type {Theme} from './theme.js'

export interface ProgressLayout {
  readonly theme: Theme
  readonly width: number
  /** Arguments that name the fleet again, and those of them that only say how its hosts are reached. */
  readonly again?: {readonly invocation: readonly string[]; readonly reach: readonly string[]}
}

const noteMax = 200

/** Who a step is about: its host, or the cluster as a whole. */
const whose = (step: Step): string => printable(step.host === '' ? 'cluster' : step.host, 40)

/** How far a plan is, `7/24`, as wide as the last one will be. */
function counter(place: {readonly number: number; readonly of: number}): string {
  return padLeft(`${place.number}/${place.of}`, 2 * String(place.of).length + 1)
}

/** A line with a duration at its right edge; a text that leaves no room for it is cut. */
function withDuration(text: string, elapsedMs: number, layout: ProgressLayout): string {
  const duration = padLeft(formatDuration(elapsedMs), 8)
  const room = layout.width - displayWidth(duration) - 1
  return `${padRight(truncate(text, room, layout.theme.marks.cut), room)} ${duration}`
}

/** The line that an event leaves behind; undefined for events that only move the running line. */
export function renderEvent(
  event: ApplyEvent,
  hostWidth: number,
  layout: ProgressLayout,
): string | undefined {
  const {theme} = layout
  if (event.type === 'phase') return theme.dim(event.name)
  if (event.type === 'begin' || event.type === 'waiting') return undefined
  const text = printable(event.type === 'done' ? event.note : event.error, noteMax)
  const head = `${counter(event.place)}  ${padRight(whose(event.step), hostWidth)}  `
  const sign = event.type === 'done' ? 'ok' : 'bad'
  // The line is cut and filled before the sign gets its colour, which takes no cells.
  const plain = withDuration(`${head}${theme.marks[sign]} ${text}`, event.elapsedMs, layout)
  const at = head.length
  return plain.slice(0, at) + mark(theme, sign) + plain.slice(at + theme.marks[sign].length)
}

/** What runs now, for the line that is redrawn: who, what, for how long, within what, waiting for what. */
export function renderRunning(
  running: {
    readonly step: Step
    readonly sinceMs: number
    readonly withinMs: number | undefined
    readonly missing: readonly string[]
  },
  nowMs: number,
  layout: ProgressLayout,
): string {
  const elapsed = formatDuration(nowMs - running.sinceMs)
  const limit = running.withinMs === undefined ? '' : ` of ${formatDuration(running.withinMs)}`
  const missing = running.missing[0] === undefined ? '' : `: ${printable(running.missing[0], noteMax)}`
  const text = `     ${whose(running.step)}  ${running.step.action.do.replaceAll('-', ' ')}, ${elapsed}${limit}${missing}`
  return truncate(text, layout.width, layout.theme.marks.cut)
}

/** The widest host name of a plan, so that lines of progress are straight. */
export function hostWidthOf(plan: Plan): number {
  return Math.max('cluster'.length, ...plan.hosts.map(host => displayWidth(printable(host.host, 40))))
}

const list = (names: readonly string[]): string => names.map(name => printable(name, 40)).join(', ')

/** What a stop means, in words of the operator. */
const meanings: Readonly<Record<StopCode, string>> = {
  BARRIER_BROKEN: 'a server that must be stopped runs; nothing was written after that was seen',
  STEP_FAILED: 'a step failed',
  CONNECTION_LOST: 'the connection to a host broke',
  STOPPED_BY_OPERATOR: 'you stopped it',
  BACK_INCOMPLETE: 'it could not be taken back everywhere',
  LOCKED: 'somebody else works on these hosts',
  PLAN_STALE: 'what the plan rests on has changed',
  UNVERIFIED: 'every step before is done, and the cluster has not converged yet',
  VERIFY_FAILED: 'every step before is done, and the cluster is not as planned',
}

function stateLines(left: HostsLeft): readonly string[] {
  const lines: string[] = []
  if (left.stopped.length > 0) lines.push(`${list(left.stopped)}: the server is stopped`)
  if (left.held.length > 0) lines.push(`${list(left.held)}: the service manager is held`)
  if (left.written.length > 0) lines.push(`${list(left.written)}: files of the plan were written`)
  if (left.fenced.length > 0) lines.push(`${list(left.fenced)}: the raft directory is set aside`)
  if (left.locked.length > 0) lines.push(`${list(left.locked)}: locked by this plan`)
  return lines
}

/** Commands with the flags that this run was given, complete enough to paste. */
function typist(plan: Plan, again: ProgressLayout['again']) {
  const id = plan.of ?? plan.id
  const onPlan = (...words: readonly string[]): string =>
    shellCommand(['quorate', ...words, ...(again?.reach ?? [])])
  const fleet = again?.invocation ?? ['--cluster', plan.cluster]
  return {
    resume: onPlan('resume', id),
    back: onPlan('resume', id, '--back'),
    verify: onPlan('verify', id),
    doctor: shellCommand(['quorate', 'doctor', ...fleet]),
  }
}

/** The commands that make sense after a stop, each with what it does. */
function commandsAfter(
  plan: Plan,
  outcome: Extract<ApplyOutcome, {kind: 'stopped'}>,
  again: ProgressLayout['again'],
): readonly string[][] {
  const id = plan.of ?? plan.id
  const type = typist(plan, again)
  const history = ['everything that was done', `quorate history ${id}`]
  if (outcome.asBefore)
    return outcome.code === 'PLAN_STALE'
      ? [['make a new plan from what is so now', 'quorate peers fix …'], history]
      : [['when the other is done', type.resume], history]
  if (plan.method === 'back') return [['put it right, then go on taking back', type.back], history]
  if (outcome.code === 'UNVERIFIED' || outcome.code === 'VERIFY_FAILED')
    return [
      ['look again', type.verify],
      ['what is wrong', type.doctor],
      ...(outcome.notDone.length > 1 ? [['go on', type.resume]] : []),
      history,
    ]
  return [['put it right, then go on', type.resume], ['take back what was done', type.back], history]
}

/** Ranges of step numbers, `1 to 6, 9`. */
function ranges(numbers: readonly number[]): string {
  const parts: string[] = []
  let from = 0
  while (from < numbers.length) {
    let to = from
    while (numbers[to + 1] === (numbers[to] ?? 0) + 1) to++
    const [first, last] = [numbers[from] ?? 0, numbers[to] ?? 0]
    parts.push(first === last ? `${first}` : `${first} to ${last}`)
    from = to + 1
  }
  return parts.join(', ')
}

/** The last screen of a plan: done, or stopped with what is done, what is not, what is left and what to type. */
export function renderOutcome(plan: Plan, outcome: ApplyOutcome, layout: ProgressLayout): string {
  const {theme, width} = layout
  if (outcome.kind === 'finished') return renderFinished(plan, outcome, layout)
  const ids = plan.phases.flatMap(phase => phase.steps).map(step => step.id)
  const numbers = (wanted: readonly string[]): string =>
    ranges(wanted.map(id => ids.indexOf(id) + 1).filter(number => number > 0))
  const lines = [
    theme.bold(`STOPPED at step ${outcome.place.number} of ${outcome.place.of}: ${meanings[outcome.code]}.`),
    ...hanging(`   ${mark(theme, 'bad')} `, 5, printable(outcome.why, 600), width),
  ]
  const row = (name: string, text: string): void => {
    lines.push(...hanging(`   ${padRight(name, 10)} `, 14, text, width))
  }
  if (outcome.asBefore) row('state', 'everything is as it was before; nothing was written')
  else {
    row('done', numbers(outcome.done) || 'nothing')
    row('not done', numbers(outcome.notDone) || 'nothing')
    for (const line of stateLines(outcome.left)) row('left', line)
    const copies = plan.method !== 'online' && plan.method !== 'start' && plan.method !== 'join'
    if (copies) row('kept', 'all copies; nothing is undone by itself')
  }
  lines.push('')
  for (const [what, command] of commandsAfter(plan, outcome, layout.again))
    lines.push(`   ${padRight(what ?? '', 38)} ${command ?? ''}`)
  return lines.join('\n')
}

/** A text behind a head of `cells` cells, its further lines below its first word. */
function hanging(head: string, cells: number, text: string, width: number): readonly string[] {
  return wrap(text, width - cells).map((line, at) => (at === 0 ? head : ' '.repeat(cells)) + line)
}

function renderFinished(
  plan: Plan,
  outcome: Extract<ApplyOutcome, {kind: 'finished'}>,
  {theme, again}: ProgressLayout,
): string {
  const took = formatDuration(outcome.elapsedMs)
  const id = plan.of ?? plan.id
  const journal = `journal: quorate history ${id}`
  if (outcome.outcome === 'taken-back')
    return [
      theme.bold(`TAKEN BACK in ${took}. Every host has what it had before plan ${id}.`),
      `       ${journal}`,
    ].join('\n')
  const after = plan.after.servers.filter(server => server.suffrage === 'voter').length
  // Where a leader was asked, or servers were only joined, no quorum had been lost.
  const wasLed = plan.method === 'online' || plan.method === 'join'
  const verified = wasLed ? 'The cluster is as planned and verified' : 'The quorum is back and verified'
  const leading = outcome.outcome === 'verified' ? verified : 'Every step is done'
  const dead = plan.hosts.filter(host => host.role === 'dead')
  const lines = [
    theme.bold(`DONE in ${took}. ${leading}: ${after} ${after === 1 ? 'voter' : 'voters'} in the peer set.`),
  ]
  if (dead.length > 0)
    lines.push(
      `${mark(theme, 'warn')}      ${list(dead.map(host => host.host))} must never come back with the data ${dead.length === 1 ? 'it has' : 'they have'}.`,
    )
  const aside = plan.hosts.filter(host => host.role === 'set-aside' && !host.rejoins)
  if (aside.length > 0)
    lines.push(
      `${mark(theme, 'warn')}      ${list(aside.map(host => host.host))} ${aside.length === 1 ? 'stays' : 'stay'} stopped only until the next boot: disable the unit or wipe the host before.`,
    )
  return [...lines, `Next   ${typist(plan, again).doctor}`, `       ${journal}`].join('\n')
}
