import t from 'tap'
import {lanMergeRule, wanMergeRule} from '../../../src/core/gossip/consul-merge.js'
import type {Applicant} from '../../../src/core/gossip/member.js'

const us = lanMergeRule({name: 'us', id: 'id-us', datacenter: 'dc1', segment: ''})
const applicant = (name: string, tags: Record<string, string>, left = false): Applicant => ({
  name,
  ip: '10.0.0.1',
  port: 8301,
  tags,
  left,
})
const server = (name: string, more: Record<string, string> = {}): Applicant =>
  applicant(name, {role: 'consul', dc: 'dc1', build: '1.8.19:', ...more})

t.test('servers and clients of our datacenter may come in, and what is no agent of Consul', t => {
  const client = applicant('c', {role: 'node', dc: 'dc1'})
  t.equal(
    us([server('a', {id: '1'}), server('b', {id: '2'}), client, applicant('w', {role: 'web'})]),
    undefined,
  )
  t.end()
})

t.test('agents of another datacenter or segment may not', t => {
  t.match(us([server('a', {dc: 'dc2'})]), /member a is in datacenter dc2, not in dc1/)
  t.match(us([applicant('c', {role: 'node', dc: 'dc2'})]), /datacenter dc2/)
  t.match(us([applicant('w', {role: 'web', segment: 'x'})]), /segment 'x'/)
  t.end()
})

t.test('an id belongs to one name, unless its other owner left or is older than ids were unique', t => {
  t.match(us([server('a', {id: 'id-us'})]), /has our node id/)
  t.equal(us([server('us', {id: 'id-us'})]), undefined)
  t.match(us([server('a', {id: '1'}), server('b', {id: '1'})]), /a and b have the same node id 1/)
  t.equal(us([applicant('a', server('a', {id: '1'}).tags, true), server('b', {id: '1'})]), undefined)
  t.equal(us([server('a', {id: '1', build: '0.7.5:'}), server('b', {id: '1', build: '0.7.5:'})]), undefined)
  t.end()
})

t.test('the WAN pool is for servers alone', t => {
  t.equal(wanMergeRule([server('a.dc1'), server('b.dc2', {dc: 'dc2'})]), undefined)
  t.match(wanMergeRule([server('a.dc1'), applicant('c', {role: 'node'})]), /member c is not a server/)
  t.end()
})
