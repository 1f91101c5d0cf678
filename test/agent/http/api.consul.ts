import {execFile, spawn} from 'node:child_process'
import {createServer} from 'node:net'
import t from 'tap'
import {realConsuls} from '../../lab/binaries.js'
import type {Got} from './single-server.js'
import {ask, serveAlone} from './single-server.js'

const newest = realConsuls().find(({version}) => version.startsWith('1.16.'))
if (newest === undefined) throw new Error('QUORATE_CONSUL_BIN_DIR names no Consul 1.16')

const freePort = (): Promise<number> =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })

/** A real agent in development mode on loopback; resolves when it has a leader and its own catalog entry. */
async function startConsul(path: string) {
  const [http, server, lan, wan] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const off = 'dns = -1 grpc = -1 grpc_tls = -1 https = -1'
  const ports = `ports { http = ${http} server = ${server} serf_lan = ${lan} serf_wan = ${wan} ${off} }`
  const flags = ['-dev', '-bind=127.0.0.1', '-client=127.0.0.1', '-node=ref', '-log-level=err']
  const child = spawn(path, ['agent', ...flags, `-hcl=${ports} connect { enabled = false }`], {
    stdio: 'ignore',
  })
  const url = `http://127.0.0.1:${http}`
  for (let tries = 0; ; tries++) {
    const answers = ['/v1/health/service/consul', '/v1/operator/autopilot/health'].map(target =>
      ask(url, 'GET', target).catch(() => undefined),
    )
    const [service, health] = await Promise.all(answers)
    if (health?.status === 200 && service?.text.includes('"consul"') === true) break
    if (tries > 300) throw new Error('the real agent has no leader')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  return {
    url,
    stop: () =>
      new Promise<void>(resolve => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

interface Step {
  readonly method: string
  readonly target: string
  readonly body?: string
  /** Only status and kind of body are compared: the text names something that differs by nature. */
  readonly loose?: boolean
}
const step = (method: string, target: string, body?: string, loose = false): Step => ({
  method,
  target,
  ...(body === undefined ? {} : {body}),
  loose,
})

const SESSION = '{"LockDelay":"3s","Name":"s","TTL":"30s","Behavior":"delete"}'
const WEB =
  '{"Node":"x","Address":"1.2.3.4","NodeMeta":{"k":"v"},"Service":{"Service":"web","Port":80,"Tags":["a","b"],' +
  '"Meta":{"b":"c"},"TaggedAddresses":{"lan":{"address":"1.2.3.5","port":81}}},' +
  '"Checks":[{"Name":"hc","Status":"passing","ServiceID":"web"},{"CheckID":"n","Name":"node check","Status":"warning"}]}'
const txn = (...ops: readonly object[]): string => JSON.stringify(ops.map(KV => ({KV})))

/** `$A` stands for the id of the first session, `$B` for the second; `$I` for the last index seen. */
const STEPS: readonly Step[] = [
  step('PUT', '/v1/kv/a', 'one'),
  step('GET', '/v1/kv/a'),
  step('GET', '/v1/kv/a?pretty'),
  step('GET', '/v1/kv/a?raw'),
  step('GET', '/v1/kv/a?consistent'),
  step('GET', '/v1/kv/a?stale'),
  step('PUT', '/v1/kv/a', 'one'),
  step('PUT', '/v1/kv/a?flags=42', 'two'),
  step('PUT', '/v1/kv/a?cas=1', 'no'),
  step('PUT', '/v1/kv/a?cas=$I', 'yes'),
  step('PUT', '/v1/kv/a?cas=0', 'no'),
  step('PUT', '/v1/kv/fresh?cas=0', 'yes'),
  step('PUT', '/v1/kv/a?cas=abc', 'x'),
  step('PUT', '/v1/kv/a?flags=abc', 'x'),
  step('PUT', '/v1/kv/a?flags=18446744073709551615', '<v>&\u2028'),
  step('GET', '/v1/kv/a'),
  step('PUT', '/v1/kv/empty', ''),
  step('GET', '/v1/kv/empty'),
  step('GET', '/v1/kv/empty?raw'),
  step('PUT', '/v1/kv/d/one', '1'),
  step('PUT', '/v1/kv/d/two', '2'),
  step('PUT', '/v1/kv/d/e/three', '3'),
  step('PUT', '/v1/kv/d/e/four', '4'),
  step('PUT', '/v1/kv/%C3%A4%20%3C%26', '5'),
  step('PUT', '/v1/kv/d%2Ff', '6'),
  step('GET', '/v1/kv/d?recurse'),
  step('GET', '/v1/kv/d/?keys'),
  step('GET', '/v1/kv/d/?keys&separator=/'),
  step('GET', '/v1/kv/?keys&separator=/'),
  step('GET', '/v1/kv/?keys'),
  step('GET', '/v1/kv/nope'),
  step('GET', '/v1/kv/nope?recurse'),
  step('GET', '/v1/kv/nope?keys'),
  step('GET', '/v1/kv/'),
  step('PUT', '/v1/kv/', 'x'),
  step('DELETE', '/v1/kv/'),
  step('DELETE', '/v1/kv/nope'),
  step('DELETE', '/v1/kv/d/one?cas=1'),
  step('DELETE', '/v1/kv/nope?cas=1'),
  step('DELETE', '/v1/kv/d/one'),
  step('GET', '/v1/kv/d/?keys'),
  step('GET', '/v1/kv/d/one'),
  step('DELETE', '/v1/kv/d/e?recurse'),
  step('GET', '/v1/kv/d/e?recurse'),
  step('DELETE', '/v1/kv/d?recurse&cas=1'),
  step('POST', '/v1/kv/a', 'x'),
  step('OPTIONS', '/v1/kv/a'),
  step('PUT', '/v1/kv/a?acquire=x&release=y', 'x'),
  step('PUT', '/v1/kv/a?acquire=x', 'x'),
  step('PUT', '/v1/kv/a?release=x', 'x'),
  step('GET', '/v1/kv/a?index=abc'),
  step('GET', '/v1/kv/a?wait=abc'),
  step('GET', '/v1/kv/a?index=1&wait=1s'),
  step('GET', '/v1/kv/a?index=100000&wait=10ms'),
  step('GET', '/v1/kv/a?stale&consistent'),
  step('GET', '/v1/kv/a?dc=elsewhere'),
  step('GET', '/v1/kv/a//b'),
  step('GET', '/v1/kv/a%01'),
  step('GET', '/v1/nope'),
  step('PUT', '/v1/session/create', SESSION),
  step('PUT', '/v1/session/create', ''),
  step('GET', '/v1/session/info/$A'),
  step('GET', '/v1/session/list'),
  step('GET', '/v1/session/node/ref'),
  step('GET', '/v1/session/node/nope'),
  step('GET', '/v1/session/info/nope'),
  step('GET', '/v1/session/info/'),
  step('PUT', '/v1/session/renew/$A'),
  step('PUT', '/v1/session/renew/cccccccc-2bb4-2dd0-509d-f09ee0b93591'),
  step('PUT', '/v1/session/destroy/'),
  step('PUT', '/v1/session/create', '{bad'),
  step('PUT', '/v1/session/create', '{"TTL":"1s"}'),
  step('PUT', '/v1/session/create', '{"TTL":"x"}'),
  step('PUT', '/v1/session/create', '{"Behavior":"x"}'),
  step('PUT', '/v1/session/create', '{"Node":"x"}'),
  step('PUT', '/v1/session/create', '{"LockDelay":"x"}'),
  step('PUT', '/v1/session/create', '{"Checks":["x"]}'),
  step('PUT', '/v1/kv/lock?acquire=$A', 'held'),
  step('GET', '/v1/kv/lock'),
  step('PUT', '/v1/kv/lock?acquire=$B', 'other'),
  step('PUT', '/v1/kv/lock?release=$B', 'other'),
  step('PUT', '/v1/kv/lock?acquire=$A', 'held'),
  step('PUT', '/v1/kv/lock', 'plain'),
  step('GET', '/v1/kv/lock'),
  step('PUT', '/v1/kv/lock2?acquire=$B', 'b'),
  step('PUT', '/v1/kv/lock2?release=$B', 'b2'),
  step('PUT', '/v1/kv/lock2?acquire=$B', 'b3'),
  step('PUT', '/v1/session/destroy/$A'),
  step('GET', '/v1/kv/lock'),
  step('PUT', '/v1/kv/lock?acquire=$B', 'other'),
  step('PUT', '/v1/session/destroy/$B'),
  step('GET', '/v1/kv/lock2'),
  step('PUT', '/v1/session/destroy/$B'),
  step('PUT', '/v1/txn', txn({Verb: 'set', Key: 't', Value: 'djE='}, {Verb: 'get', Key: 't'})),
  step('PUT', '/v1/txn', txn({Verb: 'get', Key: 't'})),
  step('PUT', '/v1/txn', txn({Verb: 'get-tree', Key: 'd/'}, {Verb: 'check-not-exists', Key: 'u'})),
  step('PUT', '/v1/txn', txn({Verb: 'get', Key: 'u'}, {Verb: 'set', Key: 't', Value: ''})),
  step('PUT', '/v1/txn', txn({Verb: 'cas', Key: 't', Value: 'djI=', Index: 1})),
  step('PUT', '/v1/txn', txn({Verb: 'check-index', Key: 't', Index: 1})),
  step('PUT', '/v1/txn', txn({Verb: 'check-session', Key: 't', Session: 'x'})),
  step('PUT', '/v1/txn', txn({Verb: 'lock', Key: 't', Session: 'x'})),
  step('PUT', '/v1/txn', txn({Verb: 'unlock', Key: 't', Session: 'x'})),
  step('PUT', '/v1/txn', txn({Verb: 'delete-cas', Key: 't', Index: 1})),
  step('PUT', '/v1/txn', txn({Verb: 'check-not-exists', Key: 't'})),
  step('PUT', '/v1/txn', txn({Verb: 'delete', Key: 't'}, {Verb: 'delete-tree', Key: 'd'})),
  step('PUT', '/v1/txn', txn({Verb: 'zz', Key: 't'})),
  step('PUT', '/v1/txn', txn({Verb: 'set', Key: ''})),
  step('PUT', '/v1/txn', txn({Verb: 'set', Key: 't', Value: '!!'})),
  step('PUT', '/v1/txn', '[]'),
  step('PUT', '/v1/txn', '{'),
  step('PUT', '/v1/catalog/register', WEB),
  step('GET', '/v1/catalog/services'),
  step('GET', '/v1/catalog/service/web'),
  step('GET', '/v1/catalog/service/web?tag=a'),
  step('GET', '/v1/catalog/service/web?tag=zz'),
  step('GET', '/v1/catalog/service/nope'),
  step('GET', '/v1/catalog/service/'),
  step('GET', '/v1/catalog/node/x'),
  step('GET', '/v1/catalog/node/nope'),
  step('GET', '/v1/catalog/node/'),
  step('GET', '/v1/health/node/x'),
  step('GET', '/v1/health/node/nope'),
  step('GET', '/v1/health/checks/web'),
  step('GET', '/v1/health/state/passing', undefined, true),
  step('GET', '/v1/health/state/warning'),
  step('GET', '/v1/health/state/zz'),
  step('GET', '/v1/health/state/'),
  step('GET', '/v1/health/service/web'),
  step('GET', '/v1/health/service/web?passing'),
  step('GET', '/v1/health/service/nope'),
  step('GET', '/v1/catalog/datacenters'),
  step('PUT', '/v1/catalog/register', '{"Node":"x"}'),
  step('PUT', '/v1/catalog/register', '{"Address":"x"}'),
  step('PUT', '/v1/catalog/register', '{x'),
  step('PUT', '/v1/catalog/register', ''),
  step('PUT', '/v1/catalog/deregister', '{"Node":"x","ServiceID":"web"}'),
  step('GET', '/v1/health/node/x'),
  step('PUT', '/v1/catalog/deregister', '{"Node":"x"}'),
  step('PUT', '/v1/catalog/deregister', '{}'),
  step('GET', '/v1/catalog/service/web'),
  step('GET', '/v1/operator/autopilot/configuration'),
  step(
    'PUT',
    '/v1/operator/autopilot/configuration',
    '{"CleanupDeadServers":true,"LastContactThreshold":"5s"}',
  ),
  step('PUT', '/v1/operator/autopilot/configuration?cas=3', '{}'),
  step('PUT', '/v1/operator/autopilot/configuration', '{x'),
  step('GET', '/v1/operator/autopilot/configuration'),
  step('GET', '/v1/operator/autopilot/health'),
  step('GET', '/v1/operator/raft/configuration'),
  step('DELETE', '/v1/operator/raft/peer'),
  step('DELETE', '/v1/operator/raft/peer?id=x&address=y'),
  step('DELETE', '/v1/operator/raft/peer?id=x'),
  step('DELETE', '/v1/operator/raft/peer?address=1.2.3.4:8300'),
  step('PUT', '/v1/operator/raft/transfer-leader'),
  step('POST', '/v1/operator/raft/transfer-leader'),
  step('POST', '/v1/operator/raft/transfer-leader?id=x'),
  step('GET', '/v1/status/leader', undefined, true),
  step('GET', '/v1/status/peers', undefined, true),
  step('PATCH', '/v1/status/leader'),
  step('PUT', '/v1/agent/maintenance'),
  step('PUT', '/v1/agent/maintenance?enable=zz'),
  step('PUT', '/v1/agent/maintenance?enable=true&reason=because'),
  step('GET', '/v1/agent/checks'),
  step('PUT', '/v1/agent/maintenance?enable=false'),
  step('GET', '/v1/agent/services'),
  step('PUT', '/v1/agent/force-leave/nope'),
  step('PUT', '/v1/agent/reload'),
  step('GET', '/v1/agent/monitor?loglevel=zz'),
  step('PUT', '/v1/event/fire/deploy', 'hello'),
  step('PUT', '/v1/event/fire/deploy?node=x&service=web&tag=a'),
  step('PUT', '/v1/event/fire/x?tag=b'),
  step('PUT', '/v1/event/fire/'),
  step('GET', '/v1/event/list?name=deploy', undefined, true),
  step('GET', '/v1/event/list?name=zz'),
  step('PUT', '/v1/snapshot', 'xx'),
]

/** Numbers and names that differ between two servers, put in a common form: indexes by their order of appearance. */
class Common {
  private readonly sessions: string[] = []
  private lastIndex = ''
  /** Indexes count from where the script began. */
  constructor(
    private readonly url: string,
    private readonly base: number,
  ) {}

  async take({method, target, body, loose}: Step): Promise<unknown> {
    const named = target
      .replace('$A', this.sessions[0] ?? '-')
      .replace('$B', this.sessions[1] ?? '-')
      .replace('$I', this.lastIndex)
    const got = await ask(this.url, method, named, body)
    if (target === '/v1/session/create' && got.status === 200)
      this.sessions.push((got.json() as {ID: string}).ID)
    this.lastIndex = /"ModifyIndex":\s*(\d+)/.exec(got.text)?.[1] ?? this.lastIndex
    if (method === 'PUT' && target.startsWith('/v1/kv/a'))
      this.lastIndex = /"ModifyIndex":\s*(\d+)/.exec((await ask(this.url, 'GET', '/v1/kv/a')).text)?.[1] ?? ''
    return {
      step: `${method} ${target} ${body ?? ''}`,
      status: got.status,
      ...this.headers(got),
      body: this.body(got, loose),
    }
  }

  private headers({headers}: Got): Record<string, string | null> {
    const known = headers.get('x-consul-knownleader')
    return {
      type: headers.get('content-type'),
      allow: headers.get('allow'),
      location: headers.get('location'),
      known,
      contact: headers.get('x-consul-lastcontact'),
      consistency: headers.get('x-consul-effective-consistency'),
      index: known === null ? null : this.index(Number(headers.get('x-consul-index'))),
    }
  }

  private index(value: number): string {
    return value < this.base ? 'before' : `+${value - this.base}`
  }

  private body({text, headers}: Got, loose = false): unknown {
    if (!(headers.get('content-type') ?? '').startsWith('application/json')) return this.plain(text)
    const json = this.value('', JSON.parse(text))
    return loose ? shape(json) : json
  }

  private value(name: string, value: unknown): unknown {
    if (name === 'ModifyIndex' || name === 'CreateIndex' || name === 'LastIndex') return typeof value
    if (['LTime', 'StableSince', 'LastTerm', 'Version', 'Backend'].includes(name)) return typeof value
    if (Array.isArray(value)) {
      const items = value.map(item => this.value('', item))
      // Sessions stand in the order of their random ids.
      return JSON.stringify(items).includes('LockDelay') ? items.sort(byText) : items
    }
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [this.plain(key), this.value(key, item)]),
      )
    return typeof value === 'string' ? this.plain(value) : value
  }

  private plain(text: string): string {
    let plain = text
    this.sessions.forEach((id, at) => (plain = plain.replaceAll(id, `session ${at}`)))
    return plain
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'uuid')
      .replace(/127\.0\.0\.1:\d+/g, 'address')
      .replace(/current modify index \d+/g, 'current modify index')
  }
}

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

/** The kinds of a value's parts, without their content; of a list that of its first item. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shape(item)]))
  return value === null ? 'null' : typeof value
}

t.test('a real Consul gives the same answers to the same requests', {timeout: 240_000}, async t => {
  const real = await startConsul(newest.path)
  t.teardown(() => real.stop())
  const ours = await serveAlone()
  t.teardown(() => ours.close())
  const [theirs, mine] = await Promise.all(
    [real.url, ours.url].map(async url => {
      const before = await ask(url, 'PUT', '/v1/kv/base', url)
      t.equal(before.text.trim(), 'true')
      const index =
        ((await ask(url, 'GET', '/v1/kv/base')).json() as {ModifyIndex: number}[])[0]?.ModifyIndex ?? 0
      return new Common(url, index)
    }),
  )
  for (const step of STEPS) {
    const [want, got] = [await theirs!.take(step), await mine!.take(step)]
    // The two servers number differently what they themselves write besides.
    t.strictSame(withoutIndex(got), withoutIndex(want), `${step.method} ${step.target}`)
  }
})

const withoutIndex = (taken: unknown): unknown => {
  const {index, ...rest} = taken as {index: string | null}
  return {...rest, hasIndex: index !== null}
}

t.test('a real Consul restores our snapshot, and we restore its own', {timeout: 240_000}, async t => {
  const real = await startConsul(newest.path)
  t.teardown(() => real.stop())
  const ours = await serveAlone()
  t.teardown(() => ours.close())
  const saved = async (url: string) => new Uint8Array(await (await fetch(`${url}/v1/snapshot`)).arrayBuffer())
  for (let i = 0; i < 200; i++) await ours.ask('PUT', `/v1/kv/ours/${i}?flags=${i}`, `value ${i}`)
  await ours.ask('PUT', '/v1/catalog/register', WEB)
  const {ID} = (await ours.ask('PUT', '/v1/session/create', '{"Behavior":"delete"}')).json() as {ID: string}
  await ours.ask('PUT', `/v1/kv/ours/held?acquire=${ID}`, 'x')
  await ours.ask('DELETE', '/v1/kv/ours/199')
  const restored = await ask(real.url, 'PUT', '/v1/snapshot', await saved(ours.url))
  t.equal(restored.status, 200, restored.text)
  for (const target of [
    '/v1/kv/ours/?recurse',
    `/v1/session/info/${ID}`,
    '/v1/catalog/service/web',
    '/v1/health/service/web',
    '/v1/operator/autopilot/configuration',
  ])
    t.strictSame((await ask(real.url, 'GET', target)).json(), (await ours.ask('GET', target)).json(), target)
  t.equal(
    (await ask(real.url, 'GET', '/v1/kv/ours/199?recurse')).headers.get('x-consul-index'),
    '206',
    'tombstones, too',
  )

  await ask(real.url, 'PUT', '/v1/kv/theirs/a?flags=7', 'from there')
  const back = await ours.ask('PUT', '/v1/snapshot', await saved(real.url))
  t.equal(back.status, 200, back.text)
  t.match((await ours.ask('GET', '/v1/kv/theirs/a')).json(), [
    {Flags: 7, Value: Buffer.from('from there').toString('base64')},
  ])
  t.equal(((await ours.ask('GET', '/v1/kv/ours/?keys')).json() as string[]).length, 200)
  t.match((await ours.ask('GET', `/v1/session/info/${ID}`)).json(), [
    {Behavior: 'delete', NodeChecks: ['serfHealth']},
  ])
  t.equal((await ours.ask('PUT', `/v1/session/destroy/${ID}`)).text, 'true')
  t.equal((await ours.ask('GET', '/v1/kv/ours/held')).status, 404)
})

for (const {path, version} of realConsuls().filter(binary => /^1\./.test(binary.version))) {
  t.test(`the command line of Consul ${version} works on it`, {timeout: 120_000}, async t => {
    const ours = await serveAlone()
    t.teardown(() => ours.close())
    const run = (...args: readonly string[]): Promise<{code: number; out: string}> =>
      new Promise(resolve => {
        const env = {...process.env, CONSUL_HTTP_ADDR: ours.url}
        execFile(path, args, {env, timeout: 30_000}, (error, out, err) =>
          resolve({code: error === null ? 0 : Number(error.code ?? 1), out: out + err}),
        )
      })
    t.match(await run('kv', 'put', 'app/a', 'one'), {code: 0, out: /Success! Data written to: app\/a/})
    t.match(await run('kv', 'get', 'app/a'), {code: 0, out: 'one\n'})
    t.match(await run('kv', 'get', '-detailed', 'app/a'), {code: 0, out: /ModifyIndex\s+3/})
    t.match(await run('kv', 'put', '-cas', '-modify-index=1', 'app/a', 'two'), {code: 1})
    t.match(await run('kv', 'get', '-keys', 'app/'), {code: 0, out: 'app/a\n'})
    t.match(await run('kv', 'export', 'app/'), {code: 0, out: /"key": "app\/a"/})
    t.match(await run('kv', 'get', 'nope'), {code: 1, out: /No key exists/})
    t.match(await run('kv', 'delete', '-recurse', 'app'), {code: 0})
    t.match(await run('members'), {code: 0, out: /ref\s+127.0.0.1:8301\s+alive\s+server\s+1.16.6/})
    t.match(await run('members', '-wan'), {code: 0, out: /ref.dc1/})
    t.match(await run('info'), {code: 0, out: /raft:\n\tapplied_index = /})
    t.match(await run('operator', 'raft', 'list-peers'), {code: 0, out: /127.0.0.1:8300\s+leader\s+true\s+3/})
    t.match(await run('operator', 'autopilot', 'get-config'), {code: 0, out: /CleanupDeadServers = true/})
    t.match(await run('catalog', 'services'), {code: 0, out: 'consul\n'})
    t.match(await run('catalog', 'nodes'), {code: 0, out: /ref\s+944906ab\s+127.0.0.1\s+dc1/})
    t.match(await run('event', '-name=deploy', 'payload'), {code: 0, out: /Event ID: /})
    t.match(await run('lock', 'held', 'echo under the lock'), {code: 0, out: /under the lock/})
    t.match(await run('maint', '-enable', '-reason=x'), {code: 0})
    t.match(await run('join', 'bad'), {code: 1})
    t.match(await run('join', 'good'), {code: 0, out: /Successfully joined/})
    t.match(await run('force-leave', 'ref'), {code: 0})
    t.match(await run('keyring', '-list'), {code: 0, out: /pUqJrVyVRj5jsiYEkM/})
    t.match(await run('reload'), {code: 0})
    t.match(await run('leave'), {code: 0, out: /Graceful leave complete/})
    const saved = `${t.testdirName}.snap`
    t.match(await run('snapshot', 'save', saved), {code: 0, out: /Saved and verified snapshot/})
    t.match(await run('snapshot', 'inspect', saved), {code: 0, out: /Index\s+\d+/})
    t.match(await run('snapshot', 'restore', saved), {code: 0, out: /Restored snapshot/})
    t.strictSame(ours.errors, [])
  })
}
