import t from 'tap'
import {lanMergeRule} from '../../src/agent/server-members.js'
import type {Member} from '../../src/core/gossip/member.js'

const versions = {min: 1, max: 5, current: 2}

function member(name: string, id: string, build: string): Member {
  const tags = {role: 'consul', dc: 'dc1', id, build}
  return {name, ip: '192.0.2.1', port: 8301, tags, status: 'alive', protocol: versions, delegate: versions}
}

t.test('a member of a network segment is not let into the pool of those that have none', async t => {
  const rule = lanMergeRule({name: 'us', nodeId: 'our-id', datacenter: 'dc1'}, () => [])
  const judge = (tags: Readonly<Record<string, string>>, left = false): string | undefined =>
    rule([{name: 'b', ip: '192.0.2.2', port: 8301, tags: {role: 'node', dc: 'dc1', id: 'x', ...tags}, left}])
  t.equal(judge({segment: 'alpha'}), "Member 'b' part of wrong segment 'alpha' (expected '')")
  t.equal(judge({segment: 'alpha', role: 'cache'}), judge({segment: 'alpha'}), 'whatever its role')
  t.equal(judge({segment: ''}), undefined)
  t.equal(judge({}), undefined)
  t.equal(judge({segment: 'alpha'}, true), undefined, 'who has left comes in as little as anybody')
})

t.test('an id is taken once, but for agents so old that all of a host have the same', async t => {
  const own = {name: 'us', nodeId: 'our-id', datacenter: 'dc1'}
  const judge = (known: Member, {name, ip, port, tags}: Member): string | undefined =>
    lanMergeRule(own, () => [known])([{name, ip, port, tags, left: false}])
  const words = /'b' has conflicting node ID 'x' with member 'a'/
  t.match(judge(member('a', 'x', '1.16.6:'), member('b', 'x', '1.16.6:')), words)
  t.match(judge(member('a', 'x', '0.8.5:abc'), member('b', 'x', '0.10.0:')), words)
  t.equal(judge(member('a', 'x', '0.7.5:'), member('b', 'x', '0.7.5:')), undefined)
  t.equal(judge(member('a', 'x', '0.8.4:'), member('b', 'x', '1.8.19:')), undefined)
  t.equal(judge(member('a', 'x', '1.8.19:'), member('a', 'x', '1.8.19:')), undefined)
  t.match(judge(member('a', 'x', '1.8.19:'), member('b', 'our-id', '1.8.19:')), /with this agent's ID/)
})
