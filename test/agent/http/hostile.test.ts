import t from 'tap'
import {HttpApi} from '../../../src/agent/http/api.js'
import {prng} from '../../core/fsm/prng.js'
import {SingleServer} from './single-server.js'

const PATHS = [
  '/v1/kv/',
  '/v1/txn',
  '/v1/session/create',
  '/v1/session/destroy/',
  '/v1/session/renew/',
  '/v1/session/info/',
  '/v1/session/list',
  '/v1/session/node/',
  '/v1/catalog/register',
  '/v1/catalog/deregister',
  '/v1/catalog/service/',
  '/v1/catalog/node/',
  '/v1/health/service/',
  '/v1/health/state/',
  '/v1/health/checks/',
  '/v1/operator/raft/peer',
  '/v1/operator/raft/configuration',
  '/v1/operator/autopilot/configuration',
  '/v1/operator/keyring',
  '/v1/event/fire/',
  '/v1/event/list',
  '/v1/agent/maintenance',
  '/v1/agent/force-leave/',
  '/v1/agent/join/',
  '/v1/snapshot',
  '/v1/status/leader',
  '/',
  '//',
  '/v1',
]
const PARTS = [
  'a',
  'key',
  '%',
  '%zz',
  '%00',
  '%FF%FE',
  '/',
  '..',
  '?',
  '&',
  '=',
  '+',
  'ä',
  '💥',
  '__proto__',
  'constructor',
  ' ',
]
const QUERIES = [
  'recurse',
  'keys',
  'raw',
  'pretty',
  'stale',
  'consistent',
  'cas=1',
  'cas=-1',
  'cas=99999999999999999999',
  'flags=1e9',
  'acquire=x',
  'release=',
  'separator=/',
  'wait=1ms',
  'wait=-5s',
  'index=0',
  'enable=true',
  'id=x',
  'tag=(',
  'node=[',
  'passing',
  'dc=dc1',
]
const NAMES = [
  'KV',
  'Verb',
  'Key',
  'Value',
  'Node',
  'Address',
  'Service',
  'Check',
  'Checks',
  'Tags',
  'Meta',
  'TTL',
]
const MORE = [
  'LockDelay',
  'Behavior',
  'ID',
  'Session',
  'Index',
  'Flags',
  '__proto__',
  'TaggedAddresses',
  'Weights',
]
const VALUES = [
  'set',
  'get',
  'cas',
  'lock',
  'delete-tree',
  'ref',
  'djE=',
  '10s',
  '-1ns',
  'passing',
  '\u0000',
  'x'.repeat(3000),
]

/** A JSON value of any shape, made of names that mean something. */
function json(random: (below: number) => number, depth: number): unknown {
  const kind = random(depth > 5 ? 5 : 9)
  if (kind === 0) return null
  if (kind === 1) return random(2) === 0
  if (kind === 2) return [0, -1, 1e300, 2 ** 53, 0.5][random(5)]
  if (kind < 5) return VALUES[random(VALUES.length)]
  if (kind === 5) return Array.from({length: random(4)}, () => json(random, depth + 1))
  const names = [...NAMES, ...MORE]
  return Object.fromEntries(
    Array.from({length: random(5)}, () => [names[random(names.length)]!, json(random, depth + 1)]),
  )
}

t.test('numbers of every kind are taken or refused, and never become others', async t => {
  const errors: string[] = []
  const backend = new SingleServer()
  const api = new HttpApi(backend, text => errors.push(text))
  for (const number of ['0.5', '-1', '1e300', '9007199254740993', '18446744073709551616', '-1e-7', '"1"']) {
    const bodies: readonly (readonly [string, string])[] = [
      ['/v1/txn', `[{"KV":{"Verb":"cas","Key":"k","Value":"djE=","Index":${number},"Flags":${number}}}]`],
      ['/v1/session/create', `{"LockDelay":${number}}`],
      [
        '/v1/operator/autopilot/configuration',
        `{"MaxTrailingLogs":${number},"LastContactThreshold":${number}}`,
      ],
      ['/v1/catalog/register', `{"Node":"n","Address":"a","Service":{"Service":"s","Port":${number}}}`],
    ]
    for (const [target, body] of bodies) {
      const {status} = await api.answer({method: 'PUT', target, headers: {}, body: Buffer.from(body)})
      t.ok((target === '/v1/txn' ? [400] : [200, 400]).includes(status), `${target} ${body}: ${status}`)
    }
  }
  t.strictSame(errors, [])
  const sessions = [...backend.machine!.tables.sessions.from('')].map(({value}) => value.lockDelayNs)
  t.ok(sessions.every(delay => delay >= 0 && Number.isSafeInteger(delay)))
})

t.test('whatever is asked, there is an answer, and none is for a fault of ours', async t => {
  const errors: string[] = []
  const statuses = new Map<number, number>()
  for (let seed = 1; seed <= 8; seed++) {
    const random = prng(seed)
    const backend = new SingleServer()
    const api = new HttpApi(backend, text => errors.push(`seed ${seed}: ${text}`))
    for (let i = 0; i < 400; i++) {
      const path =
        PATHS[random(PATHS.length)]! +
        Array.from({length: random(4)}, () => PARTS[random(PARTS.length)]!).join('')
      const query = Array.from({length: random(4)}, () => QUERIES[random(QUERIES.length)]!).join('&')
      const method = ['GET', 'PUT', 'PUT', 'PUT', 'DELETE', 'POST', 'OPTIONS', 'HEAD', 'BREW'][random(9)]!
      const text = JSON.stringify(json(random, 0))
      const body = random(5) === 0 ? Buffer.from(text.slice(0, random(text.length + 1))) : Buffer.from(text)
      const request = {method, target: query === '' ? path : `${path}?${query}`, headers: {}, body}
      const {status} = await api.answer(request)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    // What came of it is a state like any other.
    const restore = backend.machine!.restore()
    for (const chunk of backend.machine!.snapshot()) restore.push(chunk)
    t.equal(restore.finish(), undefined)
  }
  t.strictSame(errors, [])
  t.strictSame(
    [...statuses.keys()].filter(status => ![200, 301, 400, 404, 405, 409, 413, 500].includes(status)),
    [],
  )
  t.ok((statuses.get(200) ?? 0) > 200, 'and many of them were understood')
})
