// Our server in the WAN pool of real Consul servers of another datacenter.
import t from 'tap'
import {Agents, call, until} from '../../helpers/agents.js'
import {RealConsul, raftProtocolOf} from '../../helpers/real-consul.js'
import {realConsuls} from '../../lab/binaries.js'

const binaries = realConsuls()
if (binaries.length === 0)
  t.fail('QUORATE_CONSUL_BIN_DIR names no directory with binaries called consul-VERSION')

/** Serf's numbers for members. */
const [ALIVE, LEFT] = [1, 3]

for (const [n, binary] of binaries.entries())
  t.test(
    `a Consul ${binary.version} of another datacenter lists our server, and asks it for its clients`,
    async t => {
      const net = `78.${n + 1}`
      const directory = t.testdir()
      const agents = new Agents(directory, net)
      const config = {bootstrap: true, datacenter: 'dc2'}
      const real = new RealConsul(binary, {name: 'real2', ip: `127.${net}.2`, directory, config})
      t.teardown(async () => {
        await real.kill()
        await agents.stopAll()
      })
      const protocol = `-raft-protocol=${raftProtocolOf(binary.version)}`
      const ours = await agents.start('ours1', '-server', '-bootstrap', protocol)
      await agents.leader()
      real.start()
      await until('the real server to lead', async () => ((await real.leader()) === '' ? undefined : true))
      t.match(await real.command('join', '-wan', ours.ip), /Successfully joined cluster/)
      const members = (await real.json('/v1/agent/members?wan=1')) as readonly Record<string, unknown>[]
      const us = members.find(({Name}) => Name === 'ours1.dc1')
      t.match(us, {Addr: ours.ip, Port: 8302, Status: ALIVE, Tags: {role: 'consul', dc: 'dc1', port: '8300'}})
      t.match(await real.command('members', '-wan'), /ours1\.dc1 +127\S+:8302 +alive +server/)
      const datacenters = (await real.json('/v1/catalog/datacenters')) as readonly string[]
      t.same([...datacenters].sort(), ['dc1', 'dc2'])
      t.match(await call(ours.url, '/v1/kv/here', 'PUT', 'in dc1'), {status: 200})
      t.equal((await real.ask('/v1/kv/here?raw&dc=dc1')).text, 'in dc1', 'its clients read from us')
      t.match(await real.ask('/v1/kv/there?dc=dc1', 'PUT', 'from dc2'), {status: 200})
      t.equal((await call(ours.url, '/v1/kv/there?raw')).text, 'from dc2', 'and write to us')
      t.match(await real.json('/v1/catalog/nodes?dc=dc1'), [{Node: 'ours1', Address: ours.ip}])
      t.equal((await real.ask('/v1/kv/there')).status, 404, 'its own datacenter is another')
      await ours.agent.leave()
      await until('the real server to say that we have left', async () => {
        const list = (await real.json('/v1/agent/members?wan=1')) as readonly Record<string, unknown>[]
        return list.find(({Name}) => Name === 'ours1.dc1')?.['Status'] === LEFT ? true : undefined
      })
    },
  )
