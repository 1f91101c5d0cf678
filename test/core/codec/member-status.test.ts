import t from 'tap'
import {parseMemberStatus} from '../../../src/core/codec/member-status.js'

t.test('a server of a local cluster runs, is stopped, or is held', async t => {
  t.match(parseMemberStatus('pid 123\n', 'local/server1'), {
    manager: 'cluster',
    unit: 'local/server1',
    state: 'running',
    mainPid: 123,
    enablement: 'by hand',
  })
  t.match(parseMemberStatus('hold abc\n', 'local/server1'), {state: 'stopped', enablement: 'held'})
  t.match(parseMemberStatus('', 'local/server1'), {state: 'stopped', mainPid: undefined})
  t.match(parseMemberStatus('pid 0\npid -1', 'local/server1'), {state: 'stopped'}, 'no pid is no process')
})
