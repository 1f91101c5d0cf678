import {z} from 'zod'
import {logIndex, serverAddress, serverId, term} from '../core/model/ids.js'
import type {JournalEntry} from '../core/model/journal.js'
import type {Plan} from '../core/model/plan.js'

/** JSON has no undefined: a missing key and null both mean absent. */
const maybe = <T extends z.ZodType>(schema: T) => schema.nullish().transform(value => value ?? undefined)

const text = z.string()
const count = z.number().int().nonnegative()
const path = z.string().startsWith('/')
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** Plan ids become file names here and on hosts. */
export const planId = z.string().regex(/^[0-9a-z][0-9a-z-]{0,63}$/, 'must be lower-case letters, digits, -')

const server = z.object({
  id: text.transform(serverId),
  address: text.transform(serverAddress),
  suffrage: z.enum(['voter', 'nonvoter']),
})
// An index that is absent must stay an absent key: exact optional types tell the two apart.
const configuration = z
  .object({servers: z.array(server), index: maybe(count)})
  .transform(({servers, index}) => (index === undefined ? {servers} : {servers, index: logIndex(index)}))
const logEnd = z.object({index: count.transform(logIndex), term: count.transform(term)})
const owner = z.object({uid: count, gid: count})

const condition = z.discriminatedUnion('is', [
  z.object({is: z.literal('stopped'), hosts: z.array(text)}),
  z.object({is: z.literal('held'), hosts: z.array(text)}),
  z.object({is: z.literal('locked'), hosts: z.array(text)}),
  z.object({is: z.literal('file-absent'), host: text, path}),
  z.object({is: z.literal('running'), host: text}),
  z.object({is: z.literal('configuration'), host: text, servers: z.array(server)}),
  z.object({is: z.literal('leader'), hosts: z.array(text)}),
  z.object({is: z.literal('verified')}),
])

const action = z.discriminatedUnion('do', [
  z.object({do: z.literal('lock')}),
  z.object({do: z.literal('unlock')}),
  z.object({do: z.literal('hold-service')}),
  z.object({do: z.literal('release-service')}),
  z.object({
    do: z.literal('stop-service'),
    graceMs: count,
    firstSignal: z.enum(['SIGTERM', 'SIGKILL']),
  }),
  z.object({do: z.literal('prove-stopped')}),
  z.object({do: z.literal('reread-log'), end: logEnd, configuration: maybe(configuration)}),
  z.object({do: z.literal('fence'), from: path, to: path}),
  z.object({do: z.literal('copy'), paths: z.array(path), to: path, needBytes: count}),
  z.object({
    do: z.literal('write-file'),
    path,
    text,
    sha256,
    mode: count.max(0o7777),
    owner,
    replaces: maybe(sha256),
  }),
  z.object({do: z.literal('read-back'), path, sha256}),
  z.object({do: z.literal('move-away'), path, to: path}),
  z.object({do: z.literal('restore-copy'), from: path, paths: z.array(path)}),
  z.object({do: z.literal('start-service')}),
  z.object({do: z.literal('settle'), standsMs: count, withinMs: count}),
  z.object({do: z.literal('join'), addresses: z.array(text)}),
  z.object({do: z.literal('remove-peer'), id: text, address: text, byId: z.boolean()}),
  z.object({do: z.literal('force-leave'), node: text}),
  z.object({do: z.literal('await'), condition, withinMs: count}),
])

const phase = z.object({
  name: z.enum([
    'lock',
    'hold',
    'stop',
    'prove',
    'reread',
    'fence',
    'copy',
    'write',
    'read-back',
    'start',
    'join',
    'change',
    'verify',
    'rejoin',
    'release',
  ]),
  number: count,
  steps: z.array(z.object({id: text, host: text, action, requires: z.array(condition), undo: text})),
})

const planHost = z.object({
  host: text,
  role: z.enum(['included', 'set-aside', 'dead', 'witness']),
  rejoins: z.boolean(),
  id: text,
  address: text,
  nodeName: maybe(text),
  version: maybe(text),
  service: maybe(
    z.object({
      manager: z.enum(['systemd', 'upstart', 'sysv', 'supervisor', 'runit', 'custom', 'cluster']),
      unit: text,
      enabled: maybe(z.boolean()),
      masked: z.boolean(),
      wasRunning: z.boolean(),
    }),
  ),
  dataDir: text,
  raftDir: text,
  storePath: text,
  executable: maybe(text),
  configFiles: z.array(text),
  configDir: maybe(text),
  owner: maybe(owner),
  httpPort: maybe(count),
  raftPort: count,
  end: maybe(logEnd),
})

/** A plan file as this version of quorate writes it. Checked whole: a plan that is half right is not applied. */
export const planSchema: z.ZodType<Plan> = z.object({
  format: z.literal(1),
  id: planId,
  cluster: text,
  product: z.enum(['consul', 'nomad', 'vault', 'rqlite']),
  madeAtMs: z.number(),
  expiresAtMs: z.number(),
  method: z.enum(['start', 'join', 'online', 'live-list', 'recovery-file', 'best-log-alone', 'back']),
  because: text,
  intent: z.object({
    remove: z.array(text),
    readdress: z.array(z.object({from: text, to: text})),
    declaredDead: z.array(text),
    keep: z.array(text),
    history: maybe(text),
  }),
  identity: z.object({datacenter: maybe(text), serverIds: z.array(text)}),
  before: configuration,
  after: configuration,
  data: z.object({
    kept: z.object({all: z.boolean(), upTo: maybe(logEnd), why: text}),
    added: maybe(z.object({from: z.number(), to: z.number()})),
    lost: z.enum(['nothing', 'nothing-committed', 'unknown']),
    sentences: z.array(text),
  }),
  hosts: z.array(planHost),
  ranking: z.array(z.object({host: text, end: maybe(logEnd), reason: text})),
  risks: z.array(
    z.object({
      code: z.enum([
        'DATA_LOSS',
        'UNFENCED_MAJORITY',
        'DIVERGENT_TAIL',
        'NONVOTER_PROMOTION',
        'NO_FAULT_TOLERANCE',
        'UNREAD_LOG',
        'PEER_SET_UNKNOWN',
        'HOST_NAMES',
      ]),
      text,
      mustAccept: z.boolean(),
    }),
  ),
  checks: z.array(text),
  consent: z.enum(['none', 'yes', 'name', 'name-and-accept']),
  expected: z.array(
    z.object({
      host: text,
      reachable: z.boolean(),
      running: maybe(z.boolean()),
      end: maybe(logEnd),
      peerSet: maybe(text),
    }),
  ),
  fingerprint: text,
  phases: z.array(phase),
  of: maybe(text),
})

const head = {seq: count, atMs: z.number(), plan: planId}

/** One line of a journal. */
export const journalEntrySchema: z.ZodType<JournalEntry> = z.discriminatedUnion('type', [
  z.object({type: z.literal('opened'), ...head, by: text, consent: text, accepted: z.array(text)}),
  z.object({type: z.literal('begin'), ...head, step: text, host: text}),
  z.object({type: z.literal('done'), ...head, step: text, host: text, note: text}),
  z.object({type: z.literal('failed'), ...head, step: text, host: text, error: text}),
  z.object({type: z.literal('stopped'), ...head, why: text}),
  z.object({type: z.literal('resumed'), ...head, back: z.boolean()}),
  z.object({
    type: z.literal('finished'),
    ...head,
    outcome: z.enum(['verified', 'unverified', 'verify-failed', 'taken-back']),
  }),
])
