import t from 'tap'
import type {Served} from './single-server.js'
import {serveAlone} from './single-server.js'

const served = async (t: {teardown: (fn: () => Promise<void>) => void}): Promise<Served> => {
  const one = await serveAlone()
  t.teardown(() => one.close())
  return one
}

t.test('a key is put, read, listed and deleted', async t => {
  const {ask, errors} = await served(t)
  t.match(await ask('PUT', '/v1/kv/app/a?flags=18446744073709551615', '<v>&'), {status: 200, text: 'true'})
  const got = await ask('GET', '/v1/kv/app/a')
  t.equal(
    got.text,
    '[{"LockIndex":0,"Key":"app/a","Flags":18446744073709551615,"Value":"PHY+Jg==","CreateIndex":3,"ModifyIndex":3}]',
  )
  t.equal(got.headers.get('x-consul-index'), '3')
  t.equal(got.headers.get('x-consul-knownleader'), 'true')
  t.equal(got.headers.get('x-consul-lastcontact'), '0')
  t.equal((await ask('GET', '/v1/kv/app/a?raw')).text, '<v>&')
  await ask('PUT', '/v1/kv/app/b/c', '')
  await ask('PUT', '/v1/kv/app/b/d', 'x')
  t.equal((await ask('GET', '/v1/kv/app/?keys&separator=/')).text, '["app/a","app/b/"]')
  t.equal((await ask('GET', '/v1/kv/app/?keys')).text, '["app/a","app/b/c","app/b/d"]')
  t.match((await ask('GET', '/v1/kv/app/b?recurse')).json(), [
    {Key: 'app/b/c', Value: null},
    {Key: 'app/b/d'},
  ])
  t.equal((await ask('DELETE', '/v1/kv/app/b?recurse')).text, 'true')
  const gone = await ask('GET', '/v1/kv/app/b?recurse')
  t.equal(gone.status, 404)
  t.equal(gone.text, '')
  t.equal(gone.headers.get('x-consul-index'), '6', 'the index does not go back')
  t.equal((await ask('GET', '/v1/kv/app/a?pretty')).text.split('\n')[1], '    {')
  t.strictSame(errors, [])
})

t.test('keys are any bytes', async t => {
  const {ask} = await served(t)
  await ask('PUT', '/v1/kv/%C3%A4%20%2Fb%FF', 'x')
  t.match((await ask('GET', '/v1/kv/?recurse')).json(), [{Key: 'ä /b\ufffd'}])
  t.equal((await ask('GET', '/v1/kv/%C3%A4%20/b%FF?raw')).text, 'x')
  t.equal((await ask('GET', '/v1/kv/ä?keys')).status, 200)
})

t.test('conditional writes are done or not done, never half', async t => {
  const {ask} = await served(t)
  t.equal((await ask('PUT', '/v1/kv/k?cas=0', 'a')).text, 'true')
  t.equal((await ask('PUT', '/v1/kv/k?cas=0', 'b')).text, 'false')
  for (const much of ['9007199254740993', '18446744073709551615'])
    t.equal((await ask('PUT', `/v1/kv/new?cas=${much}`, 'b')).text, 'false', 'no index is that large')
  t.equal((await ask('PUT', '/v1/kv/k?cas=3', 'b')).text, 'true')
  t.equal((await ask('DELETE', '/v1/kv/k?cas=3')).text, 'false')
  t.equal((await ask('DELETE', '/v1/kv/k?cas=7')).text, 'true')
})

t.test('what is wrong with a request is told in Consul’s words', async t => {
  const {ask} = await served(t)
  const wrong: readonly (readonly [string, string, number, string])[] = [
    ['PUT', '/v1/kv/', 400, 'Missing key name'],
    ['GET', '/v1/kv/', 400, 'Missing key name'],
    ['DELETE', '/v1/kv/', 400, 'Missing key name'],
    ['PUT', '/v1/kv/a?cas=x', 500, 'strconv.ParseUint: parsing "x": invalid syntax'],
    [
      'PUT',
      '/v1/kv/a?flags=18446744073709551616',
      500,
      'strconv.ParseUint: parsing "18446744073709551616": value out of range',
    ],
    ['PUT', '/v1/kv/a?acquire=x&release=y', 400, 'Conflicting flags: acquire=x&release=y'],
    ['PUT', '/v1/kv/a?acquire=x', 500, 'raft apply failed: invalid session "x"'],
    ['GET', '/v1/kv/a?index=x', 400, 'Invalid index'],
    ['GET', '/v1/kv/a?wait=x', 400, 'Invalid wait time'],
    [
      'GET',
      '/v1/kv/a?stale&consistent',
      400,
      'Cannot specify ?stale with ?consistent, conflicting semantics.',
    ],
    ['GET', '/v1/kv/a?dc=zz', 500, 'No path to datacenter'],
    ['POST', '/v1/kv/a', 405, 'method POST not allowed'],
    ['GET', '/v1/nope', 404, 'Invalid URL path: not a recognized HTTP API endpoint\n'],
    ['GET', '/v1/kv/a%01', 400, ''],
  ]
  for (const [method, target, status, text] of wrong) {
    const got = await ask(method, target)
    t.strictSame([got.status, got.text], [status, text], target)
  }
  const moved = await ask('GET', '/v1/kv/a//b?raw')
  t.strictSame([moved.status, moved.headers.get('location')], [301, '/v1/kv/a/b?raw'])
  t.equal((await ask('OPTIONS', '/v1/kv/a')).headers.get('allow'), 'OPTIONS,GET,PUT,DELETE')
})

