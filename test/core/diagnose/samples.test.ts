import {readFileSync, readdirSync, existsSync, writeFileSync} from 'node:fs'
import t from 'tap'
import {diagnose} from '../../../src/core/diagnose/diagnose.js'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {NOW_MS, fleet} from '../../helpers/fleet.js'
import {
  answeringSample,
  logSample,
  stoppedSample,
  storeSample,
  variantServer,
  variants,
} from '../../helpers/samples.js'
import {sample} from '../../helpers/store-files.js'

type Expected = Readonly<Record<string, string>>
interface Expectations {
  readonly about: readonly string[]
  readonly clusters: Expected
  readonly variants: Expected
  readonly answers: Expected
  readonly stores: Expected
  readonly logs: Expected
}

const FILE = sample('expected-findings.json')
const rewrite = process.env['QUORATE_REWRITE'] === '1'
const expectations = JSON.parse(readFileSync(FILE, 'utf8')) as Expectations
const seen: Record<string, Record<string, string>> = {}

/** The verdict and the set of codes, as one comparable line. */
function judged(...servers: readonly ServerObservation[]): string {
  const {verdict, findings} = diagnose(fleet({servers}), {nowMs: NOW_MS, ourVersion: '0.1.0', invocation: []})
  return [`${verdict}:`, ...[...new Set(findings.map(one => one.code))].sort()].join(' ')
}

function compare(
  t: {same: (a: unknown, b: unknown, name: string) => boolean},
  group: keyof Omit<Expectations, 'about'>,
  got: Record<string, string>,
): void {
  seen[group] = got
  if (rewrite) return
  for (const [name, line] of Object.entries(got)) t.same(line, expectations[group][name], `${group}: ${name}`)
  t.same(Object.keys(expectations[group]).sort(), Object.keys(got).sort(), `all of ${group}, and no more`)
}

const entries = (names: readonly string[], judge: (name: string) => string): Record<string, string> =>
  Object.fromEntries(names.map(name => [name, judge(name)]))

t.test('every sample of a stopped cluster shows exactly what it is known to have', async t => {
  const clusters = readdirSync(sample()).filter(name => existsSync(sample(name, 'expected.json')))
  t.ok(clusters.length >= 12)
  compare(
    t,
    'clusters',
    entries(clusters, name => {
      const hosts = readdirSync(sample(name)).filter(host => existsSync(sample(name, host, 'raft')))
      return judged(...hosts.map(host => stoppedSample(name, host)))
    }),
  )
})

t.test('every recorded start with a peers.json shows exactly what was wrong with it', async t => {
  const all = variants()
  t.equal(all.length, 68)
  compare(
    t,
    'variants',
    Object.fromEntries(
      all.map(variant => [`${variant.version} ${variant.case}`, judged(variantServer(variant))]),
    ),
  )
})

t.test('every start that failed or could never elect had a finding that says why', async t => {
  const background = ['LOOPBACK_ADDRESS', 'PEERS_JSON_PRESENT', 'QUORUM_LOST', 'EVEN_VOTERS']
  const hopeless = variants().filter(
    one =>
      one.outcome === 'startup-failed' ||
      /not part of stable configuration|no known peers/.test(one.electionState ?? ''),
  )
  t.ok(hopeless.length >= 40, `${hopeless.length} starts`)
  for (const variant of hopeless) {
    const codes = judged(variantServer(variant))
      .split(' ')
      .slice(1)
      .filter(code => !background.includes(code))
    t.not(codes.length, 0, `${variant.version} ${variant.case}`)
  }
})

t.test('every recorded set of API answers shows exactly what it tells', async t => {
  const got: Record<string, string> = {}
  for (const name of readdirSync(sample()).filter(one => one.endsWith('-http'))) {
    for (const file of readdirSync(sample(name)).filter(one => one.endsWith('.http.json'))) {
      const label = file.replace('.http.json', '')
      got[`${name} ${label}`] = judged(answeringSample(name, label))
    }
  }
  compare(t, 'answers', got)
})

t.test('damaged, torn and foreign stores show exactly what they are', async t => {
  const got: Record<string, string> = {}
  for (const name of ['raftdb-damaged', 'torn-live-copy', 'raft-boltdb-v2']) {
    for (const file of readdirSync(sample(name)).filter(one => one.endsWith('.db'))) {
      const bytes = new Uint8Array(readFileSync(sample(name, file)))
      got[`${name} ${file}`] = judged(storeSample('s1', new Map([['raft.db', bytes]])))
    }
  }
  for (const name of readdirSync(sample('raft-wal')).filter(one => one !== 'README.md'))
    got[`raft-wal ${name}`] = judged(storeSample('s1', walFiles(name)))
  compare(t, 'stores', got)
})

/** A raft-wal sample as files of a raft directory. */
function walFiles(name: string): ReadonlyMap<string, Uint8Array> {
  const dir = sample('raft-wal', name)
  return new Map(
    readdirSync(dir)
      .filter(file => file !== 'README.md')
      .map(file => [`wal/${file}`, new Uint8Array(readFileSync(`${dir}/${file}`))]),
  )
}

t.test('every recorded log shows exactly what its lines tell', async t => {
  const logs = readdirSync(sample('log-signatures')).filter(name => name.endsWith('.log'))
  t.ok(logs.length >= 80)
  compare(
    t,
    'logs',
    entries(logs, name => judged(logSample(name))),
  )
})

t.teardown(() => {
  if (rewrite) writeFileSync(FILE, `${JSON.stringify({about: expectations.about, ...seen}, undefined, 2)}\n`)
})
