import {EXIT} from '../exit-codes.js'
import type {ExitName} from '../exit-codes.js'
import type {CatalogueEntry} from './man.js'

/** What each exit status means, by name. */
const EXIT_MEANS: Readonly<Record<ExitName, string>> = {
  ok: 'Done; healthy; nothing to do.',
  bug: 'An exception nobody expected.',
  usage: 'Flags, arguments, inventory or plan file are not as they must be.',
  refused: 'A safety rule said no; nothing was changed.',
  degraded: 'The quorum holds, and something is wrong or tolerance is gone.',
  'quorum-lost': 'No quorum, or no usable leader.',
  inconclusive: 'Too few readings to judge, or a damaged store.',
  unreachable: 'A host that the command needs cannot be reached or refuses us.',
  incomplete: 'A plan stopped part-way; the journal knows where.',
  unverified: 'Every step is done, but the cluster did not converge in time.',
  declined: 'The operator said no, or there was nobody to ask and no --confirm.',
  'verify-failed': 'Every step is done, and the cluster is not as planned.',
  interrupted: 'A second Ctrl-C; the journal knows which step was in flight.',
}

const changing: readonly ExitName[] = [
  'ok',
  'refused',
  'unreachable',
  'incomplete',
  'unverified',
  'declined',
  'verify-failed',
]

/** Questions to one agent over its HTTP API. */
const asking: readonly ExitName[] = ['ok', 'refused', 'quorum-lost', 'unreachable']

/**
 * How each command can end, in the order of an outage, which is the order commands are listed in. Two ends are
 * common to all and left out here: usage, and bug.
 */
const COMMAND_EXITS: Readonly<Record<string, readonly ExitName[]>> = {
  doctor: ['ok', 'degraded', 'quorum-lost', 'inconclusive'],
  'peers list': ['ok', 'inconclusive'],
  'peers fix': changing,
  apply: changing,
  resume: changing,
  verify: ['ok', 'unreachable', 'incomplete', 'unverified', 'verify-failed'],
  history: ['ok'],
  inspect: ['ok', 'refused', 'inconclusive'],
  drill: ['ok', 'refused', 'incomplete', 'verify-failed'],
  'cluster up': ['ok', 'refused', 'incomplete'],
  'cluster status': ['ok'],
  'cluster list': ['ok'],
  'cluster logs': ['ok', 'refused'],
  'cluster stop': ['ok', 'refused'],
  'cluster kill': ['ok', 'refused'],
  'cluster pause': ['ok', 'refused'],
  'cluster resume': ['ok', 'refused'],
  'cluster start': ['ok', 'refused'],
  'cluster partition': ['ok', 'refused'],
  'cluster heal': ['ok', 'refused'],
  'cluster wipe': ['ok', 'refused'],
  'cluster add': ['ok', 'refused'],
  'cluster down': ['ok', 'refused'],
  agent: ['ok', 'refused'],
  members: asking,
  info: asking,
  join: asking,
  leave: asking,
  'force-leave': asking,
  keygen: ['ok'],
  event: asking,
  monitor: asking,
  'kv get': asking,
  'kv put': asking,
  'kv delete': asking,
  'kv export': asking,
  'kv import': asking,
  'raft list-peers': asking,
  'raft remove-peer': asking,
  'raft transfer-leader': asking,
}

/** A command's id as operators type it. */
export function spokenId(id: string): string {
  return id.replaceAll(':', ' ')
}

/** The place of a command in the order of an outage; what is not part of one comes last. */
export function outageOrder(id: string): number {
  const place = Object.keys(COMMAND_EXITS).indexOf(spokenId(id))
  return place === -1 ? Number.MAX_SAFE_INTEGER : place
}

/** The order of an outage, then the alphabet. */
export function byOutageOrder(a: {readonly id: string}, b: {readonly id: string}): number {
  return outageOrder(a.id) - outageOrder(b.id) || a.id.localeCompare(b.id)
}

function entry(name: ExitName): CatalogueEntry {
  return {name, note: String(EXIT[name]), means: EXIT_MEANS[name]}
}

/** Every exit status. */
export function allExits(): readonly CatalogueEntry[] {
  return (Object.keys(EXIT) as ExitName[]).map(entry)
}

/** The exit statuses that one command can end with, by number; undefined for a command of another plug-in. */
export function exitsOf(id: string): readonly CatalogueEntry[] | undefined {
  const own = COMMAND_EXITS[spokenId(id)]
  if (own === undefined) return undefined
  const interrupted: readonly ExitName[] = own === changing ? ['interrupted'] : []
  const names = new Set<ExitName>(['bug', 'usage', ...own, ...interrupted])
  return (Object.keys(EXIT) as ExitName[]).filter(name => names.has(name)).map(entry)
}