t.test('a blocking query returns with the change, not before, and not for other keys', async t => {
  const {ask} = await served(t)
  await ask('PUT', '/v1/kv/k', '1')
  const started = performance.now()
  const blocked = ask('GET', '/v1/kv/k?index=3&wait=10s')
  const prefix = ask('GET', '/v1/kv/p/?recurse&index=3&wait=10s')
  let ended = false
  void blocked.then(() => (ended = true))
  await ask('PUT', '/v1/kv/other', '1')
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(ended, false)
  await ask('PUT', '/v1/kv/k', '2')
  t.match((await blocked).json(), [{ModifyIndex: 5}])
  await ask('PUT', '/v1/kv/p/x', '2')
  t.match((await prefix).json(), [{Key: 'p/x', ModifyIndex: 6}])
  t.ok(performance.now() - started < 5000)
  const timed = await ask('GET', '/v1/kv/k?index=5&wait=30ms')
  t.equal(timed.headers.get('x-consul-index'), '5')
  t.equal((await ask('GET', '/v1/kv/k?index=1&wait=10s')).status, 200, 'what is newer is told at once')
})

t.test('a lock is had by one session, and not at once after that was destroyed', async t => {
  const {ask, backend} = await served(t)
  const create = async (body: object) =>
    ((await ask('PUT', '/v1/session/create', JSON.stringify(body))).json() as {ID: string}).ID
  const [one, two] = [await create({LockDelay: '5s'}), await create({})]
  t.equal((await ask('PUT', `/v1/kv/lock?acquire=${one}`, 'a')).text, 'true')
  t.equal((await ask('PUT', `/v1/kv/lock?acquire=${two}`, 'b')).text, 'false')
  t.match((await ask('GET', '/v1/kv/lock')).json(), [{LockIndex: 1, Session: one}])
  t.equal((await ask('PUT', `/v1/kv/lock?release=${two}`, 'b')).text, 'false')
  t.equal((await ask('PUT', `/v1/session/destroy/${one}`)).text, 'true')
  t.equal((await ask('PUT', `/v1/kv/lock?acquire=${two}`, 'b')).text, 'false', 'the delay holds')
  backend.clockMs += 5001
  t.equal((await ask('PUT', `/v1/kv/lock?acquire=${two}`, 'b')).text, 'true')
  t.match((await ask('GET', '/v1/kv/lock')).json(), [{LockIndex: 2, Session: two}])
  t.equal((await ask('PUT', `/v1/kv/lock?release=${two}`, 'b')).text, 'true')
})

t.test('a session ends when it is not renewed for twice its time, and the tick before it lives', async t => {
  const {ask, backend, api} = await served(t)
  api.start()
  t.teardown(() => api.stop())
  const body = JSON.stringify({TTL: '10s', Behavior: 'delete', LockDelay: '0s'})
  const {ID} = (await ask('PUT', '/v1/session/create', body)).json() as {ID: string}
  await ask('PUT', `/v1/kv/held?acquire=${ID}`, 'x')
  backend.clockMs += 15_000
  t.match((await ask('PUT', `/v1/session/renew/${ID}`)).json(), [{ID, TTL: '10s'}])
  backend.clockMs += 15_000
  await new Promise(resolve => setTimeout(resolve, 700))
  t.equal(((await ask('GET', '/v1/session/list')).json() as unknown[]).length, 1)
  backend.clockMs += 6000
  await new Promise(resolve => setTimeout(resolve, 700))
  t.strictSame((await ask('GET', `/v1/session/info/${ID}`)).json(), [])
  t.equal((await ask('GET', '/v1/kv/held')).status, 404)
  t.equal((await ask('PUT', `/v1/session/renew/${ID}`)).status, 404)
})

t.test('a transaction of many operations answers as one', async t => {
  const {ask} = await served(t)
  const value = Buffer.from('v1').toString('base64')
  const done = await ask(
    'PUT',
    '/v1/txn',
    JSON.stringify([{KV: {Verb: 'set', Key: 't', Value: value}}, {KV: {Verb: 'get', Key: 't'}}]),
  )
  t.equal(done.status, 200)
  t.match(done.json(), {Results: [{KV: {Value: null}}, {KV: {Value: value}}], Errors: null})
  const failed = await ask(
    'PUT',
    '/v1/txn',
    JSON.stringify([{KV: {Verb: 'delete', Key: 't'}}, {KV: {Verb: 'get', Key: 'nope'}}]),
  )
  t.equal(failed.status, 409)
  t.match(failed.json(), {Results: null, Errors: [{OpIndex: 1, What: `key "nope" doesn't exist`}]})
  t.equal((await ask('GET', '/v1/kv/t?raw')).text, 'v1')
  const read = await ask('PUT', '/v1/txn', JSON.stringify([{KV: {Verb: 'get', Key: 't'}}]))
  t.match(read.json(), {Results: [{KV: {Value: value}}], KnownLeader: true})
  t.match(await ask('PUT', '/v1/txn', '{'), {status: 400, text: 'Failed to parse body: unexpected EOF'})
})
