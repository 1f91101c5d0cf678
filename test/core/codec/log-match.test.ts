import {readFileSync, readdirSync} from 'node:fs'
import t from 'tap'
import {LogMatcher, matchLog} from '../../../src/core/codec/log-match.js'
import {LOG_SIGNATURES} from '../../../src/core/codec/log-signatures.js'
import {logLineTime} from '../../../src/core/codec/log-time.js'

const SAMPLES = 'fixtures/samples/log-signatures'
const bytes = (text: string) => new TextEncoder().encode(text)
const ids = (text: string) =>
  matchLog(bytes(text))
    .matches.map(match => match.signature)
    .sort()

t.test('every recorded log shows the signatures that were read in it', async t => {
  const expected = readFileSync('fixtures/codec/log-signatures.txt', 'utf8')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
  t.same(
    expected.map(line => line.split(': ')[0]),
    readdirSync(SAMPLES)
      .filter(name => name.endsWith('.log'))
      .sort(),
  )
  for (const line of expected) {
    const [file = '', wanted] = line.split(': ')
    const {matches} = matchLog(readFileSync(`${SAMPLES}/${file}`))
    const found = matches.map(({signature, count}) => (count > 1 ? `${signature}*${count}` : signature))
    t.equal(found.sort().join(' '), wanted, file)
  }
})

t.test('however a log is torn into pieces, it shows the same', async t => {
  const text = readFileSync(`${SAMPLES}/rem-1.8_s1.log`, 'utf8')
  const whole = matchLog(bytes(text))
  for (const size of [1, 7, 100, 4096]) {
    const matcher = new LogMatcher()
    for (let at = 0; at < text.length; at += size) matcher.push(text.slice(at, at + size))
    const torn = matcher.finish()
    t.same(
      torn.matches.map(({signature, count}) => `${signature} ${count}`).sort(),
      whole.matches.map(({signature, count}) => `${signature} ${count}`).sort(),
      `pieces of ${size}`,
    )
    t.equal(torn.lines, whole.lines)
    t.equal(torn.toMs, whole.toMs)
  }
  t.same(matchLog(text.split('\n')).matches, whole.matches, 'and given as lines')
})

t.test(
  'every signature matches a line as the product writes it, and its anchor is in lower case',
  async t => {
    for (const {id, anchors} of LOG_SIGNATURES)
      for (const anchor of anchors) t.equal(anchor, anchor.toLowerCase(), id)
    const lines: readonly [string, string][] = [
      [
        'vote-rejected-unknown',
        '[WARN]  agent.server.raft: rejecting vote request since node is not in configuration: from=10.0.0.1:8300',
      ],
      [
        'vote-rejected-nonvoter',
        '[WARN]  agent.server.raft: rejecting vote request since node is not a voter: from=10.0.0.1:8300',
      ],
      [
        'prevote',
        '[INFO]  agent.server.raft: pre-vote campaign failed, waiting for election timeout: term=3',
      ],
      [
        'peer-lacks-us',
        '[ERR] raft: Remote peer 10.0.0.2:8300 does not have local node 10.0.0.1:8300 as a peer',
      ],
      ['old-log-type', '[ERR] raft: Got unrecognized log type: &raft.Log{Index:0x4}'],
      [
        'recovery-delete',
        'recovery failed to delete peers.json, please delete manually (see peers.info for details)',
      ],
      ['store-bad', 'Failed to start Raft: open /d/raft/raft.db: permission denied'],
      ['leave-timeout', '[WARN] consul: failed to leave raft peer set gracefully, timeout'],
      ['establish-failed', '[ERR] consul: failed to establish leadership: timed out enqueuing operation'],
      ['client-blind', '[ERR] http: Request GET /v1/kv/a, error: No known Consul servers'],
      ['rqlite', '[store] attempting node recovery using /d/raft/peers.json'],
      ['vault', '[INFO]  storage.raft: raft recovery initiated: recovery_file=peers.json'],
      [
        'establish-acl',
        '[ERROR] agent.server: failed to establish leadership: error="failed to initialize ACLs: x"',
      ],
      [
        'establish-ca',
        '[ERROR] agent.server: failed to establish leadership: error="error generating CA root certificate"',
      ],
      ['disk-full', '[ERR] raft: Failed to commit logs: write /d/raft/raft.db: no space left on device'],
      [
        'rejoin-refused',
        'refusing to rejoin cluster because server has been offline for more than the configured server_rejoin_age_max (168h0m0s)',
      ],
      ['protocol-refused', 'raft_protocol version 2 is not supported by this version of Consul'],
      ['tls-refused', '[ERROR] agent.server.rpc: x509: certificate signed by unknown authority'],
      ['too-many-files', 'accept tcp: accept4: too many open files'],
      ['read-only', 'open /d/raft/raft.db: read-only file system'],
    ]
    for (const [id, line] of lines) t.ok(ids(`${line}\n`).includes(id), `${id}: ${ids(line).join()}`)
    const covered = new Set(lines.map(([id]) => id))
    const recorded = readFileSync('fixtures/codec/log-signatures.txt', 'utf8')
    for (const {id} of LOG_SIGNATURES)
      t.ok(
        covered.has(id) || new RegExp(`(?: )${id}(?:[ *]|$)`, 'm').test(recorded),
        `${id} is seen somewhere`,
      )
  },
)

