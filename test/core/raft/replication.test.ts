import t from 'tap'
import {Cluster} from './cluster.js'

t.test('three servers elect one leader, and what it takes is applied by all', async t => {
  const cluster = Cluster.of(['a', 'b', 'c'])
  const leader = cluster.elect()
  const tokens = ['x', 'y', 'z'].map(command => cluster.propose(leader, command))
  t.ok(cluster.until(() => tokens.every(token => cluster.outcome(token) === 'done')))
  cluster.run(200)
  for (const server of cluster.servers.values()) t.same(server.applied, ['x', 'y', 'z'], server.name)
})
