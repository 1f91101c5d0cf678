import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {Agents, call, until} from '../helpers/agents.js'

void t.test(
  'three servers find one another, found a cluster, take writes anywhere and survive a restart',
  async t => {
    const agents = new Agents(t.testdir(), '71.1')
    t.teardown(() => agents.stopAll())
    const names = ['s1', 's2', 's3']
    for (const name of names)
      await agents.start(
        name,
        '-server',
        '-bootstrap-expect=3',
        ...(name === 's1' ? [] : [`-join=${agents.ip('s1')}`]),
      )
    const leader = await agents.leader()
    t.match(leader, /^127\.71\.1\.\d:8300$/)
    for (const [i, name] of names.entries()) {
      const {url} = agents.running.get(name) ?? {url: ''}
      t.match(
        await call(url, `/v1/kv/key${i}`, 'PUT', `value ${i}`),
        {status: 200, text: 'true'},
        `a PUT on ${name}`,
      )
    }
    const {url} = agents.running.get('s2') ?? {url: ''}
    t.match(await call(url, '/v1/kv/key0?raw'), {status: 200, text: 'value 0'})
    t.match(await call(url, '/v1/kv/key2?raw&consistent'), {status: 200, text: 'value 2'})
    const peers = JSON.parse((await call(url, '/v1/status/peers')).text) as string[]
    t.same(
      peers.sort(),
      names.map(name => `${agents.ip(name)}:8300`),
    )
    const nodes = await until('three nodes in the catalog', async () => {
      const list = JSON.parse((await call(url, '/v1/catalog/nodes')).text) as {Node: string}[]
      return list.length === 3 ? list : undefined
    })
    t.same(nodes.map(({Node}) => Node).sort(), names)
    await agents.stopAll()
    for (const name of names) await agents.start(name, '-server', '-bootstrap-expect=3')
    await agents.leader()
    const again = agents.running.get('s3')?.url ?? ''
    t.match(await call(again, '/v1/kv/key1?raw'), {status: 200, text: 'value 1'})
    t.notOk(existsSync(join(agents.running.get('s1')?.dataDir ?? '', 'raft', 'peers.json')))
    t.match(readFileSync(join(agents.running.get('s1')?.dataDir ?? '', 'node-id'), 'utf8'), /^[0-9a-f-]{36}$/)
  },
)
