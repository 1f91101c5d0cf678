import t from 'tap'
import {diagnose} from '../../../src/core/diagnose/diagnose.js'
import type {ContentsComparison} from '../../../src/core/model/contents.js'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {unread} from '../../../src/core/model/reading.js'
import {NOW_MS, fleet} from '../../helpers/fleet.js'
import type {RuleCases} from './cases/case.js'
import {hostCases} from './cases/host.js'
import {membershipCases} from './cases/membership.js'

const isRead = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'read'
const codesOf = (
  servers: readonly ServerObservation[],
  contents: ContentsComparison | undefined,
): Set<string> =>
  new Set(
    diagnose(
      {...fleet({servers}), ...(contents === undefined ? {} : {contents})},
      {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: []},
    ).findings.map(one => one.code),
  )

/** What may be said for want of a reading, because what is left still shows it. */
const allowed: readonly string[] = [
  // Who leads by its own word is then not known, but that nobody names a leader is.
  'NO_LEADER for want of api.self',
  // The ports of the peer set stand in for those of the settings.
  'PEERS_JSON_WRONG_PORT for want of config',
  // Whoever sends SIGTERM falls into that trap, a service manager or not.
  'LEAVE_TRAP for want of service',
  // Where two sets clash and one is taken away, the one that is left is counted by.
  'QUORUM_LOST for want of store',
  'QUORUM_LOST for want of snapshots',
  'TRANSIENT_LOSS for want of snapshots',
]

/** A standing risk ends by knowledge only: what makes an excluded server harmless must have been read. */
const endsByKnowledge: readonly string[] = ['UNFENCED_EXCLUDED']

/** Every server with one reading taken away, and the name of that reading. */
function* withOneLess(server: ServerObservation): Generator<readonly [string, ServerObservation]> {
  const gone = unread('timed-out', {host: server.host, via: 'transport', what: 'test'})
  for (const [key, value] of Object.entries(server)) {
    if (key !== 'reached' && isRead(value)) yield [key, {...server, [key]: gone}]
  }
  for (const [key, value] of Object.entries(server.api))
    if (isRead(value)) yield [`api.${key}`, {...server, api: {...server.api, [key]: gone}}]
}

t.test('taking one reading away never makes a rule speak', async t => {
  let tried = 0
  const allCases: Readonly<Record<string, RuleCases>> = {...membershipCases, ...hostCases}
  for (const [code, cases] of Object.entries(allCases)) {
    for (const [name, servers] of Object.entries({...cases.fires, ...cases.silent}) as [
      string,
      ServerObservation[],
    ][]) {
      const contents = cases.contents?.[name]
      const before = codesOf(servers, contents)
      servers.forEach((server, at) => {
        for (const [key, less] of withOneLess(server)) {
          const after = codesOf(
            servers.map((one, index) => (index === at ? less : one)),
            contents,
          )
          tried++
          const added = [...after].filter(
            one =>
              !before.has(one) &&
              !endsByKnowledge.includes(one) &&
              !allowed.includes(`${one} for want of ${key}`),
          )
          if (added.length > 0)
            t.fail(`${code}, ${name}: ${added.join(' ')} for want of ${key} of ${server.host}`)
        }
      })
    }
  }
  t.ok(tried > 5000, `${tried} observations`)
})
