import t from 'tap'
import {
  atLeast,
  consulHas,
  defaultRaftProtocol,
  hasPeersInfoRule,
  parseVersion,
  speaksOnlyProtocol3,
} from '../../../src/core/codec/version.js'

t.test('versions are read as the products print them', async t => {
  const parts = (text: string) => {
    const version = parseVersion(text)
    return version && [version.major, version.minor, version.patch, version.prerelease, version.build]
  }
  t.same(parts('0.6.4.dev'), [0, 6, 4, 'dev', ''])
  t.same(parts('1.16.6+ent'), [1, 16, 6, '', 'ent'])
  t.same(parts('v1.20.0-rc1\n'), [1, 20, 0, 'rc1', ''])
  t.same(parts('1.8.19:b0a4c9e1'), [1, 8, 19, '', 'b0a4c9e1'])
  t.same(parts('10.1'), [10, 1, 0, '', ''])
  for (const text of ['unknown', '', 'unknown-unknown', '1', '1.2.3 4', `1.${'9'.repeat(400)}`])
    t.equal(parseVersion(text), undefined, text.slice(0, 20))
})

t.test('a bound counts a pre-release as its release, and an unknown version answers nothing', async t => {
  t.equal(atLeast('1.9.0-rc1', '1.9.0'), true)
  t.equal(atLeast('1.8.19', '1.9.0'), false)
  t.equal(atLeast('unknown', '1.9.0'), undefined)
  t.equal(atLeast(undefined, '1.9.0'), undefined)
})

t.test('the rules that hang on a version change at the version they changed', async t => {
  t.equal(hasPeersInfoRule('consul', '0.6.4'), false)
  t.equal(hasPeersInfoRule('consul', '0.7.0'), true)
  t.equal(hasPeersInfoRule('nomad', '0.5.5'), true)
  t.equal(hasPeersInfoRule('vault', '1.0.0'), false)
  t.same(
    ['0.6.4', '0.7.5', '0.8.0', '1.0.0', 'unknown'].map(version => defaultRaftProtocol('consul', version)),
    [0, 1, 2, 3, undefined],
  )
  t.equal(speaksOnlyProtocol3('consul', '1.8.19'), false)
  t.equal(speaksOnlyProtocol3('consul', '1.9.0'), true)
  t.equal(consulHas('rpc-8400', '0.7.5'), true)
  t.equal(consulHas('rpc-8400', '0.8.0'), false)
  t.equal(consulHas('operator-raft', '0.6.4'), false)
  t.equal(consulHas('autopilot', 'unknown'), undefined)
})