t.test('a JSON log, and what log managers put before a line, do not hide a signature', async t => {
  const json =
    '{"@level":"error","@message":"failed to sync remote state","@module":"agent.anti_entropy","@timestamp":"2026-11-20T07:38:00.226000Z","error":"No cluster leader"}\n'
  const iso = matchLog(bytes(`2026-11-20T08:38:00+0100 host1 consul[77]: ${json}`))
  t.match(iso, {lines: 1, fromMs: Date.UTC(2026, 10, 20, 7, 38, 0), matches: [{signature: 'no-leader'}]})
  const won = matchLog(
    bytes(
      '{"@level":"info","@message":"election won","@module":"agent.server.raft","@timestamp":"2026-11-20T07:38:00.5Z","tally":2}\n',
    ),
  )
  t.match(won.matches, [{signature: 'won', groups: ['2'], firstAtMs: Date.UTC(2026, 10, 20, 7, 38, 0, 500)}])
  t.same(ids('@400000006560b0f2075bcd15     2026/11/20 07:38:43 [INFO] raft: Election won. Tally: 2\n'), [
    'won',
  ])
})

t.test('times are read in all formats', async t => {
  const utc = Date.UTC(2026, 10, 20, 7, 38, 43)
  t.equal(logLineTime('    2026/11/20 07:38:43 [INFO] raft: x'), utc)
  t.equal(logLineTime('    2026/11/20 08:38:43 [INFO] raft: x', 3_600_000), utc)
  t.equal(logLineTime('2026-11-20T07:38:43.910Z [INFO]  agent: x'), utc + 910)
  t.equal(logLineTime('2026-11-20T09:38:43+0200 h consul[1]: x'), utc)
  t.equal(logLineTime('2026-11-20T02:38:43.5-05:00 [INFO] x'), utc + 500)
  t.equal(logLineTime('2026-11-20_07:38:43.12345 x'), utc + 123)
  t.equal(logLineTime('@4000000037c219bf2ef02e94 x'), 935467445_000 + 787)
  t.equal(logLineTime('==> Starting'), undefined)
})

t.test('a line without a date takes that of the line before it', async t => {
  const text =
    "2026-11-20T07:38:43Z [WARN]  agent: error=\"1 error occurred:\n\t* Member 's2' has conflicting node ID 'x' with\n"
  t.match(matchLog(bytes(text)).matches, [
    {signature: 'node-id-conflict', groups: ['s2', 'x'], lastAtMs: Date.UTC(2026, 10, 20, 7, 38, 43)},
  ])
})

t.test('a log that ends at the start of the agent is one that hangs', async t => {
  t.same(ids('==> Starting Consul agent...\n'), ['hung'])
  t.same(ids('==> Log data will now stream in as it occurs:\n\n'), ['hung'])
  t.same(ids('==> Starting Consul agent...\n==> Consul agent running!\n'), [])
})

t.test('the latest line is kept, printable and short, and lines without end are bounded', async t => {
  const line = `2026-11-20T07:38:43Z \u001b[31mno space left on device ${'x'.repeat(10_000)}`
  const {matches} = matchLog(bytes(`${line}\n`.repeat(3)))
  t.match(matches, [{signature: 'disk-full', count: 3}])
  t.ok((matches[0]?.text.length ?? 999) <= 300)
  t.notMatch(matches[0]?.text, /\u001b/)
  const matcher = new LogMatcher()
  for (let i = 0; i < 300; i++) matcher.push('y'.repeat(100_000))
  matcher.push('\n2026-11-20T07:38:43Z election won\n')
  t.match(matcher.finish(), {lines: 2, matches: [{signature: 'won'}]})
})

t.test('a long log is matched in seconds and constant memory', async t => {
  const block = readFileSync(`${SAMPLES}/rem-1.8_s1.log`, 'utf8').repeat(70)
  const matcher = new LogMatcher()
  const startedAt = performance.now()
  const heapBefore = process.memoryUsage().heapUsed
  for (let i = 0; i < 20; i++) matcher.push(block)
  const {lines} = matcher.finish()
  const tookMs = performance.now() - startedAt
  t.ok(lines > 170_000)
  t.ok(tookMs < 20_000, `${Math.round(tookMs)} ms for 20 MB`)
  t.ok(process.memoryUsage().heapUsed - heapBefore < 200e6)
})

t.test('hostile lines do not make a pattern crawl', async t => {
  const startedAt = performance.now()
  for (const {anchors} of LOG_SIGNATURES)
    for (const anchor of anchors) {
      const line = `${anchor} ${'rejecting vote request from member servers="[{" '.repeat(80)}\n`
      matchLog(bytes(line.repeat(20)))
    }
  t.ok(performance.now() - startedAt < 10_000)
})
