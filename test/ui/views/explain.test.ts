import t from 'tap'
import {read} from '../../../src/core/model/reading.js'
import {explainObservation} from '../../../src/ui/views/explain.js'
import {liveConsul, silent, stoppedConsul} from '../../helpers/fleet.js'

t.test('every fact stands with its source', async t => {
  const lines = explainObservation(liveConsul('a'))
  t.match(lines[0], /^a at /)
  const leader = lines.findIndex(line => line.includes('leader by API'))
  t.match(lines[leader + 1], /from api/)
  t.equal(lines.filter(line => /^ +from \w/.test(line)).length, (lines.length - 1) / 2)
})

t.test('what is not known is told from what is not there', async t => {
  const lines = explainObservation(silent('a')).join('\n')
  t.match(lines, /processes +\? /)
  const stopped = {...stoppedConsul('a')}
  const source = {host: 'a', via: 'file', what: '/d/raft/peers.json'} as const
  const absent = explainObservation({...stopped, peersFile: {kind: 'unread', why: 'absent', source}}).join(
    '\n',
  )
  t.match(absent, /peers\.json +not there\n +from file: \/d\/raft\/peers\.json/)
  const denied = explainObservation({
    ...stopped,
    peersFile: {kind: 'unread', why: 'denied', detail: 'Permission denied', source},
  }).join('\n')
  t.match(denied, /peers\.json +\? denied \(Permission denied\)/)
})

t.test('hostile text moves no cursor', async t => {
  const source = {host: 'a', via: 'process', what: '/bin/\u001b[2Jconsul'} as const
  const server = {...liveConsul('a'), host: 'a\u001b[31m', version: read('1.8\n\u001b]0;x\u0007', source)}
  for (const line of explainObservation(server)) t.notMatch(line, /[\u0000-\u001f]/)
})
