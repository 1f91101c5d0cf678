import {execFileSync} from 'node:child_process'
import {mkdtempSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {tmpdir} from 'node:os'
import t from 'tap'
import {serveAlone} from './single-server.js'

t.test('a snapshot is a file that tar and sha256sum accept, and comes back whole', async t => {
  const one = await serveAlone()
  t.teardown(() => one.close())
  for (let i = 0; i < 300; i++) await one.ask('PUT', `/v1/kv/k/${i}`, `value ${i}`)
  const saved = await fetch(`${one.url}/v1/snapshot`)
  t.equal(saved.headers.get('content-type'), 'application/x-gzip')
  t.equal(saved.headers.get('x-consul-index'), '302')
  const archive = new Uint8Array(await saved.arrayBuffer())
  const dir = mkdtempSync(join(tmpdir(), 'quorate-snapshot-'))
  t.teardown(() => execFileSync('rm', ['-r', dir]))
  writeFileSync(join(dir, 'backup.snap'), archive)
  execFileSync('tar', ['xzf', 'backup.snap'], {cwd: dir})
  t.match(execFileSync('sha256sum', ['-c', 'SHA256SUMS'], {cwd: dir}).toString(), /state.bin: OK/)
  t.match(JSON.parse(readFileSync(join(dir, 'meta.json'), 'utf8')), {
    Version: 1,
    Index: 302,
    ConfigurationIndex: 1,
  })
  await one.ask('DELETE', '/v1/kv/?recurse')
  const waiting = one.ask('GET', '/v1/kv/nothing?index=100000&wait=60s')
  t.match(await one.ask('PUT', '/v1/snapshot', archive), {status: 200, text: ''})
  t.equal((await waiting).status, 404, 'nobody waits for indexes of before')
  t.equal((await one.ask('GET', '/v1/kv/k/299?raw')).text, 'value 299')
})

t.test('what is no snapshot, or a damaged one, changes nothing', async t => {
  const one = await serveAlone()
  t.teardown(() => one.close())
  await one.ask('PUT', '/v1/kv/k', 'v')
  const archive = new Uint8Array(await (await fetch(`${one.url}/v1/snapshot`)).arrayBuffer())
  t.match(await one.ask('PUT', '/v1/snapshot', 'xx'), {
    status: 500,
    text: 'failed to decompress snapshot: unexpected EOF',
  })
  t.match(await one.ask('PUT', '/v1/snapshot', archive.subarray(0, archive.length / 2)), {status: 500})
  for (let at = 20; at < archive.length - 8; at += 37) {
    const damaged = archive.slice()
    damaged[at]! ^= 0x10
    const got = await one.ask('PUT', '/v1/snapshot', damaged)
    if (got.status === 200)
      t.equal((await one.ask('GET', '/v1/kv/k?raw')).text, 'v', `byte ${at} matters not`)
  }
  t.equal((await one.ask('GET', '/v1/kv/k?raw')).text, 'v')
  t.strictSame(one.errors, [])
})
